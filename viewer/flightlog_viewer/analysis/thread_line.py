"""What is open in a thread, in one line: what it failed with, asks, was doing, or would do next."""

from flightlog_viewer.analysis.question_line import cut
from flightlog_viewer.checkpoints.inert import closed
from flightlog_viewer.checkpoints.model import ThreadSummary
from flightlog_viewer.checkpoints.normal import normal_form

_MOST_NAMES = 3


def left_open(thread: ThreadSummary) -> list[str]:
    """What is open beside questions; nothing in a thread that has finished."""
    parts = [] if thread.note is None else [thread.note]
    if thread.error is not None:
        parts.append(f"failed: {closed(thread.error) or cut(str(normal_form(thread.error)))}")
    if names := thread.in_flight:
        more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
        doing = "runs" if thread.status == "running" else "was running"
        parts.append(f"{doing} {', '.join(names[:_MOST_NAMES])}{more}")
    if parts or thread.pending:
        return parts
    if thread.next:
        changed = ", after a change by hand" if thread.source == "update" else ""
        return [f"due: {', '.join(thread.next)}{changed}"]
    if thread.status not in ("finished", "empty"):
        # A crash in between, or values that LangGraph refuses to put together.
        return ["what was due is done, and no checkpoint has followed"]
    return []
