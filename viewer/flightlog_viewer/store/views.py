"""The tables and views that people write SQL against."""

from typing import Final

import duckdb

from flightlog_viewer.store.columns import LIGHT

_LIGHT = ", ".join(c.name for c in LIGHT if c.name != "metadata")

SPANS: Final = f"""
SELECT row_id, {_LIGHT},
    start_time + to_microseconds(round(duration_ms * 1000)::BIGINT) AS end_time,
    self_time(row_id) AS self_ms,
    NULL::DOUBLE AS cost_usd,
    type = 'llm' AND cache_hit IS NOT TRUE AS counted,
    (SELECT list(path ORDER BY file_id) FROM sources)[file_id + 1] AS file,
    CASE WHEN metadata_in_file THEN payload_json(row_id, run_id, 'metadata')::JSON ELSE metadata END AS metadata,
    payload_json(row_id, run_id, 'inputs')::JSON AS inputs,
    payload_json(row_id, run_id, 'output')::JSON AS output,
    payload_json(row_id, run_id, 'raw')::JSON AS raw,
    payload_json(row_id, run_id, 'payload_gone')::BOOLEAN AS payload_gone
FROM (SELECT rowid AS row_id, * FROM span_rows)
"""

_VIEWS: Final[dict[str, str]] = {
    "spans": SPANS,
    "llm_calls": "SELECT * FROM spans WHERE type = 'llm'",
    "tool_calls": "SELECT * FROM spans WHERE type = 'tool'",
    "nodes": "SELECT * FROM spans WHERE kind = 'node'",
    "errors": """
SELECT *, run_id NOT IN (
    SELECT parent_run_id FROM spans WHERE status = 'error' AND parent_run_id IS NOT NULL) AS origin
FROM spans WHERE status = 'error'
""",
    "traces": """
WITH per_trace AS (
    SELECT trace_id,
        count(*) AS span_count,
        count(*) FILTER (status = 'error') AS error_count,
        count(*) FILTER (type = 'llm') AS llm_count,
        count(*) FILTER (type = 'tool') AS tool_count,
        sum(token_usage.input_tokens) FILTER (type = 'llm' AND cache_hit IS NOT TRUE)::BIGINT AS input_tokens,
        sum(token_usage.output_tokens) FILTER (type = 'llm' AND cache_hit IS NOT TRUE)::BIGINT AS output_tokens,
        sum(token_usage.total_tokens) FILTER (type = 'llm' AND cache_hit IS NOT TRUE)::BIGINT AS total_tokens,
        sum(cost_usd) FILTER (counted) AS cost_usd,
        count(*) FILTER (counted AND cost_usd IS NULL) AS unknown_costs,
        min(row_id) FILTER (parent_run_id IS NULL AND run_id = trace_id) AS root_row,
        any_value(thread_id) AS thread_id
    FROM spans GROUP BY trace_id)
SELECT root.row_id, root.trace_id, root.name, root.type, root.kind, root.status, root.start_time, root.end_time,
    root.duration_ms, span_count, error_count, llm_count, tool_count, input_tokens, output_tokens, total_tokens,
    per_trace.cost_usd, unknown_costs,
    coalesce(root.thread_id, per_trace.thread_id) AS thread_id, root.error, root.tags, root.service,
    root.service_version, root.environment, root.host, root.pid, root.resumes, root.file
FROM per_trace JOIN spans AS root ON root.row_id = per_trace.root_row
""",
}


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every view, over ``span_rows``, ``sources`` and the functions of the store."""
    for name, query in _VIEWS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")
