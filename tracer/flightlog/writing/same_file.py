"""Tracers of one process that write one file: a run that reaches several of them is recorded by the first."""

import threading
import weakref
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flightlog.system_calls import without_links

if TYPE_CHECKING:
    from flightlog.events.runs import Runs

_lock: Final = threading.RLock()
_members: "weakref.WeakValueDictionary[str, SameFile]" = weakref.WeakValueDictionary()


class SameFile:
    """The open runs of the tracers of one file. Each tracer holds it; without tracers it is gone."""

    def __init__(self) -> None:
        self._all: tuple[weakref.ref[Runs], ...] = ()

    def has_open(self, key: UUID, own: "Runs") -> bool:
        """Whether another tracer is recording this run."""
        return any(key.int in runs.open for runs in self._others(own))

    def knows(self, key: UUID, own: "Runs") -> bool:
        """Whether another tracer is recording this run or has recorded it lately."""
        return any(key.int in runs.open or runs.trace_of(key) is not None for runs in self._others(own))

    def _others(self, own: "Runs") -> "list[Runs]":
        found = [ref() for ref in self._all]
        return [runs for runs in found if runs is not None and runs is not own]

    def _join(self, runs: "Runs") -> None:
        self._all = (*self._all, weakref.ref(runs, self._left))
        self._count()

    def _left(self, gone: "weakref.ref[Runs]") -> None:
        self._all = tuple(ref for ref in self._all if ref is not gone)
        self._count()

    def _count(self) -> None:
        found = [runs for ref in self._all if (runs := ref()) is not None]
        for runs in found:
            runs.shared = len(found) > 1


def join(path: str, runs: "Runs") -> SameFile:
    """Take the runs of a tracer in among those of its file."""
    real = without_links(path)
    with _lock:
        group: Any = _members.get(real)
        if group is None:
            group = _members[real] = SameFile()
        group._join(runs)
        found: SameFile = group
        return found
