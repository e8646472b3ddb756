"""How a file begins, without waiting for it."""

import os
from typing import Final

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe that came in the place of a file would be waited for, and so would some files of the kernel."""


def head_of(path: str | os.PathLike[str], most: int) -> bytes:
    """The first bytes, ``most`` at most. Raises OSError, also for what has none yet (``/proc/kmsg``)."""
    descriptor = os.open(path, _FLAGS)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)
