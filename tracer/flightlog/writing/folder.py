"""Whether anything in a folder was made, renamed or deleted since the last look: then a file still has its name.

Looking at a file itself after every write would cost three times the write: once its times have been asked for, the
file system gives the next change a finer time and writes that down (ext4 since Linux 6.13: 4.0 us for ``write`` and
``fstat`` together, 1.4 and 0.8 us apart). A folder's times are asked for as often, but seldom change.
"""

import contextlib
import os
import sys
import time
from typing import Final

from flightlog.writing.descriptor import above_standard


def _tick_ns() -> int:
    """How often the clock ticks that files get their times from."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return int(time.clock_getres(5) * 1e9)  # CLOCK_REALTIME_COARSE, see clock_getres(2)
    return 10_000_000


_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_FINE_NS: Final = 1_000_000
_SETTLED_FINE_NS: Final = _tick_ns() * 5 // 4
_SETTLED_COARSE_NS: Final = 3_000_000_000
"""The age from which a time of change is trusted to differ from that of any later change. Kernels take times from a
clock that ticks every 1 to 10 ms; a file system may keep whole seconds only."""
_TRUSTED_NS: Final = 50_000_000
"""How long a look holds: the folder may itself be renamed, and a folder does not tell."""


class Folder:
    """One folder, by a descriptor of its own. For one thread at a time; raises nothing."""

    def __init__(self, path: str) -> None:
        self._changed_ns = -1
        """When the folder was last changed, wall clock, once it can be trusted."""
        self._until_ns = 0
        """When to look at the file again, monotonic."""
        self._fd = -1
        self._inode = self._device = 0
        if path:
            with contextlib.suppress(OSError):  # Windows has no descriptors of folders
                self._fd = above_standard(os.open(path, _FLAGS))
                now = os.fstat(self._fd)
                self._inode, self._device = now.st_ino, now.st_dev

    def is_unchanged(self, now: int) -> bool:
        """Whether the folder is as it was at the last ``trust``; False when that is not known. ``now`` is monotonic."""
        if now > self._until_ns:
            return False
        try:
            return os.fstat(self._fd).st_mtime_ns == self._changed_ns
        except OSError:
            return False

    def mark(self) -> int:
        """When the folder was last changed; to be taken before one looks at what is in it, and trusted after."""
        try:
            now = os.fstat(self._fd)
        except OSError:
            return -1
        return now.st_mtime_ns if now.st_ino == self._inode and now.st_dev == self._device else -1

    def trust(self, mark: int) -> None:
        """All was well at that mark. One that is too young may hide a later change, and is not kept."""
        age = time.time_ns() - mark
        if mark >= 0 and age > (_SETTLED_FINE_NS if mark % _FINE_NS else _SETTLED_COARSE_NS):
            self._changed_ns = mark
            self._until_ns = time.monotonic_ns() + _TRUSTED_NS

    def close(self) -> None:
        """Let go of the descriptor if it still is ours."""
        if self.mark() != -1:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd, self._until_ns = -1, 0
