"""Traces that were marked to come back to."""

from typing import NamedTuple

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui import state_file

MOST = 500
_NAME = "bookmarks"


class Bookmark(NamedTuple):
    """A trace, and what it was called."""

    trace_id: str
    name: str
    when: str
    """Its start, UTC."""


def load() -> list[Bookmark]:
    """The latest first."""
    rows = [row for row in state_file.load(_NAME) if isinstance(row, list) and len(row) == 3]
    return [Bookmark(*row) for row in rows if all(isinstance(field, str) for field in row)][:MOST]


def toggle(mark: Bookmark) -> bool:
    """Set or take away a bookmark; True when it is set now. Raises OSError when the file cannot be written."""
    before = load()
    kept = [other for other in before if other.trace_id != mark.trace_id]
    is_set = len(kept) == len(before)
    state_file.save(_NAME, [mark, *kept] if is_set else kept)
    return is_set


def turn(trace: TraceRow) -> str:
    """Set or take away the bookmark of a trace; what happened, as a sentence."""
    try:
        is_set = toggle(Bookmark(trace.trace_id, trace.name, units.clock(trace.start_us, date=True)))
    except OSError as error:
        return f"bookmarks cannot be kept in {state_file.path(_NAME)}: {error.strerror}"
    return "bookmarked; ' lists the bookmarks" if is_set else "bookmark taken away"
