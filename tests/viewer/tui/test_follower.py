"""What tells the viewer that a file has grown."""

from pathlib import Path

import pytest

from flightlog_viewer.tui.following import Follower


def test_what_comes_while_a_file_is_read_is_not_lost(tmp_path: Path) -> None:
    """Only what was there before the reading is known afterwards; a file that is new is looked at once more."""
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"1")
    follower = Follower(used=lambda: 0.0)
    follower.watch([file])
    assert not follower.grown()
    file.write_bytes(b"12")
    assert follower.grown()
    follower.begin()
    file.write_bytes(b"123")
    assert not follower.grown()
    follower.end()
    follower.read([file, other])
    assert follower.grown()
    follower.read([file, other])
    assert not follower.grown()


@pytest.mark.parametrize(("used_s", "rest_s"), [(0.2, 0.8), (60.0, 3.0)])
def test_a_file_that_grows_without_end_is_read_in_a_quarter_of_the_time(
    tmp_path: Path, used_s: float, rest_s: float
) -> None:
    """After a reading the next one waits four times what was used since it began, three seconds at most."""
    file = tmp_path / "a"
    now = [100.0, 7.0]
    follower = Follower(lambda: now[0], lambda: now[1])
    follower.watch([file])
    for size in (1, 2):
        file.write_bytes(b"1" * size)
        assert follower.grown()
        follower.begin()
        now[1] += used_s
        follower.end()
        follower.read([file])
        file.write_bytes(b"1" * (size + 2))
        now[0] += rest_s - 0.01
        assert not follower.grown()
        assert not any(follower.overdue() for _ in range(20))
        now[0] += 0.02


def test_nobody_is_asked_for_twice_at_a_time(tmp_path: Path) -> None:
    """What has been quiet for long is looked at once, however long that look takes."""
    follower = Follower(used=lambda: 0.0)
    follower.watch([tmp_path / "a"])
    while not follower.overdue():
        pass
    follower.begin()
    assert not follower.overdue()
    follower.end()
    follower.read([tmp_path / "a"])
    assert not follower.overdue()
