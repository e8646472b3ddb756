"""Traces that were marked to come back to, in a small file of the user's own."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_state_path

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.excerpt import TraceRow

MOST = 500


class Bookmark(NamedTuple):
    """A trace, and what it was called."""

    trace_id: str
    name: str
    when: str
    """Its start, as it was shown."""


def path() -> Path:
    """Where they are kept."""
    return user_state_path("flightlog", appauthor=False) / "bookmarks.json"


def load() -> list[Bookmark]:
    """The latest first; nothing when there is no file or it cannot be read."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    rows = found if isinstance(found, list) else []
    return [Bookmark(*row) for row in rows if isinstance(row, list) and len(row) == 3 and all(map(_is_text, row))][
        :MOST
    ]


def toggle(mark: Bookmark) -> bool:
    """Set or take away a bookmark; True when it is set now. Raises OSError when the file cannot be written."""
    kept = [other for other in load() if other.trace_id != mark.trace_id]
    is_set = len(kept) == len(load())
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as out:
        json.dump([mark, *kept] if is_set else kept, out)
    os.replace(fresh, file)
    return is_set


def turn(trace: TraceRow) -> str:
    """Set or take away the bookmark of a trace; what happened, as a sentence."""
    try:
        is_set = toggle(Bookmark(trace.trace_id, trace.name, units.clock(trace.start_us, date=True)))
    except OSError as error:
        return f"bookmarks cannot be kept in {path()}: {error.strerror}"
    return "bookmarked; ' lists the bookmarks" if is_set else "bookmark taken away"


def _is_text(value: object) -> bool:
    return isinstance(value, str)
