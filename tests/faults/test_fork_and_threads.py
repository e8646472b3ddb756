"""Forks, threads, signal handlers and finalizers that meet a write in its middle."""

import datetime
import gc
import os
import signal
import threading
from pathlib import Path

import pytest

from flightlog import read_open_spans
from flightlog.writing.span_file import SpanFile
from tests.faults.children import run, start
from tests.faults.lines import broken, line, numbers

FORK_WITH_LOCK_HELD = """
    import os, sys, threading, warnings
    from flightlog.writing.span_file import SpanFile
    from tests.faults.lines import line
    warnings.simplefilter("ignore")  # Python 3.12 warns of a fork with threads, which is what this is about
    file = SpanFile(sys.argv[1])
    parent_id = file.writer_id
    file.open_span(0, line(0, writer=file.writer_id))
    in_write, go_on = threading.Event(), threading.Event()
    write = os.write
    def slow(fd, data):
        if threading.current_thread() is not threading.main_thread():
            in_write.set(); go_on.wait()
        return write(fd, data)
    os.write = slow
    thread = threading.Thread(target=file.write, args=(line(1, writer="parent"),))
    thread.start()
    in_write.wait()
    pid = os.fork()
    if pid == 0:
        assert file.writer_id != parent_id
        assert file.stats()["in_flight"] == 0
        file.open_span(0, line(0, writer=file.writer_id))
        ok = file.write(line(2, writer="child"))
        file.close_span(0)
        file.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    go_on.set(); thread.join()
    assert file.write(line(3, writer="parent"))
    assert file.writer_id == parent_id
    print(parent_id)
    os._exit(9) if sys.argv[2] == "die" else file.close()
"""


def test_fork_while_another_thread_writes(tmp_path: Path) -> None:
    """A child forked while a thread holds the lock writes at once, under an id of its own; the parent goes on."""
    path = tmp_path / "trace.jsonl"
    run(FORK_WITH_LOCK_HELD, path, "live")
    assert numbers(path, "parent") == [1, 3]
    assert numbers(path, "child") == [2]
    assert broken(path) == []
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]


def test_forked_child_lets_go_of_the_sidecar(tmp_path: Path) -> None:
    """A child that outlives its parent does not keep the parent's spans looking alive."""
    path = tmp_path / "trace.jsonl"
    script = """
        import os, sys, time
        from flightlog.writing.span_file import SpanFile
        from tests.faults.lines import line
        file = SpanFile(sys.argv[1])
        file.open_span(0, line(0))
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            file.write(line(1))
            os.write(writer, b"x")
            devnull = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(devnull, fd)
            time.sleep(30)
            os._exit(0)
        os.read(reader, 1)
        print(pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    out, _ = start(script, path).communicate(timeout=60)
    try:
        (found,) = read_open_spans(path)
        assert found.state == "unfinished"
        assert numbers(path) == [1]
    finally:
        os.kill(int(out), signal.SIGKILL)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_workers_clean_up(tmp_path: Path, method: str) -> None:
    """Workers of multiprocessing, which leave without atexit, keep every line and no sidecar."""
    path = tmp_path / "trace.jsonl"
    script = """
        import multiprocessing, sys, warnings
        from tests.faults.workers import work
        if __name__ == "__main__":
            warnings.simplefilter("ignore")
            context = multiprocessing.get_context(sys.argv[2])
            workers = [context.Process(target=work, args=(sys.argv[1], n)) for n in range(3)]
            for worker in workers: worker.start()
            for worker in workers: worker.join()
            assert [worker.exitcode for worker in workers] == [0, 0, 0]
    """
    run(script, path, method)
    for n in range(3):
        assert numbers(path, f"w{n}") == list(range(20))
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]


def test_two_hundred_threads(tmp_path: Path) -> None:
    """Two hundred threads that start at one moment lose nothing and leave nothing in flight."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    barrier = threading.Barrier(200)

    def work(n: int) -> None:
        barrier.wait()
        for k in range(10):
            seq = n * 10 + k
            file.open_span(seq, line(seq))
            assert file.write(line(seq, size=500))
            file.close_span(seq)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(path)) == list(range(2000))
    assert broken(path) == []
    assert file.stats()["in_flight"] == 0
    assert read_open_spans(path, {("w", seq) for seq in range(2000)}) == []


def test_signal_handler_that_writes(tmp_path: Path) -> None:
    """A signal handler that records a span in the middle of a write of the same thread neither hangs nor tears."""
    path = tmp_path / "trace.jsonl"
    script = """
        import itertools, signal, sys
        from flightlog.writing.span_file import SpanFile
        from tests.faults.lines import line
        file, handled, numbers = SpanFile(sys.argv[1], max_bytes=50_000), [], itertools.count()
        def handler(*_):
            seq = next(numbers)  # a handler may itself be interrupted by the next signal
            file.open_span(10_000 + seq, line(seq, writer="handler"))
            handled.append(file.write(line(seq, writer="handler")))
            file.close_span(10_000 + seq)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        seq = 0
        while len(handled) < 200:
            file.open_span(seq, line(seq))
            assert file.write(line(seq, size=300))
            file.close_span(seq)
            seq += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert all(handled)
        file.close()
        print(seq, len(handled))
    """
    count, handled = map(int, run(script, path).split())
    assert numbers(path) == list(range(count))
    assert sorted(numbers(path, "handler")) == list(range(handled))


def test_write_inside_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that runs inside os.write, as a finalizer may, and writes a span itself is served at once."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    write = os.write
    inner: list[bool] = []

    def nested(fd: int, data: bytes) -> int:
        if not inner:
            inner.append(True)
            file.open_span(5, line(5))
            inner.append(file.write(line(1)))
            file.close()
        return write(fd, data)

    monkeypatch.setattr(os, "write", nested)
    file.open_span(4, line(4))
    assert file.write(line(0))
    assert inner == [True, True]
    assert sorted(numbers(path)) == [0, 1]
    assert {one.span.seq for one in read_open_spans(path)} <= {4, 5}
    file.close()


def test_keyboard_interrupt_leaves_the_file_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that a signal handler raises in the middle of a write goes through, and the next write lands."""
    file = SpanFile(tmp_path / "trace.jsonl")
    write = os.write

    def interrupted(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        signal.raise_signal(signal.SIGINT)
        return write(fd, data)

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.write(line(0))
    assert file.write(line(1))
    assert 1 in numbers(tmp_path / "trace.jsonl")


def test_finalizer_during_a_collection(tmp_path: Path) -> None:
    """Garbage whose finalizer records a span may be collected at any allocation."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)

    class Loud:
        def __init__(self, seq: int) -> None:
            self.seq, self.me = seq, self

        def __del__(self) -> None:
            file.write(line(self.seq, writer="garbage"))

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for seq in range(200):
            Loud(seq)
            file.open_span(seq, line(seq))
            assert file.write(line(seq))
            file.close_span(seq)
        gc.collect()
    finally:
        gc.set_threshold(*threshold)
    assert numbers(path) == list(range(200))
    assert sorted(numbers(path, "garbage")) == list(range(200))


def test_clock_that_stands_or_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation under a clock that stands still, or jumps back, overwrites no file."""

    class Clock(datetime.datetime):
        moments = iter([*[100] * 20, *range(100, 0, -1)])

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Clock":
            return cls.fromtimestamp(next(cls.moments), tz)

    monkeypatch.setattr("flightlog.rotation.datetime", Clock)
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path, max_bytes=400)
    for seq in range(100):
        assert file.write(line(seq))
    assert sorted(numbers(path)) == list(range(100))
