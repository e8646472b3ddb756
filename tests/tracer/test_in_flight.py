import contextlib
import errno
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog.file_lock import try_lock
from flightlog.sidecars import read_open_spans, read_sidecar, sidecars
from flightlog.writing.in_flight import InFlight
from flightlog.writing.span_file import SpanFile


def start(seq: int, writer_id: str, *, size: int = 0) -> bytes:
    record = {
        "v": 1,
        "type": "tool",
        "name": f"tool {seq}",
        "run_id": f"r{seq}",
        "trace_id": "t",
        "writer_id": writer_id,
        "seq": seq,
        "start_time": "2026-11-20T10:00:00.000001Z",
        "inputs": "x" * size,
    }
    return orjson.dumps(record)


def open_seqs(path: Path) -> list[int | None]:
    return [one.span.seq for one in read_open_spans(path)]


def finished(seq: int, writer_id: str) -> bytes:
    return orjson.dumps({**orjson.loads(start(seq, writer_id)), "status": "ok", "duration_ms": 1})


def test_starts_are_listed_until_they_end(tmp_path: Path) -> None:
    """A start is on disk at once, and in flight until the span is in the file."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    for seq in range(3):
        file.open_span(seq, start(seq, file.writer_id))
    assert open_seqs(path) == [0, 1, 2]
    file.write(finished(1, file.writer_id))
    file.close_span(1)
    file.open_span(3, start(3, file.writer_id))
    found = read_open_spans(path)
    assert [one.span.seq for one in found] == [0, 2, 3]
    assert {one.state for one in found} == {"running"}
    assert found[0].span.status is None
    assert found[0].span.duration_ms is None
    assert [one.span.seq for one in read_open_spans(path, {(file.writer_id, 0), (file.writer_id, 1)})] == [2, 3]
    assert file.stats()["in_flight"] == 3
    file.close()
    assert sidecars(path) == []


@pytest.mark.parametrize("size", [0, 40_000])
def test_end_of_a_span_that_is_not_in_the_file(tmp_path: Path, size: int) -> None:
    """A span that ended and was lost or left out is not shown as in flight, from its end on."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    for seq in range(4):
        file.open_span(seq, start(seq, file.writer_id, size=size))
    file.close_span(1, in_file=False)
    assert open_seqs(path) == [0, 2, 3]
    file.close_span(3, in_file=False)
    assert open_seqs(path) == [0, 2]


def test_end_of_a_span_below_one_that_goes_on(tmp_path: Path) -> None:
    """A span that ends before one that started later is not in flight, whether a reader has its record or not."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    for seq in range(4):
        file.open_span(seq, start(seq, file.writer_id))
    file.write(finished(1, file.writer_id))
    file.close_span(1)
    assert [one.span.seq for one in read_open_spans(path, ())] == [0, 2, 3]
    file.close_span(2, in_file=False)
    file.close_span(3)
    file.open_span(4, start(4, file.writer_id))
    assert [one.span.seq for one in read_open_spans(path, ())] == [0, 4]


def test_gaps_are_closed(tmp_path: Path) -> None:
    """Spans that overlap without end, each started before the last one ended, do not make the sidecar grow forever."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    largest = 0
    for seq in range(3_000):
        file.open_span(seq, start(seq, file.writer_id, size=500))
        if seq >= 5:
            file.close_span(seq - 5)
        if seq % 50 == 0:
            largest = max(largest, sidecars(path)[0].stat().st_size)
    assert largest < 300_000
    assert open_seqs(path) == [*range(2_995, 3_000)]


def test_what_is_behind_the_end_of_a_sidecar_is_of_no_meaning(tmp_path: Path) -> None:
    """Readers stop at the NUL; a start cut off by a kill is passed over."""
    old = start(1, "x") + b"\n" + start(2, "x") + b"\n\0"
    sidecar = tmp_path / "trace.jsonl.x.open"
    sidecar.write_bytes(start(7, "x") + b"\n\0" + old)
    assert open_seqs(tmp_path / "trace.jsonl") == [7]
    sidecar.write_bytes(b"\0" + old)
    assert open_seqs(tmp_path / "trace.jsonl") == []
    sidecar.write_bytes(start(7, "x") + b"\n" + start(8, "x")[:20] + start(1, "x")[30:] + b"\n\0")
    assert open_seqs(tmp_path / "trace.jsonl") == [7]


def test_sidecar_cut_from_outside_is_written_anew(tmp_path: Path) -> None:
    """A sidecar that somebody emptied has the next start within a few milliseconds, and nothing false."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.open_span(1, start(1, file.writer_id))
    sidecars(path)[0].write_bytes(b"")
    time.sleep(0.01)
    file.open_span(2, start(2, file.writer_id))
    assert open_seqs(path) == [2]
    assert file.stats()["in_flight_lost"] == 1


def test_sidecar_is_private_and_named_after_its_writer(tmp_path: Path) -> None:
    """The sidecar is `<path>.<writer id>.open`, 0600."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.open_span(1, start(1, file.writer_id))
    assert [one.name for one in sidecars(path)] == [f"trace.jsonl.{file.writer_id}.open"]
    assert path.stat().st_size == 0, "readers look beside a span file"
    assert sidecars(path)[0].stat().st_mode & 0o777 == 0o600


def test_dead_writer_leaves_unfinished_spans(tmp_path: Path) -> None:
    """A writer that was killed holds no lock, so what it had in flight reads as unfinished."""
    path = tmp_path / "trace.jsonl"
    script = (
        "import os, sys; from flightlog.writing.span_file import SpanFile\n"
        "f = SpanFile(sys.argv[1]); f.open_span(7, sys.argv[2].encode()); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, path, start(7, "dead").decode()], check=False)
    (found,) = read_open_spans(path)
    assert (found.state, found.span.name) == ("unfinished", "tool 7")


def test_sidecar_stays_small(tmp_path: Path) -> None:
    """Ten thousand starts and ends below one long span keep the sidecar at the size of two, and the long one in it."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.open_span(0, start(0, file.writer_id, size=3000))
    largest = 0
    for seq in range(1, 10_000):
        file.open_span(seq, start(seq, file.writer_id, size=500))
        file.write(finished(seq, file.writer_id))
        file.close_span(seq)
        if seq % 50 == 0:
            largest = max(largest, sidecars(path)[0].stat().st_size)
    assert largest < 5_000
    file.open_span(10_000, start(10_000, file.writer_id))
    assert open_seqs(path) == [0, 10_000]


def test_sidecar_empties_when_nothing_is_in_flight(tmp_path: Path) -> None:
    """A long-lived writer between runs holds no old starts once the sidecar has grown."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    for seq in range(600):
        file.open_span(seq, start(seq, file.writer_id, size=1000))
    for seq in range(600):
        file.close_span(seq)
    assert sidecars(path)[0].stat().st_size == 0
    file.open_span(601, start(601, file.writer_id))
    assert open_seqs(path) == [601]


def test_sidecar_comes_back_after_its_folder_is_removed(tmp_path: Path) -> None:
    """When the folder is removed from outside, what is in flight is on disk again with the next span."""
    path = tmp_path / "logs" / "trace.jsonl"
    file = SpanFile(path)
    file.open_span(1, start(1, file.writer_id))
    file.write(b"{}")
    for one in path.parent.iterdir():
        one.unlink()
    path.parent.rmdir()
    file.write(b"{}")
    assert open_seqs(path) == [1]


def test_dropped_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    """A file object that is garbage collected without close() removes its sidecar and closes its descriptors."""
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    file = SpanFile(tmp_path / "trace.jsonl")
    file.open_span(1, start(1, "w"))
    file.write(b"{}")
    del file
    gc.collect()
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]
    assert len(os.listdir("/dev/fd")) == before


def test_hostile_sidecar_is_passed_over(tmp_path: Path) -> None:
    """What cannot be read of a sidecar is passed over and said to whoever asks, but for what is still being written."""

    def flaws(sidecar: Path) -> list[str]:
        reasons: list[str] = []
        read_sidecar(sidecar, reasons.append)
        return reasons

    broken, pipe, link = (tmp_path / f"trace.jsonl.{name}.open" for name in "xyz")
    broken.write_bytes(b'\xff\n[1]\n{"ended":[{}, 1, null]}\n{"ended":3}\n' + start(4, "x") + b'\n{"v":1,')
    os.mkfifo(pipe)
    link.symlink_to(broken)
    assert open_seqs(tmp_path / "trace.jsonl") == [4]
    assert flaws(broken) == ["a start in it cannot be read"] * 5
    assert flaws(pipe) == ["it is not a regular file"]
    assert flaws(link) == [os.strerror(errno.ELOOP)]
    assert flaws(tmp_path / "gone.open") == []
    with broken.open("rb") as living:
        assert try_lock(living.fileno())
        assert flaws(broken) == []


@pytest.mark.parametrize("deaths", [40, 100])
def test_crash_loop_leaves_the_latest_sidecars(deaths: int, tmp_path: Path) -> None:
    """Of many dead writers the latest 64 sidecars stay; a living writer's stays however old."""
    path = tmp_path / "trace.jsonl"
    living = SpanFile(path)
    living.open_span(1, start(1, living.writer_id))
    os.utime(sidecars(path)[0], (0, 0))
    leftover = tmp_path / f"trace.jsonl.{0:016x}.open.new"
    leftover.touch()
    os.utime(leftover, (0, 0))
    in_use = tmp_path / f"trace.jsonl.{1:016x}.open.new"
    in_use.touch()
    for n in range(deaths):
        dead = tmp_path / f"trace.jsonl.{n:016x}.open"
        dead.write_bytes(start(n, "dead") + b"\n")
        os.utime(dead, (n, n))
    file = SpanFile(path)
    file.open_span(1, start(1, file.writer_id))
    names = {one.name.split(".")[2] for one in sidecars(path)}
    assert names == {living.writer_id, file.writer_id, *(f"{n:016x}" for n in range(max(0, deaths - 64), deaths))}
    assert (leftover.exists(), in_use.exists()) == (False, True)


def test_sidecar_comes_back_after_its_descriptor_is_closed(tmp_path: Path) -> None:
    """When the application closes our descriptors, what is in flight is there again, locked, with the next span."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(b"{}")
    file.open_span(1, start(1, file.writer_id))
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):
            if str(tmp_path) in os.readlink(f"/proc/self/fd/{name}"):
                os.close(int(name))
    file.write(b"{}")
    file.open_span(2, start(2, file.writer_id))
    assert [(one.span.seq, one.state) for one in read_open_spans(path)] == [(1, "running"), (2, "running")]


def test_sidecar_in_which_everything_ended_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    """A server that ends itself by a signal between two runs leaves a sidecar that says so, until the next start."""
    path = tmp_path / "trace.jsonl"
    script = (
        "import os, sys; from flightlog.writing.span_file import SpanFile\n"
        "f = SpanFile(sys.argv[1]); f.open_span(7, sys.argv[2].encode()); f.close_span(7); os.kill(os.getpid(), 15)"
    )
    subprocess.run([sys.executable, "-c", script, path, start(7, "dead").decode()], check=False)
    (left,) = sidecars(path)
    assert read_open_spans(path) == []
    file = SpanFile(path)
    file.open_span(1, start(1, file.writer_id))
    assert left not in sidecars(path)
    assert open_seqs(path) == [1]


def test_a_start_goes_into_no_file_of_the_application(tmp_path: Path) -> None:
    """An application that closes every descriptor and opens files of its own finds nothing of ours in them."""
    program = (
        "import os\n"
        "from flightlog.writing.span_file import SpanFile\n"
        "file = SpanFile('trace.jsonl')\n"
        "file.open_span(0, b'{\"a\": 0}')\n"
        "file.write(b'{}')\n"
        "os.closerange(3, 100)\n"
        "theirs = [os.open(f'theirs-{n}', os.O_RDWR | os.O_CREAT) for n in range(8)]\n"
        "file.open_span(1, b'{\"a\": 1}')\n"
        "assert file.write(b'{}')\n"
        "assert file.stats()['in_flight_lost'] == 0\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.stat().st_size for path in sorted(tmp_path.glob("theirs-*"))] == [0] * 8
    assert (tmp_path / "trace.jsonl").read_bytes() == b"{}\n" * 2
    (sidecar,) = tmp_path.glob("trace.jsonl.*.open")
    assert b'"a": 1' in sidecar.read_bytes()


def test_a_sidecar_that_cannot_be_put_in_its_place(tmp_path: Path) -> None:
    """The start counts as lost, and neither a file nor a descriptor is left behind."""
    path = tmp_path / "trace.jsonl"
    sidecar = InFlight(str(path), "w")
    Path(sidecar.path).mkdir()
    before = os.listdir("/dev/fd")
    for seq in range(3):
        sidecar.open(seq, start(seq, "w"))
    assert (sidecar.lost, sidecar.count) == (3, 0)
    assert os.listdir("/dev/fd") == before
    assert [one.name for one in tmp_path.iterdir()] == [Path(sidecar.path).name]


class Interrupting(bytes):
    """A start during whose writing a signal handler starts another span."""

    meanwhile: Callable[[], None]

    def endswith(self, *arguments: Any) -> bool:
        self.meanwhile()
        return super().endswith(*arguments)


def test_a_start_in_the_middle_of_a_start(tmp_path: Path) -> None:
    """What a signal handler starts while a start is being written is on disk too."""
    path = tmp_path / "trace.jsonl"
    sidecar = InFlight(str(path), "w")
    line = Interrupting(start(1, "w"))

    def meanwhile() -> None:
        for seq in (2, 3):
            sidecar.open(seq, start(seq, "w"))

    line.meanwhile = meanwhile
    sidecar.open(1, line)
    assert sorted(seq or 0 for seq in open_seqs(path)) == [1, 2, 3]
    sidecar.finish()
