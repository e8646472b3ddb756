"""Lines of any number of writers never interleave."""

from pathlib import Path

import pytest

from tests.faults.children import finish, start
from tests.faults.lines import broken, numbers

WRITER = """
    import sys
    from flightlog.writing.span_file import SpanFile
    from tests.faults.lines import line
    path, writer, count, size, max_bytes = sys.argv[1:]
    file = SpanFile(path, max_bytes=int(max_bytes) or None)
    for seq in range(int(count)):
        assert file.write(line(seq, writer=writer, size=(seq * 7919) % int(size)))
    assert file.stats()["lost"] == 0
    file.close()
"""


def check(path: Path, *, processes: int, count: int, size: int, max_bytes: int = 0) -> None:
    children = [start(WRITER, path, f"w{n}", count, size, max_bytes) for n in range(processes)]
    for child in children:
        finish(child, seconds=600)
    assert broken(path) == []
    for n in range(processes):
        assert numbers(path, f"w{n}") == list(range(count))
    assert [one.name for one in path.parent.iterdir() if one.name.endswith(".open")] == []


def test_eight_processes_a_thousand_lines_each(tmp_path: Path) -> None:
    """Eight processes write 1,000 lines each to one path: every line is whole, and every writer's are in order."""
    check(tmp_path / "trace.jsonl", processes=8, count=1000, size=3000)


def test_processes_that_rotate_the_same_file(tmp_path: Path) -> None:
    """Four processes that rotate the file under each other lose and repeat nothing."""
    check(tmp_path / "trace.jsonl", processes=4, count=500, size=3000, max_bytes=200_000)
    assert len(list(tmp_path.iterdir())) > 5


@pytest.mark.soak
def test_eight_processes_with_large_lines(tmp_path: Path) -> None:
    """Lines of up to 2 MB stay whole."""
    check(tmp_path / "trace.jsonl", processes=8, count=150, size=2_000_000)


@pytest.mark.soak
def test_many_rotations(tmp_path: Path) -> None:
    """Thousands of rotations by eight processes lose nothing."""
    check(tmp_path / "trace.jsonl", processes=8, count=5000, size=3000, max_bytes=30_000)
