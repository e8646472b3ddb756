"""A thread's status when there are spans beside its checkpoints."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flightlog_viewer.approvals.approval import parse_time
from flightlog_viewer.checkpoints.inert import is_opaque
from flightlog_viewer.checkpoints.model import ThreadStatus, ThreadSummary

_CUT_SHORT = {
    "cancelled": "the run was cancelled",
    "abandoned": "the run was given up: its stream was not read to the end",
}
"""What is said of a run that did not end by itself and left nodes due, by its status."""
BY_HAND = ("update", "fork")
"""Sources of checkpoints that `update_state` writes; a run that goes back to an earlier step writes a `fork` too."""


@dataclass(frozen=True, slots=True)
class NewestRun:
    """The newest root span of a thread."""

    status: str
    """`running` or `unfinished` (its process is dead) while it has not ended."""
    start_us: int
    """Microseconds since the epoch, as the end."""
    end_us: float | None = None
    error: str | None = None
    in_flight: Sequence[str] = ()
    """Names of its innermost spans that have not ended."""
    in_vain: bool = False
    """It brought an answer, and no node ran."""

    @property
    def failure(self) -> str | None:
        """What it failed with, or that it was cut short; None where it did not fail."""
        return self.error if self.status == "error" else _CUT_SHORT.get(self.status)

    @property
    def failed(self) -> bool:
        """Whether it will not go on by itself, and nobody was asked."""
        return self.status == "error" or self.status in _CUT_SHORT

    def before(self, updated_at: str | None, source: str | None) -> bool:
        """Whether it was over when the newest checkpoint was written, so that it does not tell why nodes are due.

        When a dead process ended is not known: what a run never writes was written after it.
        """
        moment = parse_time(updated_at)
        if moment is None:
            return False
        at_us = moment.timestamp() * 1e6
        if self.status == "unfinished":
            return source == "update" and at_us > self.start_us
        return self.end_us is not None and at_us > self.end_us


def answered_in_vain(due: Sequence[str]) -> str:
    """What is wrong with a thread that got its answer and did not go on."""
    return f"answered, but {', '.join(due)} did not run: still in the graph?"


def newest_runs(rows: Iterable[Mapping[str, Any]]) -> dict[str, NewestRun]:
    """The rows of the named query `newest_runs` by thread."""
    return {
        str(row["thread_id"]): NewestRun(
            row["status"], row["start_us"], row["end_us"], row["error"], row["in_flight"] or (), row["in_vain"]
        )
        for row in rows
    }


def refined(thread: ThreadSummary, run: NewestRun | None, breakpoints: Collection[str] = ()) -> ThreadSummary:
    """The thread with what its newest run adds: its status, what it failed with, what it was doing.

    A run that ended well while nodes are due stopped at a static breakpoint: it waits for a human. One that failed did
    so without a word in the database: at the recursion limit, say, or because it was cancelled or its stream dropped.
    One that ended well without running any node after an answer found none to run: the graph has been changed. Where
    the state was changed by hand after the run failed or died, the thread waits for somebody to run it. `breakpoints`
    are nodes before which a pause is a wait for a human, spans or not. Of a thread whose newest checkpoint is closed
    only a run that ended well says nothing.
    """
    if thread.status == "unknown" or is_opaque(thread.error):
        return _closed(thread, run)
    if thread.status != "paused_or_running":
        return thread
    status = run.status if run is not None else None
    over = run is not None and (run.failed or status == "unfinished") and run.before(thread.updated_at, thread.source)
    if over:
        status = "interrupted" if thread.source in BY_HAND else None
    if run is not None and status in ("running", "unfinished"):
        known: ThreadStatus = "running" if status == "running" else "crashed"
        return replace(thread, status=known, in_flight=run.in_flight)
    if run is not None and run.in_vain and not run.before(thread.updated_at, thread.source):
        return replace(thread, status="errored", inferred=True, error=answered_in_vain(thread.next))
    if run is not None and run.failed and not over:
        return replace(thread, status="errored", inferred=True, error=run.failure)
    if status in ("ok", "interrupted") or any(node in breakpoints for node in thread.next):
        return replace(thread, status="interrupted", inferred=True)
    return thread


def _closed(thread: ThreadSummary, run: NewestRun | None) -> ThreadSummary:
    """A thread whose newest checkpoint, or whose failure, cannot be read; a run that ended well may have paused."""
    if run is None or run.before(thread.updated_at, thread.source):
        return thread
    if run.failed:
        inferred = thread.status == "unknown"
        return replace(thread, status="errored", inferred=inferred, error=run.failure)
    if thread.status != "unknown":
        return thread
    if run.status == "interrupted":
        return replace(thread, status="interrupted", inferred=True)
    if run.status in ("running", "unfinished"):
        known: ThreadStatus = "running" if run.status == "running" else "crashed"
        return replace(thread, status=known, in_flight=run.in_flight)
    return thread
