"""Advisory locks on open files, never waited for: who rotates a file, and whether the owner of a sidecar lives."""

import contextlib
import errno
from typing import Final

_HELD: Final = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def try_lock(fd: int) -> bool:
    """Take the exclusive lock. False when another process holds it; True also where there are no locks.

    A file system without locks, and Windows, are no reason to stop: a file is then rotated by the first to come, and
    what a writer has in flight reads as ``unfinished`` while it lives.
    """
    return _flock(fd, "LOCK_EX")


def is_locked(fd: int) -> bool:
    """Whether another process holds the exclusive lock."""
    if not _flock(fd, "LOCK_SH"):
        return True
    unlock(fd)
    return False


def unlock(fd: int) -> None:
    """Give the lock back; closing the file does that too."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_UN)


def _flock(fd: int, kind: str) -> bool:
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        return True
    try:
        fcntl.flock(fd, getattr(fcntl, kind) | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True
