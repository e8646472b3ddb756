"""A folder tells whether a file in it may have been renamed or deleted."""

import itertools
import os
import time
from pathlib import Path

import pytest

from flightlog.writing.folder import _SETTLED_FINE_NS, Folder


def settled(path: Path, age_ns: int = 60_000_000_000, fraction_ns: int = 123_456_789) -> Folder:
    """A folder that was looked at, its last change so long ago."""
    changed = (os.stat(path).st_mtime_ns - age_ns) // 1_000_000_000 * 1_000_000_000 + fraction_ns
    os.utime(path, ns=(changed, changed))
    folder = Folder(str(path))
    folder.trust(folder.mark())
    return folder


@pytest.mark.parametrize("what", ["made", "renamed", "deleted"])
def test_every_change_shows(tmp_path: Path, what: str) -> None:
    """A file that is made, renamed or deleted changes its folder; one that is written to does not."""
    file = tmp_path / "file"
    file.touch()
    folder = settled(tmp_path)
    assert folder.is_unchanged(time.monotonic_ns())
    file.write_bytes(b"more")
    assert folder.is_unchanged(time.monotonic_ns())
    if what == "made":
        (tmp_path / "other").touch()
    elif what == "renamed":
        file.rename(tmp_path / "renamed")
    else:
        file.unlink()
    assert not folder.is_unchanged(time.monotonic_ns())


def test_a_change_of_this_moment_is_not_trusted(tmp_path: Path) -> None:
    """Another change within the same tick of the clock would have the same time."""
    folder = Folder(str(tmp_path))
    for attempt in itertools.count():
        began = time.monotonic_ns()
        (tmp_path / f"new{attempt}").touch()
        folder.trust(folder.mark())
        if time.monotonic_ns() - began < _SETTLED_FINE_NS // 5:  # a busy machine may let the moment go by
            break
    assert not folder.is_unchanged(time.monotonic_ns())


def test_whole_seconds_need_more_time(tmp_path: Path) -> None:
    """Where times are whole seconds, a change of the last second is not trusted."""
    assert not settled(tmp_path, age_ns=1_000_000_000, fraction_ns=0).is_unchanged(time.monotonic_ns())
    assert settled(tmp_path, age_ns=60_000_000_000, fraction_ns=0).is_unchanged(time.monotonic_ns())


def test_a_folder_without_a_descriptor_is_never_trusted(tmp_path: Path) -> None:
    """A folder that cannot be opened, and a descriptor that the application closed or took, mean looking each time."""
    folder = Folder(str(tmp_path / "missing"))
    folder.trust(folder.mark())
    assert not folder.is_unchanged(time.monotonic_ns())
    folder = settled(tmp_path)
    os.close(folder._fd)
    assert not folder.is_unchanged(time.monotonic_ns())
    theirs = os.open(os.devnull, os.O_RDONLY)
    os.dup2(theirs, folder._fd)
    folder.close()
    assert os.fstat(theirs)
    os.close(theirs)
