"""The queries of earlier sessions."""

from contextlib import suppress

from flightlog_viewer.tui import state_file

MOST = 200
_NAME = "sql_history"


def load() -> list[str]:
    """Oldest first."""
    return [query for query in state_file.load(_NAME) if isinstance(query, str)][-MOST:]


def add(query: str) -> list[str]:
    """Put a query at the end (once) and keep the list, if it can be written; the history after that."""
    history = [*(old for old in load() if old != query), query][-MOST:]
    with suppress(OSError):
        state_file.save(_NAME, history)
    return history
