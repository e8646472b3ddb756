"""Finds a named query, whichever module has it."""

from typing import Any

from flightlog.errors import UsageError
from flightlog_viewer.store.queries.named_query import QUERIES, Statement


def statement(name: str, params: dict[str, Any]) -> Statement:
    """The SQL and values of a named query. Raises UsageError for a name that does not exist."""
    # Only now: a store that is asked in SQL alone does without them. Each registers its own.
    from flightlog_viewer.store.queries import doctor, report, threads  # noqa: F401

    if name not in QUERIES:
        raise UsageError(f"no query is named {name!r}; there are {', '.join(sorted(QUERIES))}")
    return QUERIES[name](**params)
