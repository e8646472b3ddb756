"""One line at a time to one path, whatever others do to the file: what the appender does by itself."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from flightlog.writing.appender import Appender

Make = Callable[..., Appender]


@pytest.fixture
def appender(tmp_path: Path) -> Make:
    def make(name: str = "trace.jsonl", **options: object) -> Appender:
        settings = {"fsync": False, "max_bytes": None, "max_total_bytes": None, **options}
        return Appender(str(tmp_path / name), **settings)  # type: ignore[arg-type]

    return make


def descriptors() -> int:
    count: int = psutil.Process().num_fds()
    return count


def test_a_line_behind_a_torn_one_goes_out_again(appender: Make, tmp_path: Path) -> None:
    """Behind what a dying neighbour left a line counts once it has a newline before it."""
    path = tmp_path / "trace.jsonl"
    ours = appender()
    assert ours.append(b"1\n")
    with path.open("ab", buffering=0) as neighbour:
        neighbour.write(b"torn")
        assert not ours.append(b"2\n")
        neighbour.write(b"torn")
        assert ours.append(b"\n3\n")
        neighbour.write(b"whole\n")
        assert ours.append(b"4\n")
    ours.close()
    assert path.read_bytes() == b"1\ntorn2\ntorn\n3\nwhole\n4\n"


def test_a_file_emptied_from_outside(appender: Make, tmp_path: Path) -> None:
    """A logrotate that copies and truncates costs no line that came after."""
    ours = appender()
    assert ours.append(b"1\n")
    os.truncate(tmp_path / "trace.jsonl", 0)
    assert ours.append(b"2\n")
    ours.close()
    assert (tmp_path / "trace.jsonl").read_bytes() == b"2\n"


def test_a_file_is_filled_to_its_bound(appender: Make, tmp_path: Path) -> None:
    """The line that fits exactly goes in, and the next one into a new file."""
    ours = appender(max_bytes=6)
    for line in (b"1\n", b"2\n", b"3\n", b"4\n"):
        assert ours.append(line)
    ours.close()
    assert ours.rotations == 1
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"1\n2\n3\n", b"4\n"]


def test_a_pipe_at_the_path_costs_no_descriptors(appender: Make, tmp_path: Path) -> None:
    """Each line is refused, and what was opened for it is closed again."""
    os.mkfifo(tmp_path / "trace.jsonl")
    with open(os.open(tmp_path / "trace.jsonl", os.O_RDWR | os.O_NONBLOCK), "rb"):
        ours, before = appender(), descriptors()
        for _ in range(5):
            with pytest.raises(OSError, match="not a regular file"):
                ours.append(b"1\n")
        assert descriptors() == before


def test_new_files_that_are_synced_cost_no_descriptors(appender: Make) -> None:
    """However often a file is rotated, no more is open than at first."""
    ours = appender(fsync=True, max_bytes=2)
    assert ours.append(b"0\n")
    before = descriptors()
    for n in range(1, 6):
        assert ours.append(b"%d\n" % n)
    assert (ours.rotations, descriptors()) == (5, before)
    ours.close()
