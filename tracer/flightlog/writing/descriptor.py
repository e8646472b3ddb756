"""Descriptors that stay out of the application's way."""

import contextlib
import os
from typing import Final

from flightlog.system_calls import make_folders

_STANDARD_ERROR: Final = 2
_FOLDER_ATTEMPTS: Final = 8
"""How often the folder is made again when it is removed right away."""


def open_file(path: str, flags: int) -> int:
    """A file of ours (mode 0600) by a descriptor above the standard streams, its folder made when it is not there.

    Raises OSError.
    """
    for _ in range(_FOLDER_ATTEMPTS):
        try:
            return above_standard(os.open(path, flags, 0o600))
        except FileNotFoundError:
            # It may go again while it is made: makedirs then says that it is missing, or that it exists.
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                make_folders(os.path.dirname(path))
    return above_standard(os.open(path, flags, 0o600))


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
