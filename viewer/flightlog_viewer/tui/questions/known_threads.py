"""What was read of a live database: a thread whose rows are as they were is not read again."""

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, TypeVar

from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.databases import database_approvals, thread_approvals
from flightlog_viewer.checkpoints.model import Step, ThreadSummary
from flightlog_viewer.checkpoints.source import CheckpointSource
from flightlog_viewer.checkpoints.threads import summaries

T = TypeVar("T")
_FEW = 500
"""Threads whose rows are looked up one by one; of more the whole table is read."""


class _Kept(Generic[T]):
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


class KnownThreads:
    """One database over time. Versions are asked for before the rows are read, so that a change between counts later.

    Each answer is that of the source itself; threads may be asked about from several threads at once.
    """

    def __init__(self) -> None:
        self._summaries: _Kept[ThreadSummary] = _Kept()
        self._approvals: _Kept[list[Approval]] = _Kept()
        self._steps: _Kept[list[Step]] = _Kept()
        """Of the thread that was asked for last."""

    def threads(self, source: CheckpointSource) -> list[ThreadSummary]:
        """Every thread with its status, by thread id."""
        versions = source.rows.versions()
        found = list(summaries(source.rows, self._summaries.unchanged(versions)))
        # What could not be read this time may be readable the next.
        self._summaries.keep({} if source.problems else versions, {thread.thread_id: thread for thread in found})
        return found

    def approvals(self, source: CheckpointSource, pauses: Mapping[str, Collection[str]]) -> list[Approval]:
        """Every question that the rows still hold; `pauses` as for `database_approvals`."""
        rows = source.rows.versions()
        if not rows:
            return [approval for approval, _ in database_approvals(source, pauses=pauses)]
        versions = {name: (version, frozenset(pauses.get(name, ()))) for name, version in rows.items()}
        found = self._approvals.unchanged(versions)
        changed = [name for name in versions if name not in found]
        asking = set(source.rows.asking_threads(changed if len(changed) <= _FEW else None)) if changed else set()
        for name in changed:
            watched = name in asking or name in pauses
            given = thread_approvals(source, name, pauses=pauses.get(name, ())) if watched else ()
            found[name] = [approval for approval, _ in given]
        self._approvals.keep({} if source.problems else versions, found)
        return [approval for name in sorted(found) for approval in found[name]]

    def steps(self, source: CheckpointSource, thread_id: str) -> list[Step]:
        """Every step of a thread, oldest first; an unknown thread has none."""
        versions = source.rows.versions(thread_id)
        found = self._steps.unchanged(versions)
        if thread_id not in found:
            found = {thread_id: list(source.history(thread_id).steps)}
            self._steps.keep({} if source.problems else versions, found)
        return found[thread_id]
