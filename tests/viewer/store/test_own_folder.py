"""Folders of one process, and what a kill leaves of them."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.files import own_folder
from flightlog_viewer.store.files.cache import Cache
from flightlog_viewer.store.files.own_folder import OwnFolder, sweep, temporary_folder, temporary_parent
from tests.viewer.store.records import span, write

OWNER = """
import os, signal, sys
from pathlib import Path
from flightlog_viewer.store.files.own_folder import OwnFolder
folder = OwnFolder(Path(sys.argv[1]))
(folder.path / "large").mkdir()
(folder.path / "large" / "1.jsonl").write_bytes(b"x" * 1000)
print(folder.path, flush=True)
sys.stdin.read(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(parent: Path) -> Path:
    """What a process leaves in ``parent`` that is killed while it works."""
    command = [sys.executable, "-c", OWNER, str(parent)]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    return Path(process.stdout.strip())


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_what_a_killed_process_left_goes_at_the_next_start(temporary: Path, tmp_path: Path) -> None:
    """Its copies among the temporary files and in the cache go when a store is opened; nobody else's do."""
    cache = Cache.open()
    assert cache is not None
    left = [killed(temporary_parent()), killed(cache.folder / "building")]
    assert all((folder / "large" / "1.jsonl").exists() for folder in left)
    mine = temporary_folder()
    for name in ("flightlog-demo", "flightlog-abcd1234", "flightlog-spool-x", "1-abcdefgh"):
        (temporary / name).mkdir(mode=0o700)
    before = sorted(temporary.iterdir())
    with open_store(write(tmp_path / "a.jsonl", span("r"))):
        assert not any(folder.exists() for folder in left)
        assert mine.path.exists()
    mine.close()
    assert sorted(temporary.iterdir()) == [path for path in before if path != temporary_parent()]
    assert list(cache.folder.iterdir()) == []


def test_a_folder_lives_as_long_as_its_owner(tmp_path: Path) -> None:
    """It is private and stays while its process lives, and its parent goes with the last one."""
    parent = tmp_path / "own"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        theirs = Path(owner.stdout.readline().strip())
        assert [path.stat().st_mode & 0o777 for path in (parent, theirs)] == [0o700, 0o700]
        sweep(parent)
        mine = OwnFolder(parent)
        sweep(parent)
        assert theirs.exists()
        assert mine.path.exists()
        owner.communicate("x")
    mine.close()
    mine.close()
    sweep(parent)
    assert not parent.exists()


def test_only_what_is_surely_a_dead_owners_is_removed(tmp_path: Path) -> None:
    """Links, files, other names, a parent that is a link or open to others: nothing of that is touched."""
    parent, outside = tmp_path / "own", tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "1-abcdefgh").mkdir()
    (outside / "1-abcdefgh" / "precious").touch()
    left = killed(parent)
    (left / "link").symlink_to(outside)
    for name in ("notes", "1-abc", "1-ABCDEFGH", "x-abcdefgh"):
        (parent / name).mkdir()
    (parent / "1-aaaaaaaa").symlink_to(outside / "1-abcdefgh")
    (parent / "1-bbbbbbbb").touch()
    linked, shared = tmp_path / "linked", tmp_path / "shared"
    linked.symlink_to(outside)
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "1-abcdefgh").mkdir()
    for place in (parent, linked, shared, tmp_path / "nothing", tmp_path / "outside" / "1-abcdefgh" / "precious"):
        sweep(place)
    assert not left.exists()
    assert sorted(path.name for path in parent.iterdir()) == [
        "1-ABCDEFGH", "1-aaaaaaaa", "1-abc", "1-bbbbbbbb", "notes", "x-abcdefgh",
    ]  # fmt: skip
    assert (outside / "1-abcdefgh" / "precious").exists()
    assert (shared / "1-abcdefgh").exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "open to others"])
def test_a_name_that_somebody_else_has_taken(temporary: Path, tmp_path: Path, kind: str) -> None:
    """Then the folder stands by itself, nothing goes to theirs, and it is gone at the end all the same."""
    place = temporary_parent()
    theirs = tmp_path / "theirs"
    if kind == "file":
        place.touch()
    elif kind == "open to others":
        place.mkdir()
        place.chmod(0o755)
    else:
        place.symlink_to(theirs)
        if kind == "link":
            theirs.mkdir(mode=0o700)
    folder = temporary_folder()
    assert folder.path.parent.parent == temporary
    assert folder.path.parent != place
    assert folder.path.parent.stat().st_mode & 0o777 == 0o700
    folder.close()
    assert list(temporary.iterdir()) == [place]
    assert not theirs.exists() or list(theirs.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_parent_that_is_somebody_elses(temporary: Path) -> None:
    """A folder of another user by our name is not used and not swept, however private it is."""
    place = temporary_parent()
    place.mkdir(mode=0o700)
    (place / "1-abcdefgh").mkdir(mode=0o700)
    os.chown(place, 12345, 12345)
    sweep(place)
    assert (place / "1-abcdefgh").exists()
    folder = temporary_folder()
    assert folder.path.parent != place
    folder.close()


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no locks folders are made and removed, and none is taken for dead."""
    left = killed(tmp_path)

    def none(descriptor: int) -> bool:
        raise OSError(95, "Operation not supported")

    tmp_path.chmod(0o700)
    monkeypatch.setattr(own_folder, "_take_lock", none)
    sweep(tmp_path)
    assert left.exists()
    folder = OwnFolder(tmp_path)
    assert folder.path.exists()
    folder.close()
    assert not folder.path.exists()


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written a file that needs no copy is read all the same."""

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        assert store.span_count == 1


def test_folders_are_made_while_others_are_swept(tmp_path: Path) -> None:
    """A sweep that comes between the making of a folder and its lock costs a second try, never the folder."""
    parent, done = tmp_path / "own", threading.Event()

    def keep_sweeping() -> None:
        while not done.is_set():
            sweep(parent)

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    try:
        for _ in range(300):
            folder = OwnFolder(parent)
            (folder.path / "x").touch()
            folder.close()
    finally:
        done.set()
        sweeper.join()
    assert not parent.exists() or list(parent.iterdir()) == []
