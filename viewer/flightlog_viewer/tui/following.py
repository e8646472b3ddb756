"""Files that are being written: a cheap look at whether they have grown."""

import os
from collections.abc import Iterable
from pathlib import Path

_LOOKS = 8
"""So many looks without a change are long."""


class Follower:
    """Remembers what files looked like."""

    def __init__(self) -> None:
        self.busy = False
        """Set while what has grown is being read."""
        self._quiet = 0
        self._seen: dict[Path, tuple[int, int, int]] = {}

    def watch(self, paths: Iterable[Path]) -> None:
        """Take the present state of these files as known."""
        self._quiet = 0
        self._seen = {path: _state(path) for path in paths}

    def grown(self) -> bool:
        """Whether a file differs from what is known; False while ``busy``."""
        return not self.busy and any(_state(path) != state for path, state in self._seen.items())

    def overdue(self) -> bool:
        """Whether nothing has changed for so long that it is worth asking who has died: that changes no file."""
        self._quiet += not self.busy
        return self._quiet >= _LOOKS


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
