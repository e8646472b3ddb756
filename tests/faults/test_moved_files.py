"""logrotate, a cleaning job and a careless hand, while spans are being written."""

import errno
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flightlog import read_open_spans
from flightlog.writing.span_file import SpanFile
from tests.faults.lines import broken, line, numbers


def write_while(path: Path, disturb: Callable[[], None], *, count: int, writers: int = 2) -> list[SpanFile]:
    """Write ``count`` lines from each of some threads with files of their own while ``disturb`` is called again."""
    files = [SpanFile(path) for _ in range(writers)]
    done = threading.Event()

    def write(n: int) -> None:
        for seq in range(count):
            assert files[n].write(line(seq, writer=f"w{n}", size=200))

    def disturb_again() -> None:
        while not done.is_set():
            disturb()
            time.sleep(0.001)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    hand = threading.Thread(target=disturb_again)
    for thread in (*threads, hand):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    hand.join()
    assert sum(file.stats()["lost"] for file in files) == 0
    return files


def check_rename(path: Path, *, count: int) -> None:
    names = itertools.count()

    def rename() -> None:
        if path.exists():
            path.rename(path.with_name(f"old-{next(names)}.jsonl"))

    write_while(path, rename, count=count)
    files = [*path.parent.glob("old-*.jsonl"), *([path] if path.exists() else [])]
    assert len(files) > 1
    for n in range(2):
        assert sorted(seq for file in files for seq in numbers(file, f"w{n}")) == list(range(count))
    assert [text for file in files for text in broken(file)] == []


def test_logrotate_by_rename_loses_nothing(tmp_path: Path) -> None:
    """The file is renamed again and again under two writers, and every line is in one of the files, once."""
    check_rename(tmp_path / "trace.jsonl", count=2000)


@pytest.mark.soak
def test_logrotate_by_rename_loses_nothing_for_long(tmp_path: Path) -> None:
    """Hundreds of thousands of lines through thousands of renames."""
    check_rename(tmp_path / "trace.jsonl", count=100_000)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_deletion_stops_nothing(tmp_path: Path, what: str) -> None:
    """The file or its folder is deleted again and again: no write fails, and the last line is there."""
    path = tmp_path / "logs" / "trace.jsonl"

    def delete() -> None:
        if what == "file":
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path.parent, ignore_errors=True)

    for file in write_while(path, delete, count=500):
        assert file.write(line(999))
    assert 999 in numbers(path)


def test_deletion_between_look_and_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file deleted after our look and before our write does not take the line with it."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    write = os.write

    def delete_first(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        path.unlink()
        return write(fd, data)

    monkeypatch.setattr(os, "write", delete_first)
    assert file.write(line(1))
    assert numbers(path) == [1]
    assert file.stats()["repeated"] == 1


def test_copytruncate_leaves_whole_lines(tmp_path: Path) -> None:
    """A file truncated from outside loses what was in it, and every line after is whole."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    for seq in range(10):
        file.write(line(seq))
    with path.open("r+b") as other:
        other.truncate(0)
    for seq in range(10, 20):
        assert file.write(line(seq))
    assert numbers(path) == list(range(10, 20))
    assert broken(path) == []


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file can be locked, rotation and the sidecar work all the same."""
    import fcntl

    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path, max_bytes=600)
    for seq in range(20):
        file.open_span(seq, line(seq))
        assert file.write(line(seq))
    assert numbers(path) == list(range(20))
    assert file.stats()["rotations"] > 3
    assert file.stats()["in_flight_lost"] == 0
    assert [one.state for one in read_open_spans(path, ())] == ["unfinished"] * 20
    file.close()
