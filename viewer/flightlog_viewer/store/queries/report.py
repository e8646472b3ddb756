"""The queries behind the commands, by name: parameters in, SQL and its parameters out.

Percentiles are ``quantile_cont`` over finished spans that did not wait for a human; what waits, runs or never ended is
counted and stands outside them. Tokens and cost come from LLM spans alone, each once; what is unknown stays NULL.
"""

from datetime import tzinfo
from typing import Final

from flightlog.errors import UsageError
from flightlog_viewer.analysis.filter import EVERYTHING, Filter, member_path
from flightlog_viewer.store.public import PUBLIC
from flightlog_viewer.store.queries.named_query import Statement, named

_TIMED: Final = "status NOT IN ('interrupted', 'running', 'unfinished')"
_MEASURES: Final = f"""
    count(*) AS count,
    count(*) FILTER (status = 'error') AS errors,
    count(*) FILTER (status = 'interrupted') AS interrupted,
    quantile_cont(duration_ms, 0.5) FILTER ({_TIMED}) AS p50_ms,
    quantile_cont(duration_ms, 0.95) FILTER ({_TIMED}) AS p95_ms,
    quantile_cont(duration_ms, 0.99) FILTER ({_TIMED}) AS p99_ms,
    sum(duration_ms) AS total_ms"""
_SPENT: Final = """
    sum(token_usage.input_tokens) FILTER (counted)::BIGINT AS input_tokens,
    sum(token_usage.output_tokens) FILTER (counted)::BIGINT AS output_tokens,
    sum(token_usage.total_tokens) FILTER (counted)::BIGINT AS total_tokens,
    sum(cost_usd) FILTER (counted) AS cost_usd,
    count(*) FILTER (counted AND cost_usd IS NULL) AS unknown_costs"""
# The tracer's own record of what it could not write is no run.
_RUNS: Final = "NOT (type = 'event' AND name = 'flightlog.loss')"
_GIVEN_UP: Final = "(status IN ('abandoned', 'cancelled', 'unfinished'))"
_RESUMABLE: Final = "(coalesce(kind = 'graph', false) AND thread_id IS NOT NULL)"
_TRACE_ORDER: Final = {
    "newest": "start_time DESC",
    "oldest": "start_time",
    "slowest": "duration_ms DESC NULLS LAST",
}
_ORDER: Final = "ORDER BY total_ms DESC NULLS LAST, count DESC, key"

# What a group is of: which spans, the key, and the type that all of them have.
_SPAN_GROUPS: Final = {
    "name": ("true", "name", "type"),
    "type": ("true", "type", "type"),
    "model": ("type = 'llm'", "coalesce(model, request_model, name)", "'llm'"),
    "tool": ("type = 'tool'", "name", "'tool'"),
}
_TRACE_GROUPS: Final = {
    "thread": "thread_id",
    "status": "status",
    "service": "service",
    "version": "service_version",
    "environment": "environment",
}

_LIGHT: Final = "* EXCLUDE (inputs, output, raw, payload_gone)"

_PERIODS: Final = {"day": "%Y-%m-%d", "week": "%G-W%V"}

BY: Final = (*_SPAN_GROUPS, "node", *_TRACE_GROUPS, *_PERIODS, "waste")
"""What spans can be summed up by."""
METADATA: Final = "metadata."
"""And by a key of the metadata that a run was started with, named behind this."""


@named
def overview(where: Filter = EVERYTHING) -> Statement:
    """One row: spans, traces, errors, interrupted, unfinished, tokens and cost."""
    return (
        # Two passes, because counting distinct ids beside the sums takes longer than both.
        f"""WITH chosen AS NOT MATERIALIZED (FROM spans WHERE {_RUNS} AND ({where.where})),
            per_span AS (SELECT count(*) AS spans,
                count(*) FILTER (status = 'error') AS errors,
                count(*) FILTER (status = 'interrupted') AS interrupted,
                count(*) FILTER (status IN ('running', 'unfinished')) AS unfinished,
                count(*) FILTER (type = 'llm') AS llm_calls,
                count(*) FILTER (type = 'llm' AND status = 'ok' AND token_usage IS NULL AND cache_hit IS NOT TRUE)
                    AS missing_usage,
                min(start_time) AS first_start, max(end_time) AS last_end, {_SPENT} FROM chosen),
            per_trace AS (SELECT count(*) AS traces, count(*) FILTER (failed) AS failed_traces,
                count(*) FILTER (waits) AS interrupted_traces FROM (
                    SELECT bool_or(status = 'error') AS failed, bool_or(status = 'interrupted') AS waits
                    FROM chosen GROUP BY trace_id))
            FROM per_span, per_trace""",
        where.params,
    )


@named
def summary(by: str = "name", where: Filter = EVERYTHING, tz: tzinfo | None = None) -> Statement:
    """Groups by one of ``BY`` or ``metadata.KEY``, longest total first.

    ``where`` is a filter over spans. A group by thread, status, service, version, environment, day, (ISO) week or
    metadata is of whole runs, each counted once: of the traces that have a span that matches. Raises UsageError when
    there is no such grouping.
    """
    if by in _SPAN_GROUPS:
        which, key, kind = _SPAN_GROUPS[by]
        return (
            f"""SELECT {key} AS key, {kind} AS type, {_MEASURES}, {_SPENT}
                FROM spans WHERE {which} AND {_RUNS} AND ({where.where}) GROUP BY ALL {_ORDER}""",
            where.params,
        )
    if by == "node":
        return (
            f"""WITH seen AS (FROM spans WHERE ({where.where})),
                spent AS (SELECT node, {_SPENT} FROM seen WHERE type = 'llm' AND node IS NOT NULL GROUP BY node),
                runs AS (SELECT coalesce(node, name) AS key, {_MEASURES} FROM seen WHERE kind = 'node' GROUP BY ALL)
                SELECT key, 'node' AS type, runs.* EXCLUDE (key), spent.* EXCLUDE (node)
                FROM runs LEFT JOIN spent ON spent.node = runs.key {_ORDER}""",
            where.params,
        )
    if by == "waste":
        return waste(where)
    params = list(where.params)
    if by in _PERIODS:
        key = f"strftime((start_time AT TIME ZONE 'UTC') AT TIME ZONE ?, '{_PERIODS[by]}')"
        params.insert(0, str(tz) if tz is not None else "UTC")
    elif by in _TRACE_GROUPS:
        key = _TRACE_GROUPS[by]
    elif by.startswith(METADATA) and by != METADATA:
        key = "json_extract_string(metadata, ?)"
        params.insert(0, member_path(by.removeprefix(METADATA)))
    else:
        raise UsageError(f"cannot sum up by {by!r}: choose one of {', '.join(BY)}, {METADATA}KEY")
    among = "true" if where == EVERYTHING else f"trace_id IN (SELECT trace_id FROM spans WHERE {where.where})"
    return (
        f"""SELECT {key} AS key, 'trace' AS type, {_MEASURES},
            sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens,
            sum(total_tokens)::BIGINT AS total_tokens, sum(cost_usd) AS cost_usd,
            sum(unknown_costs)::BIGINT AS unknown_costs
            FROM traces WHERE {among} GROUP BY ALL {"ORDER BY key" if by in _PERIODS else _ORDER}""",
        params,
    )


@named
def waste(where: Filter = EVERYTHING) -> Statement:
    """Where the work went: useful, retried (failed and done again), rerun (repeated after an answer) or abandoned.

    A span belongs to the class of the worst cause at or above it. A graph with a thread that was given up takes nothing
    along: what its nodes finished is in the checkpoints, and going on does not repeat it. Neither does a subgraph, or a
    node with tasks, take along what it finished when it went on from its own checkpoints: its unfinished tasks have
    then started again under their ids, which are other ones when it began anew. ``total_ms`` sums the time
    each span spent outside its children, so that nothing counts twice.
    """
    return (
        # The last of each is enough: comparing every span with every other of its task takes hours for large tasks.
        f"""WITH RECURSIVE attempts AS (
            SELECT task_id, trace_id, kind, max(attempt) AS last_attempt FROM spans WHERE kind IN ('node', 'task')
            GROUP BY ALL
        ), again AS (
            SELECT parent_run_id, trace_id, type, max(start_time) AS last_start FROM spans
            WHERE len(list_filter(tags, lambda tag: tag LIKE 'retry:attempt:%')) > 0 GROUP BY ALL
        ), tasks AS (
            SELECT task_id, kind, max(start_time) AS last_start FROM spans WHERE kind IN ('node', 'task') GROUP BY ALL
        ), redone AS (
            SELECT s.run_id, s.trace_id, s.parent_run_id, s.status FROM spans s JOIN tasks n USING (task_id, kind)
            WHERE s.status IN ('error', 'interrupted') AND n.last_start > s.start_time
        ), went_on AS (
            SELECT run_id, trace_id FROM redone UNION SELECT parent_run_id, trace_id FROM redone
        ), kept AS (
            SELECT DISTINCT s.run_id, s.trace_id FROM spans s
            JOIN went_on w ON s.parent_run_id = w.run_id AND s.trace_id = w.trace_id
            JOIN tasks n USING (task_id, kind)
            WHERE s.status IN ('ok', 'handoff') AND n.last_start <= s.start_time
        ), cause AS (
            SELECT run_id, trace_id, 1 AS class FROM spans WHERE {_GIVEN_UP} AND NOT {_RESUMABLE}
            UNION ALL
            SELECT s.run_id, s.trace_id, 2 FROM spans s JOIN attempts n USING (task_id, trace_id, kind)
            WHERE s.status = 'error' AND n.last_attempt > s.attempt
            UNION ALL
            SELECT s.run_id, s.trace_id, 2 FROM spans s JOIN again n USING (parent_run_id, trace_id, type)
            WHERE s.status = 'error' AND n.last_start > s.start_time
            UNION ALL
            SELECT run_id, trace_id, if(status = 'error', 2, 3) FROM redone
        ), wasted AS (
            SELECT run_id, trace_id, class FROM cause
            UNION
            SELECT s.run_id, s.trace_id, w.class
            FROM spans s JOIN wasted w ON s.parent_run_id = w.run_id AND s.trace_id = w.trace_id
            LEFT JOIN kept k ON s.run_id = k.run_id AND s.trace_id = k.trace_id
            WHERE w.class = 1 OR k.run_id IS NULL
        ), worst AS (
            SELECT run_id, trace_id, min(class) AS class FROM (
                FROM wasted UNION ALL SELECT run_id, trace_id, 1 FROM spans WHERE {_GIVEN_UP} AND {_RESUMABLE})
            GROUP BY ALL)
        SELECT CASE class WHEN 1 THEN 'abandoned' WHEN 2 THEN 'retried' WHEN 3 THEN 'rerun' ELSE 'useful' END AS key,
            'span' AS type, {_MEASURES.replace("sum(duration_ms) AS total_ms", "sum(self_ms) AS total_ms")}, {_SPENT}
        FROM spans LEFT JOIN worst USING (run_id, trace_id) WHERE {_RUNS} AND ({where.where}) GROUP BY ALL {_ORDER}""",
        where.params,
    )


@named
def trace_rows(where: Filter = EVERYTHING, limit: int | None = None, order: str = "newest") -> Statement:
    """Rows of ``traces`` that pass a filter over traces, ``newest`` or ``oldest`` or ``slowest`` first.

    Raises UsageError for another order.
    """
    by = _TRACE_ORDER.get(order)
    if by is None:
        raise UsageError(f"cannot sort by {order!r}: choose one of {', '.join(_TRACE_ORDER)}")
    return (
        f"SELECT * EXCLUDE (metadata) FROM traces WHERE {where.where} "
        f"ORDER BY {by}, trace_id {'' if limit is None else 'LIMIT ?'}",
        [*where.params, *([] if limit is None else [limit])],
    )


@named
def trace_count(where: Filter = EVERYTHING) -> Statement:
    """How many traces pass a filter over traces."""
    return f"SELECT count(*) AS traces FROM traces WHERE {where.where}", where.params


@named
def find_trace(prefix: str) -> Statement:
    """The ids of the first few traces that begin so, or that have a run whose id begins so."""
    return (
        """SELECT DISTINCT trace_id FROM spans WHERE starts_with(trace_id, ?) OR starts_with(run_id, ?)
           ORDER BY trace_id LIMIT 4""",
        [prefix, prefix],
    )


@named
def trace_row(trace_id: str) -> Statement:
    """The row of one trace in ``traces``; none when its root span is missing."""
    return "SELECT * EXCLUDE (metadata) FROM traces WHERE trace_id = ?", [trace_id]


@named
def trace_spans(trace_id: str) -> Statement:
    """The spans of one trace by start, with their light columns only."""
    return f"SELECT {_LIGHT} FROM spans WHERE trace_id = ? ORDER BY start_time, seq, row_id", [trace_id]


@named
def columns() -> Statement:
    """Every column of every public table and view, in order: ``table_name``, ``column_name``, ``data_type``."""
    return (
        """SELECT table_name, column_name, data_type FROM duckdb_columns() JOIN (
               SELECT table_oid AS oid FROM duckdb_tables() WHERE NOT internal
               UNION ALL SELECT view_oid FROM duckdb_views() WHERE NOT internal) ON oid = table_oid
           WHERE NOT internal AND list_contains(?, table_name) ORDER BY list_position(?, table_name), column_index""",
        [list(PUBLIC), list(PUBLIC)],
    )


@named
def newest_spans(where: Filter = EVERYTHING, limit: int = 10) -> Statement:
    """The last finished spans of the files, latest first, with their light columns."""
    return (
        f"SELECT {_LIGHT} FROM spans WHERE row_id >= 0 AND ({where.where}) ORDER BY end_time DESC, row_id DESC LIMIT ?",
        [*where.params, limit],
    )


@named
def spans_between(after: int, last: int, where: Filter = EVERYTHING) -> Statement:
    """The spans behind row ``after`` up to row ``last``, in the order in which they were written."""
    return (
        f"SELECT {_LIGHT} FROM spans WHERE row_id > ? AND row_id <= ? AND ({where.where}) ORDER BY row_id",
        [after, last, *where.params],
    )


@named
def price_sources() -> Statement:
    """Where the prices of the models come from: the library with its version, files of the user's own."""
    return "SELECT DISTINCT source FROM prices ORDER BY source", []


@named
def error_origins(where: Filter = EVERYTHING, limit: int = 10) -> Statement:
    """Where errors began (no span inside failed), the most frequent first, each with its last trace."""
    return (
        f"""SELECT name, error.type AS type, arg_max(error.message, start_time) AS message, count(*) AS times,
                max(start_time) AS last_seen, arg_max(trace_id, start_time) AS trace_id
            FROM errors WHERE origin AND {_RUNS} AND ({where.where}) GROUP BY ALL ORDER BY times DESC, name LIMIT ?""",
        [*where.params, limit],
    )
