"""What was read of a live database: a thread whose rows are as they were is not read again."""

from collections.abc import Collection, Mapping

from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.databases import database_approvals, thread_approvals
from flightlog_viewer.checkpoints.kept import Kept, KnownSummaries
from flightlog_viewer.checkpoints.model import Step, ThreadSummary
from flightlog_viewer.checkpoints.source import CheckpointSource

_FEW = 500
"""Threads whose rows are looked up one by one; of more the whole table is read."""


class KnownThreads:
    """One database over time. Versions are asked for before the rows are read, so that a change between counts later.

    Each answer is that of the source itself; threads may be asked about from several threads at once.
    """

    def __init__(self) -> None:
        self._summaries = KnownSummaries()
        self._approvals: Kept[list[Approval]] = Kept()
        self._steps: Kept[list[Step]] = Kept()
        """Of the thread that was asked for last."""

    def threads(self, source: CheckpointSource) -> list[ThreadSummary]:
        """Every thread with its status, by thread id."""
        return self._summaries.threads(source)

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
