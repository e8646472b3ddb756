"""What tells the viewer that a file has grown."""

from pathlib import Path

from flightlog_viewer.tui.following import Follower


def test_what_comes_while_a_file_is_read_is_not_lost(tmp_path: Path) -> None:
    """Only what was there before the reading is known afterwards; a file that is new is looked at once more."""
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"1")
    follower = Follower()
    follower.watch([file])
    assert not follower.grown()
    file.write_bytes(b"12")
    assert follower.grown()
    follower.busy = True
    file.write_bytes(b"123")
    assert not follower.grown()
    follower.busy = False
    follower.read([file, other])
    assert follower.grown()
    follower.read([file, other])
    assert not follower.grown()
