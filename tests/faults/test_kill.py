"""kill -9: what was acknowledged is in the file, and nobody else's line is harmed."""

import mmap
import os
import random
import signal
import time
from pathlib import Path

import pytest

from flightlog import read_open_spans
from flightlog.writing.span_file import SpanFile
from tests.faults.children import finish, run, start
from tests.faults.lines import broken, line, numbers, numbers_by_writer

pytestmark = pytest.mark.uncounted

WRITER = """
    import mmap, sys
    from flightlog.writing.span_file import SpanFile
    from tests.faults.lines import line
    path, writer, shared, size = sys.argv[1:]
    with open(shared, "r+b") as f:
        acknowledged = mmap.mmap(f.fileno(), 8)
    file = SpanFile(path)
    seq = 0
    while True:
        if file.write(line(seq, writer=writer, size=int(size))):
            acknowledged[:8] = (seq + 1).to_bytes(8, "little")
        seq += 1
"""
NEIGHBOUR = """
    import sys, time
    from flightlog.writing.span_file import SpanFile
    from tests.faults.lines import line
    path, seconds = sys.argv[1:]
    file, seq, until = SpanFile(path), 0, time.monotonic() + float(seconds)
    while time.monotonic() < until:
        assert file.write(line(seq, writer="neighbour", size=50))
        seq += 1
        time.sleep(0.0005)
    file.close()
    print(seq)
"""


def kill_once(path: Path, writer: str, *, size: int, seconds: float) -> int:
    """Let a writer run, kill it in the middle, and say how many of its lines were acknowledged."""
    shared = path.with_name(f"{writer}.count")
    shared.write_bytes(bytes(8))
    with shared.open("r+b") as file:
        acknowledged = mmap.mmap(file.fileno(), 8)
    child = start(WRITER, path, writer, shared, size)
    try:
        until = time.monotonic() + 30
        while not any(acknowledged[:8]) and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(seconds)
    finally:
        child.kill()
        child.communicate()
    return int.from_bytes(acknowledged[:8], "little")


def kill_in_a_loop(path: Path, *, kills: int, size: int) -> int:
    """Kill writers one after another beside a live neighbour; how many torn lines that left."""
    chance = random.Random(kills)
    neighbour = start(NEIGHBOUR, path, kills * 0.12)
    promised = {
        writer: kill_once(path, writer, size=size, seconds=chance.uniform(0, 0.01))
        for writer in (f"w{n}" for n in range(kills))
    }
    count = int(finish(neighbour, seconds=600))
    by_writer = numbers_by_writer(path)
    assert by_writer["neighbour"] == list(range(count))
    for writer, acknowledged in promised.items():
        assert acknowledged > 0
        found = by_writer[writer]
        assert found[:acknowledged] == list(range(acknowledged))
        assert len(found) <= acknowledged + 1
    torn = broken(path)
    assert len(torn) <= kills
    return len(torn)


def test_acknowledged_lines_survive_kill(tmp_path: Path) -> None:
    """A few writers of large lines are killed beside a live neighbour: no acknowledged line is missing."""
    kill_in_a_loop(tmp_path / "trace.jsonl", kills=6, size=200_000)


@pytest.mark.soak
def test_acknowledged_lines_survive_many_kills(tmp_path: Path) -> None:
    """Two hundred kills leave torn lines, and no acknowledged line is missing."""
    assert kill_in_a_loop(tmp_path / "trace.jsonl", kills=200, size=200_000) > 0


def test_neighbour_killed_in_the_middle_of_its_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torn tail that appears between our look at the file and our write costs us nothing."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    write = os.write

    def tear_first(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        with path.open("ab") as neighbour:
            neighbour.write(line(9, writer="dead")[:50])
        return write(fd, data)

    monkeypatch.setattr(os, "write", tear_first)
    assert file.write(line(1))
    assert file.write(line(2))
    assert numbers(path) == [0, 1, 2]
    assert len(broken(path)) == 1
    assert file.stats()["repeated"] == 1


def test_neighbour_killed_before_its_write(tmp_path: Path) -> None:
    """A writer that finds a torn tail and is killed right before its write leaves the tail for the next one."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(line(0) + b"\n" + line(1)[:30])
    child = start(
        """
        import os, signal, sys
        from flightlog.writing.span_file import SpanFile
        os.write = lambda fd, data: os.kill(os.getpid(), signal.SIGKILL)
        SpanFile(sys.argv[1]).write(b"{}")
        """,
        path,
    )
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    SpanFile(path).write(line(2))
    assert numbers(path) == [0, 2]


def test_stopped_neighbour_blocks_nobody(tmp_path: Path) -> None:
    """A writer that is stopped in the middle of its work keeps no other from writing."""
    path = tmp_path / "trace.jsonl"
    shared = tmp_path / "count"
    shared.write_bytes(bytes(8))
    child = start(WRITER, path, "stopped", shared, 100)
    try:
        while not path.exists():
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGSTOP)
        file = SpanFile(path, max_bytes=path.stat().st_size + 2000)
        for seq in range(100):
            assert file.write(line(seq))
    finally:
        child.kill()
        child.communicate()
    assert numbers(path) == list(range(100))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_death_by_signal_leaves_what_was_in_flight(tmp_path: Path, how: signal.Signals) -> None:
    """A process that dies by a signal leaves its finished spans in the file and the others as unfinished."""
    path = tmp_path / "trace.jsonl"
    child = start(
        """
        import sys, time
        from flightlog.writing.span_file import SpanFile
        from tests.faults.lines import line
        file = SpanFile(sys.argv[1])
        for seq in range(3):
            file.open_span(seq, line(seq))
        file.write(line(1))
        file.close_span(1)
        print("ready", flush=True)
        time.sleep(60)
        """,
        path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert {one.state for one in read_open_spans(path)} == {"running"}
    os.kill(child.pid, how)
    child.communicate()
    finished = {("w", seq) for seq in numbers(path)}
    left = read_open_spans(path, finished)
    assert [(one.span.seq, one.state) for one in left] == [(0, "unfinished"), (2, "unfinished")]


def test_handled_sigterm_is_a_clean_exit(tmp_path: Path) -> None:
    """A handler that raises SystemExit, in the middle of a write too, leaves whole lines and no sidecar."""
    path = tmp_path / "trace.jsonl"
    script = """
        import os, signal, sys, threading, time
        from flightlog.writing.span_file import SpanFile
        from tests.faults.lines import line
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        file, seq = SpanFile(sys.argv[1]), 0
        while True:
            file.open_span(seq, line(seq))
            file.write(line(seq, size=10_000))
            file.close_span(seq)
            seq += 1
    """
    run(script, path)
    assert broken(path) == []
    assert numbers(path) == list(range(len(numbers(path))))
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]
