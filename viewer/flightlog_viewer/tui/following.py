"""Files that are being written: a cheap look at whether they have grown."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic, process_time

_LOOKS = 8
"""So many looks without a change are long."""
_SHARE = 4
"""A file that grows without end costs a quarter of one core, reading it and showing it together."""
_LONGEST_REST_S = 3.0


Clock = Callable[[], float]
State = tuple[int, int, int]
_NEW: State = (-1, 0, 0)
"""Of a file that nobody has looked at: no file is like that."""


class Follower:
    """Remembers what files looked like."""

    def __init__(self, clock: Clock = monotonic, used: Clock = process_time) -> None:
        self._clock = clock
        self._used = used
        """What the process has used of the processors, in seconds."""
        self.busy = False
        """Whether what has grown is being read."""
        self._began: tuple[float, float] | None = None
        """When the last reading began, by both clocks."""
        self._quiet = 0
        self._known: dict[Path, State] = {}
        self._looked: dict[Path, State] = {}
        """What they were like at the last look."""

    def watch(self, paths: Iterable[Path]) -> None:
        """Take the present state of these files as known."""
        self._quiet = 0
        self._known = self._looked = {path: _state(path) for path in paths}

    def grown(self) -> bool:
        """Whether a file differs from what is known; False while ``busy``, and for a rest after a reading."""
        if self.busy or self._rests():
            return False
        self._looked = {path: _state(path) for path in self._known}
        return self._looked != self._known

    def begin(self) -> None:
        """What has grown is being read from now on, until ``end``."""
        self.busy = True
        self._began = (self._clock(), self._used())

    def end(self) -> None:
        """It is read, or cannot be."""
        self.busy = False

    def read(self, paths: Iterable[Path]) -> None:
        """What there was at the last look has been read: only that is known, for more may have come meanwhile."""
        self._quiet = 0
        self._known = {path: self._looked.get(path, _NEW) for path in paths}

    def overdue(self) -> bool:
        """Whether nothing has changed for so long that it is worth asking who has died: that changes no file."""
        if self.busy or self._rests():
            return False
        self._quiet += 1
        return self._quiet >= _LOOKS

    def _rests(self) -> bool:
        """Whether so much was used since the last reading began, keys and all, that the next one has to wait."""
        if self._began is None:
            return False
        at, used = self._began
        return self._clock() - at < min(_LONGEST_REST_S, _SHARE * (self._used() - used))


def _state(path: Path) -> State:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
