"""Every query the program itself asks, by name.

A query is a function that returns SQL and its values. Another backend answers the same names; nothing else in the
program knows a dialect. Percentiles are ``quantile_cont``; spans that wait for a human are counted, but stand outside
percentiles and totals of time.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from flightlog.errors import UsageError

Statement = tuple[str, list[Any]]
QUERIES: Final[dict[str, Callable[..., Statement]]] = {}

GROUPS: Final[dict[str, str]] = {
    "name": "name",
    "type": "type",
    "model": "model",
    "tool": "name",
    "node": "node",
    "thread": "thread_id",
    "day": "strftime(start_time, '%Y-%m-%d')",
    "status": "status",
    "service": "service",
}
"""What ``groups`` can group by, and the expression it groups by."""

_GROUP_FILTERS: Final[dict[str, str]] = {
    "model": "type = 'llm'",
    "tool": "type = 'tool'",
    "node": "kind = 'node'",
}
_TIMED: Final = "status IS DISTINCT FROM 'interrupted' AND duration_ms IS NOT NULL"
_SPENT: Final = "type = 'llm' AND cache_hit IS NOT TRUE"
_MEASURES: Final = f"""
    count(*) AS count,
    count(*) FILTER (status = 'error') AS errors,
    count(*) FILTER (status = 'interrupted') AS interrupted,
    quantile_cont(duration_ms, 0.5) FILTER ({_TIMED}) AS p50_ms,
    quantile_cont(duration_ms, 0.95) FILTER ({_TIMED}) AS p95_ms,
    quantile_cont(duration_ms, 0.99) FILTER ({_TIMED}) AS p99_ms,
    sum(duration_ms) FILTER ({_TIMED}) AS total_ms,
    sum(token_usage.input_tokens) FILTER ({_SPENT})::BIGINT AS input_tokens,
    sum(token_usage.output_tokens) FILTER ({_SPENT})::BIGINT AS output_tokens,
    sum(token_usage.total_tokens) FILTER ({_SPENT})::BIGINT AS total_tokens
"""


def named(function: Callable[..., Statement]) -> Callable[..., Statement]:
    """Register a query under the name of its function."""
    QUERIES[function.__name__] = function
    return function


def statement(name: str, params: dict[str, Any]) -> Statement:
    """The SQL and values of a named query. Raises UsageError for a name that does not exist."""
    from flightlog_viewer.store import doctor_queries, report_queries  # noqa: F401  # register their own

    if name not in QUERIES:
        raise UsageError(f"no query is named {name!r}; there are {', '.join(sorted(QUERIES))}")
    return QUERIES[name](**params)


@named
def totals() -> Statement:
    """One row: ``spans``, ``traces``, ``errors``, ``interrupted``, ``rejects`` and the sums of tokens."""
    return (
        f"""SELECT count(*) AS spans, count(DISTINCT trace_id) AS traces,
            count(*) FILTER (status = 'error') AS errors,
            count(*) FILTER (status = 'interrupted') AS interrupted,
            (SELECT count(*) FROM rejects) AS rejects,
            sum(token_usage.input_tokens) FILTER ({_SPENT})::BIGINT AS input_tokens,
            sum(token_usage.output_tokens) FILTER ({_SPENT})::BIGINT AS output_tokens,
            sum(token_usage.total_tokens) FILTER ({_SPENT})::BIGINT AS total_tokens
        FROM spans""",
        [],
    )


@named
def groups(by: str = "name", where: str = "true", values: Sequence[Any] = ()) -> Statement:
    """One row a group of spans, the one with most time first.

    ``by`` is a key of GROUPS. By name, a type's own groups are kept apart; elsewhere ``type`` is NULL when mixed.
    ``where`` is a condition over ``spans`` with its ``values``.
    """
    if by not in GROUPS:
        raise UsageError(f"cannot group by {by!r}; choose one of {', '.join(GROUPS)}")
    kind = "type" if by in ("name", "type") else "CASE WHEN min(type) = max(type) THEN min(type) END"
    keys = "key, type" if by in ("name", "type") else "key"
    return (
        f"""SELECT {GROUPS[by]} AS key, {kind} AS type, {_MEASURES} FROM spans
        WHERE {_GROUP_FILTERS.get(by, "true")} AND ({where}) GROUP BY {keys}
        ORDER BY total_ms DESC NULLS LAST, key""",
        list(values),
    )


@named
def traces(where: str = "true", values: Sequence[Any] = (), limit: int | None = None) -> Statement:
    """The rows of the view ``traces`` that pass, newest first."""
    bound = "" if limit is None else f" LIMIT {int(limit)}"
    return f"SELECT * FROM traces WHERE {where} ORDER BY start_time DESC, row_id DESC{bound}", list(values)


@named
def trace_ids(prefix: str) -> Statement:
    """The ids of traces that begin with ``prefix``, at most ten."""
    return (
        "SELECT DISTINCT trace_id FROM spans WHERE starts_with(trace_id, ?) ORDER BY trace_id LIMIT 10",
        [prefix],
    )


@named
def trace_spans(trace_id: str) -> Statement:
    """The spans of one trace by start, with their light columns only."""
    return (
        "SELECT * EXCLUDE (inputs, output, raw, payload_gone) FROM spans WHERE trace_id = ? "
        "ORDER BY start_time, seq, row_id",
        [trace_id],
    )
