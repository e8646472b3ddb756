"""Descriptors that stay out of the application's way."""

import os
from typing import Final

_STANDARD_ERROR: Final = 2


def above_standard(fd: int) -> int:
    """The same open file under a number above those of the standard streams; ``fd`` itself when it is there already.

    A daemon closes 0, 1 and 2, the next file opened gets such a number, and whatever prints, the C library too, prints
    into it. Raises OSError, with ``fd`` closed, when there is no number left.
    """
    if fd > _STANDARD_ERROR:
        return fd
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STANDARD_ERROR + 1)
    finally:
        os.close(fd)
