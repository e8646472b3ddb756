"""Every system call of the write path fails once, and then for good: nothing is raised, nothing is lost unseen."""

import errno
from contextlib import suppress
from pathlib import Path

import pytest

from flightlog.writing.span_file import SpanFile
from tests.faults.breaker import REAL, Breaker, failing
from tests.faults.lines import line, losses, numbers

LINES = 12


def scenario(path: Path) -> tuple[list[int], SpanFile]:
    """Rotations, an outside rename and a sidecar: every kind of call is in it."""
    file = SpanFile(path, max_bytes=900, fsync=True)
    written = []
    for seq in range(LINES):
        file.open_span(seq, line(seq))
        if file.write(line(seq)):
            written.append(seq)
        file.close_span(seq)
        if seq == LINES // 2:
            with suppress(FileNotFoundError):
                REAL["rename"](path, path.with_name("moved.jsonl"))
    return written, file


def check(folder: Path, *, first: int, last: int, code: int) -> bool:
    """Run the scenario with those calls failing; whether all of them were reached."""
    folder.mkdir()
    path = folder / "logs" / "trace.jsonl"
    breaker = Breaker(first, last, code)
    with failing(breaker):
        written, file = scenario(path)
    assert file.write(line(LINES))
    moved = path.with_name("moved.jsonl")
    found = sorted([*numbers(path), *(numbers(moved) if moved.exists() else [])])
    assert set(written) <= set(found)
    assert file.stats()["lost"] == LINES - len(written)
    assert last > first or len(written) == LINES, "one failing call is survived by trying again"
    assert losses(path) + (losses(moved) if moved.exists() else 0) == LINES - len(written)
    file.close()
    assert list(path.parent.glob("*.open")) == []
    return breaker.calls >= first


@pytest.mark.slow
def test_one_failing_call(tmp_path: Path) -> None:
    """The n-th call fails, for n = 1 until a run is clean: no line is lost without being counted."""
    n = 1
    while check(tmp_path / str(n), first=n, last=n, code=errno.EIO):
        n += 1
    assert n > 50


def test_calls_that_go_on_failing(tmp_path: Path) -> None:
    """From the n-th call on 25 calls fail: what is lost is counted and written down afterwards."""
    n = 1
    while check(tmp_path / str(n), first=n, last=n + 24, code=errno.EIO):
        n += 5


@pytest.mark.soak
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 40, 1000])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.ENOENT])
def test_every_stretch_of_failing_calls(tmp_path: Path, code: int, length: int) -> None:
    """Stretches of failures of every length begin at every call."""
    n = 1
    while check(tmp_path / str(n), first=n, last=n + length - 1, code=code):
        n += 1
