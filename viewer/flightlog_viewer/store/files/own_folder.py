"""Folders of one process: gone when it ends, and removed by a later one when it was killed.

They stand in a folder that nobody else can write to, and their owner holds a lock on each as long as it lives. A lock
that is free is therefore the sign of a dead owner; what cannot be locked, or is not of this form, is left alone.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"\d+-[a-z0-9_]{8}")
"""The process id, for whoever looks, and what `tempfile.mkdtemp` adds."""
_TRIES: Final = 20
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class OwnFolder:
    """A private folder of this process. ``close`` removes it."""

    def __init__(self, parent: Path) -> None:
        """Make one in ``parent``, which is made too. Raises OSError, also when others can write to ``parent``."""
        self.path, self._lock = _locked_folder(parent)
        self._closed = False

    def close(self) -> None:
        """Remove the folder and what is in it, and its parent when that is empty; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def temporary_parent() -> Path:
    """Where this user's own folders stand among the temporary files of all users. Raises OSError."""
    return Path(tempfile.gettempdir(), f"flightlog-spool-{os.getuid() if hasattr(os, 'getuid') else 'user'}")


def temporary_folder() -> OwnFolder:
    """An own folder among the temporary files. Raises OSError.

    Where somebody else has taken the name of its parent it stands by itself, and no later process can know it.
    """
    try:
        return OwnFolder(temporary_parent())
    except OSError:
        return OwnFolder(Path(tempfile.mkdtemp(prefix="flightlog-spool-")))


def sweep_temporary() -> None:
    """Remove what killed processes of this user left among the temporary files; raises nothing."""
    with contextlib.suppress(OSError):  # nothing can be written anywhere: whoever must write will say so
        sweep(temporary_parent())


def sweep(parent: Path) -> None:
    """Remove the folders in ``parent`` whose owners are dead; raises nothing."""
    with contextlib.suppress(OSError):
        descriptor = _open_private(parent)
        try:
            for name in os.listdir(descriptor):
                if _NAME.fullmatch(name):
                    _sweep_one(descriptor, name)
        finally:
            os.close(descriptor)
        parent.rmdir()


def _sweep_one(parent: int, name: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _FLAGS, dir_fd=parent)
        try:
            if os.fstat(descriptor).st_uid == os.getuid() and _take_lock(descriptor):
                shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
        finally:
            os.close(descriptor)


def _locked_folder(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and the descriptor that holds its lock. Raises OSError."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            os.mkdir(parent, 0o700)
        if os.name == "nt":  # folders have no descriptors there, and none are swept
            return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent)), None
        with contextlib.suppress(FileNotFoundError):  # the parent was empty, and went with its last folder
            os.close(_open_private(parent))
            path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
            descriptor = os.open(path, _FLAGS)
            try:
                locked = _take_lock(descriptor)
            except OSError:  # a file system without locks: nobody will take it for dead either
                locked = True
            if locked and _is_there(path, descriptor):
                return path, descriptor
            # Another process saw it between its making and its lock, and took it for one that was left.
            os.close(descriptor)
    raise FileNotFoundError(f"{parent} is taken away again and again")


def _open_private(path: Path) -> int:
    """A folder, no link, that is ours and that nobody else can write to. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
        return descriptor
    os.close(descriptor)
    raise PermissionError(f"{path} is not private")


def _take_lock(descriptor: int) -> bool:
    """Take the exclusive lock; False when somebody has it. Raises OSError where there are no locks."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        there, held = os.lstat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
