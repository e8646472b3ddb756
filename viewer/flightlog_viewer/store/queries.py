"""Every query the program itself asks, by name.

A query is a function that returns SQL and its values. Another backend answers the same names; nothing else in the
program knows a dialect.
"""

from collections.abc import Callable
from typing import Any, Final

from flightlog.errors import UsageError

Statement = tuple[str, list[Any]]
QUERIES: Final[dict[str, Callable[..., Statement]]] = {}


def named(function: Callable[..., Statement]) -> Callable[..., Statement]:
    """Register a query under the name of its function."""
    QUERIES[function.__name__] = function
    return function


def statement(name: str, params: dict[str, Any]) -> Statement:
    """The SQL and values of a named query. Raises UsageError for a name that does not exist."""
    from flightlog_viewer.store import doctor_queries, report_queries, thread_queries  # noqa: F401  # register their own

    if name not in QUERIES:
        raise UsageError(f"no query is named {name!r}; there are {', '.join(sorted(QUERIES))}")
    return QUERIES[name](**params)


@named
def trace_spans(trace_id: str) -> Statement:
    """The spans of one trace by start, with their light columns only."""
    return (
        "SELECT * EXCLUDE (inputs, output, raw, payload_gone) FROM spans WHERE trace_id = ? "
        "ORDER BY start_time, seq, row_id",
        [trace_id],
    )
