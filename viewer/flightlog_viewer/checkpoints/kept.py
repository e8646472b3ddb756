"""What is kept of a database that is read again: of a thread whose rows are as they were nothing is read."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from flightlog_viewer.checkpoints.model import ThreadSummary
from flightlog_viewer.checkpoints.source import CheckpointSource
from flightlog_viewer.checkpoints.threads import summaries

T = TypeVar("T")


class Kept(Generic[T]):
    """One value a thread, each with the version of the thread that it was read from."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Hashable, T]] = {}

    def unchanged(self, versions: Mapping[str, Hashable]) -> dict[str, T]:
        return {
            thread_id: kept[1]
            for thread_id, version in versions.items()
            if (kept := self._values.get(thread_id)) is not None and kept[0] == version
        }

    def keep(self, versions: Mapping[str, Hashable], values: Mapping[str, T]) -> None:
        self._values = {name: (versions[name], value) for name, value in values.items() if name in versions}


class KnownSummaries:
    """The threads of one database over time."""

    def __init__(self) -> None:
        self._summaries: Kept[ThreadSummary] = Kept()

    def threads(self, source: CheckpointSource) -> list[ThreadSummary]:
        """Every thread with its status, by thread id; as ``source.threads()`` would give."""
        versions = source.rows.versions()
        found = list(summaries(source.rows, self._summaries.unchanged(versions)))
        # What could not be read this time may be readable the next.
        self._summaries.keep({} if source.problems else versions, {thread.thread_id: thread for thread in found})
        return found
