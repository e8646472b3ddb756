"""Files that are being written: a cheap look at whether they have grown."""

import os
from collections.abc import Iterable
from pathlib import Path

_LOOKS = 8
"""So many looks without a change are long."""


State = tuple[int, int, int]
_NEW: State = (-1, 0, 0)
"""Of a file that nobody has looked at: no file is like that."""


class Follower:
    """Remembers what files looked like."""

    def __init__(self) -> None:
        self.busy = False
        """Set while what has grown is being read."""
        self._quiet = 0
        self._known: dict[Path, State] = {}
        self._looked: dict[Path, State] = {}
        """What they were like at the last look."""

    def watch(self, paths: Iterable[Path]) -> None:
        """Take the present state of these files as known."""
        self._quiet = 0
        self._known = self._looked = {path: _state(path) for path in paths}

    def grown(self) -> bool:
        """Whether a file differs from what is known; False while ``busy``."""
        if self.busy:
            return False
        self._looked = {path: _state(path) for path in self._known}
        return self._looked != self._known

    def read(self, paths: Iterable[Path]) -> None:
        """What there was at the last look has been read: only that is known, for more may have come meanwhile."""
        self._quiet = 0
        self._known = {path: self._looked.get(path, _NEW) for path in paths}

    def overdue(self) -> bool:
        """Whether nothing has changed for so long that it is worth asking who has died: that changes no file."""
        self._quiet += not self.busy
        return self._quiet >= _LOOKS


def _state(path: Path) -> State:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
