"""The tables and views that people write SQL against."""

import re
from collections.abc import Callable
from typing import Final

import duckdb

from flightlog_viewer.store.columns import LIGHT
from flightlog_viewer.store.prices import CALLS
from flightlog_viewer.store.thread_runs import IN_VAIN, TRACE_RUNS

_NAMES: Final = [c.name for c in LIGHT]
_LIGHT: Final = ", ".join(name for name in _NAMES if name != "metadata")

COUNTED: Final = "type = 'llm' AND cache_hit IS NOT TRUE AND run_id NOT IN (SELECT run_id FROM llm_wrappers)"
"""An LLM call whose tokens were spent, and are not counted a second time by an LLM call around it."""

_LAST_US: Final = 253_402_300_799_999_000
"""The end of the year 9999, microseconds since the epoch: what Python can show. An end beyond it is unknown."""

SPANS: Final = f"""
SELECT row_id, {_LIGHT},
    CASE WHEN epoch_us(start_time) + duration_ms * 1000 < {_LAST_US}
        THEN start_time + to_microseconds(round(duration_ms * 1000)::BIGINT) END AS end_time,
    own_time_of(row_id) AS self_ms,
    CASE WHEN type = 'llm' THEN cost_of(row_id) END AS cost_usd,
    {COUNTED} AS counted,
    (SELECT list(path ORDER BY file_id) FROM sources)[file_id + 1] AS file,
    CASE WHEN metadata_in_file THEN payload_json(row_id, run_id, 'metadata')::JSON ELSE metadata END AS metadata,
    payload_json(row_id, run_id, 'inputs')::JSON AS inputs,
    payload_json(row_id, run_id, 'output')::JSON AS output,
    payload_json(row_id, run_id, 'raw')::JSON AS raw,
    payload_json(row_id, run_id, 'payload_gone')::BOOLEAN AS payload_gone
FROM all_rows
"""

TRACES: Final = """
WITH chosen AS (
    SELECT * FROM spans WHERE name <> 'flightlog.loss' AND {scope}),
per_trace AS (
    SELECT trace_id,
        count(*) AS span_count,
        count(*) FILTER (status = 'error') AS error_count,
        count(*) FILTER (status IN ('running', 'unfinished')) AS open_count,
        count(*) FILTER (type = 'llm') AS llm_count,
        count(*) FILTER (type = 'tool') AS tool_count,
        sum(token_usage.input_tokens) FILTER (counted)::BIGINT AS input_tokens,
        sum(token_usage.output_tokens) FILTER (counted)::BIGINT AS output_tokens,
        sum(token_usage.total_tokens) FILTER (counted)::BIGINT AS total_tokens,
        sum(cost_usd) FILTER (counted) AS cost_usd,
        count(*) FILTER (counted AND cost_usd IS NULL) AS unknown_costs,
        arg_min(row_id, (parent_run_id IS NOT NULL, run_id <> trace_id, start_time, seq, row_id)) AS root_row,
        arg_min(thread_id, (start_time, seq, row_id)) AS thread_id
    FROM chosen GROUP BY trace_id)
SELECT root.row_id, root.trace_id, root.name, root.type, root.kind, root.status, root.start_time, root.end_time,
    root.duration_ms, span_count, error_count, open_count, llm_count, tool_count, input_tokens, output_tokens,
    total_tokens, per_trace.cost_usd, unknown_costs, coalesce(root.thread_id, per_trace.thread_id) AS thread_id,
    root.error, root.tags, root.service, root.service_version, root.environment, root.host, root.pid, root.resumes,
    root.parent_run_id IS NOT NULL AS orphaned, root.file, kept.metadata,
    CASE WHEN kept.metadata_in_file THEN kept.run_id END AS metadata_of
FROM per_trace JOIN spans AS root ON root.row_id = per_trace.root_row
JOIN all_rows AS kept ON kept.row_id = per_trace.root_row
"""
"""One row a trace: its root, or the earliest span of those whose parent is in no file.

Metadata that is too large to keep is left in the file, and ``metadata_of`` is the run that has it there.
"""

# The types are spelled out: asking DuckDB for those of TRACES would be a tenth of opening a small file.
TRACE_COLUMNS: Final = """
    row_id BIGINT, trace_id VARCHAR, name VARCHAR, type VARCHAR, kind VARCHAR, status VARCHAR, start_time TIMESTAMP,
    end_time TIMESTAMP, duration_ms DOUBLE, span_count BIGINT, error_count BIGINT, open_count BIGINT, llm_count BIGINT,
    tool_count BIGINT, input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cost_usd DOUBLE,
    unknown_costs BIGINT, thread_id VARCHAR, error STRUCT(type VARCHAR, message VARCHAR, stacktrace VARCHAR),
    tags VARCHAR[], service VARCHAR, service_version VARCHAR, environment VARCHAR, host VARCHAR, pid BIGINT,
    resumes JSON, orphaned BOOLEAN, file VARCHAR, metadata JSON, metadata_of VARCHAR
"""

# Waiting is the time between a run that stopped for a human and the next run of the thread. A thread that no database
# was given for has the status of its newest run; what `analysis.thread_status` says about both is said here in SQL.
THREADS: Final = f"""
WITH run AS (
    SELECT row_id, thread_id, trace_id, name, status, start_time, coalesce(end_time, start_time) AS end_time,
        duration_ms, lead(start_time) OVER (PARTITION BY thread_id ORDER BY start_time, row_id) AS next_start
    FROM ({TRACE_RUNS})),
shared AS (SELECT trace_id FROM run GROUP BY trace_id HAVING min(thread_id) <> max(thread_id)),
spent AS (
    SELECT thread_id, sum(span_count)::BIGINT AS span_count, sum(error_count)::BIGINT AS error_count,
        sum(total_tokens)::BIGINT AS total_tokens, sum(cost_usd) AS cost_usd,
        sum(unknown_costs)::BIGINT AS unknown_costs
    FROM (
        SELECT thread_id, span_count, error_count, total_tokens, cost_usd, unknown_costs
        FROM traces WHERE thread_id IS NOT NULL AND trace_id NOT IN (FROM shared)
        UNION ALL SELECT thread_id, 1, (status = 'error')::INTEGER,
            CASE WHEN counted THEN token_usage.total_tokens END, CASE WHEN counted THEN cost_usd END,
            (counted AND cost_usd IS NULL)::INTEGER
        FROM spans WHERE thread_id IS NOT NULL AND trace_id IN (FROM shared))
    GROUP BY thread_id),
timed AS (
    SELECT thread_id, count(*) AS runs,
        arg_max({{'trace_id': trace_id, 'status': status, 'start_time': start_time, 'end_time': end_time}},
            (start_time, row_id)) AS newest_run,
        arg_max(row_id, (NOT ends_with(name, 'UpdateState'), start_time, row_id)) AS told_by,
        min(start_time) AS first_start, max(end_time) AS last_end,
        sum(duration_ms) AS active_ms,
        coalesce(sum(greatest(0, epoch_us(next_start) - epoch_us(end_time)) / 1000.0)
            FILTER (status = 'interrupted' AND next_start IS NOT NULL), 0) AS waiting_ms,
        (max(epoch_us(end_time)) - min(epoch_us(start_time))) / 1000.0 AS wall_ms
    FROM run GROUP BY thread_id),
recorded AS (
    SELECT timed.*, spent.* EXCLUDE thread_id,
        CASE WHEN newest_run.status IN ('cancelled', 'abandoned')
                AND newest_run.trace_id IN (SELECT trace_id FROM spans WHERE status = 'interrupted') THEN 'interrupted'
            ELSE newest_run.status END AS how
    FROM timed LEFT JOIN spent USING (thread_id)),
told AS (
    SELECT state.* EXCLUDE thread_id, recorded.* EXCLUDE thread_id, state.thread_id AS known_id,
        recorded.thread_id AS seen_id, source IN ('update', 'fork') AS by_hand,
        CASE WHEN how IN ('error', 'cancelled', 'abandoned') THEN updated_at > newest_run.end_time
            WHEN how = 'unfinished' THEN source = 'update' AND updated_at > newest_run.start_time
            WHEN how = 'interrupted' AND state.status = 'unknown' THEN updated_at > newest_run.end_time
            END AS run_was_before,
        CASE WHEN state.status = 'unknown' AND (how = 'ok' OR run_was_before) THEN NULL
            WHEN run_was_before IS NOT TRUE THEN how WHEN by_hand THEN 'interrupted' END AS newest
    FROM thread_states AS state FULL JOIN recorded ON recorded.thread_id = state.thread_id)
SELECT coalesce(known_id, seen_id) AS thread_id,
    CASE WHEN told.status IS NULL THEN CASE newest WHEN 'ok' THEN 'finished' WHEN 'error' THEN 'errored'
            WHEN 'unfinished' THEN 'crashed' ELSE newest END
        WHEN told.status NOT IN ('paused_or_running', 'unknown') OR newest IS NULL THEN told.status
        WHEN newest = 'running' THEN 'running'
        WHEN newest = 'unfinished' THEN 'crashed'
        WHEN newest IN ('error', 'cancelled', 'abandoned') THEN 'errored'
        WHEN newest = 'ok' AND newest_run.end_time >= updated_at
            AND newest_run.trace_id IN (SELECT trace_id FROM traces WHERE {IN_VAIN}) THEN 'errored'
        WHEN newest IN ('ok', 'interrupted') THEN 'interrupted'
        ELSE told.status END AS status,
    coalesce(told.inferred, true) OR (
        told.status IN ('paused_or_running', 'unknown')
        AND coalesce(newest IN ('ok', 'interrupted', 'error', 'cancelled', 'abandoned'), false)) AS inferred,
    database, checkpoints, steps, created_at, updated_at, source, next, pending, error,
    runs, first_start, last_end, active_ms, waiting_ms, wall_ms, span_count, error_count, total_tokens, cost_usd,
    unknown_costs, trace_id, service, metadata
FROM told LEFT JOIN (SELECT row_id, trace_id, service, metadata FROM spans) AS run ON run.row_id = told_by
"""
"""One row a thread, of the databases and of the spans."""

_VIEWS: Final[dict[str, str]] = {
    "spans": SPANS,
    "traces": """
SELECT * EXCLUDE (metadata, metadata_of),
    CASE WHEN metadata_of IS NOT NULL THEN payload_json(row_id, metadata_of, 'metadata')::JSON ELSE metadata END
        AS metadata
FROM trace_rows
""",
    "rejects": "SELECT path AS file, byte_offset, reason FROM reject_rows JOIN sources USING (file_id)",
}
_ON_DEMAND: Final[dict[str, str]] = {
    "llm_costs": CALLS,
    "llm_calls": """
SELECT spans.*, token_usage.input_tokens AS input_tokens, token_usage.output_tokens AS output_tokens,
    token_usage.total_tokens AS total_tokens, llm_costs.* EXCLUDE (row_id, cost_usd)
FROM spans JOIN llm_costs USING (row_id)
""",
    "tool_calls": "SELECT * FROM spans WHERE type = 'tool'",
    "nodes": "SELECT * FROM spans WHERE kind = 'node'",
    "errors": """
SELECT *, run_id NOT IN (
    SELECT parent_run_id FROM spans WHERE status = 'error' AND parent_run_id IS NOT NULL) AS origin
FROM spans WHERE status = 'error'
""",
    "threads": THREADS,
}
"""Each after those it needs. To make them takes as long as to load a small file, so a query has to name one first."""

_WORD: Final = re.compile(r"\w+")
_ANY: Final = re.compile(
    r"^\s*desc\b|\b(show|describe|query|query_table|information_schema|(duckdb|pg|sqlite)_\w+)\b", re.IGNORECASE
)
"""What a query says that asks which views there are, or that puts their names together."""


def create_views(connection: duckdb.DuckDBPyConnection, base_rows: int | None) -> None:
    """Create the views over the tables of the store that nearly every query names.

    ``base_rows`` is the number of rows of the attached base; None when there is none.
    """
    columns = ", ".join([*_NAMES, "metadata_in_file", "file_id"])
    parts = [
        f"SELECT rowid + {base_rows or 0} AS row_id, {columns} FROM span_rows",
        f"SELECT -1 - rowid AS row_id, {columns} FROM open_rows",
    ]
    if base_rows is not None:
        parts.insert(0, f"SELECT rowid AS row_id, {columns} FROM base.span_rows")
    connection.execute(f"CREATE OR REPLACE VIEW all_rows AS {' UNION ALL '.join(parts)}")
    for name, query in _VIEWS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")


class ViewsOnDemand:
    """The other views. Not for several threads at once."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._cursor = cursor
        self._missing = dict(_ON_DEMAND)

    def prepare(self, query: str) -> None:
        """Create what a query names, or all of them where it may be any."""
        words = set(_WORD.findall(query.lower()))
        if "llm_calls" in words:
            words.add("llm_costs")
        if _ANY.search(query):
            self.create_all()
        else:
            self._create([name for name in self._missing if name in words])

    def create_all(self) -> bool:
        """Create those that are not there yet; whether there were any."""
        return self._create(list(self._missing))

    def _create(self, names: list[str]) -> bool:
        if names:
            with self._cursor() as cursor:
                for name in names:
                    cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {self._missing[name]}")
                    del self._missing[name]
        return bool(names)
