"""What can be wrong with span files, one named query each: ``count`` and a few ``examples`` of what is concerned."""

from typing import Final

from flightlog.span import VERSION
from flightlog.span_line import ZEROS
from flightlog_viewer.store.files.unpacking import PACKED
from flightlog_viewer.store.queries.named_query import Statement, named

_EXAMPLES: Final = 3
_MOST: Final = 2**63 - 1
_JUMP: Final = "INTERVAL 250 MILLISECONDS"
"""Threads start spans in an order a little other than that of their numbers; a clock set back is more."""
_SPAN: Final = "name || ' ' || run_id"
"""How an example names a span."""


def _found(example: str, source: str) -> Statement:
    """Count the rows of ``source`` and list a few, earliest first where it has a ``start_time``."""
    return (
        f"""WITH found AS ({source})
            SELECT count(*) AS count, (SELECT list(example) FROM (
                SELECT {example} AS example FROM found ORDER BY start_time LIMIT {_EXAMPLES})) AS examples
            FROM found""",
        [],
    )


def _spans(condition: str) -> Statement:
    """Likewise, the spans of which a condition is true."""
    return _found(_SPAN, f"SELECT name, run_id, start_time FROM spans WHERE {condition}")


@named
def doctor_rejects(kind: str) -> Statement:
    """Rejects by the kind of reason, the most frequent first, with the first of each: ``places``.

    ``kind``: ``zeros`` for lines that end in zero bytes, ``torn`` for others without an end, ``packed`` for compressed
    files that could not be read to theirs, ``line`` for all others.
    """
    return (
        f"""SELECT split_part(reason, ':', 1) AS reason, count(*) AS count,
                min({{'file': file, 'byte_offset': byte_offset, 'reason': reason}}, {_EXAMPLES}) AS places
            FROM rejects
            WHERE CASE WHEN contains(reason, '{ZEROS}') THEN 'zeros'
                       WHEN starts_with(reason, 'unfinished line') THEN 'torn'
                       WHEN starts_with(reason, '{PACKED}') THEN 'packed' ELSE 'line' END = ?
            GROUP BY 1 ORDER BY count DESC, 1""",
        [kind],
    )


@named
def doctor_orphans() -> Statement:
    """Spans whose parent is in no file."""
    return _found(
        _SPAN,
        """SELECT s.name, s.run_id, s.start_time FROM spans s
           WHERE s.parent_run_id IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM spans p WHERE p.run_id = s.parent_run_id AND p.trace_id = s.trace_id)""",
    )


@named
def doctor_missing_roots() -> Statement:
    """Traces without any span that has no parent."""
    return _found(
        "trace_id",
        """SELECT trace_id, min(start_time) AS start_time FROM spans
           GROUP BY trace_id HAVING bool_and(parent_run_id IS NOT NULL)""",
    )


@named
def doctor_cycles() -> Statement:
    """Spans that have their parents and never reach a root: they are below themselves.

    Somewhere in a circle a parent starts no earlier than its child. Only traces that have such a pair are gone through,
    which DuckDB does in memory alone.
    """
    return _found(
        _SPAN,
        """WITH RECURSIVE latest AS (
               SELECT trace_id, run_id, max((start_time, coalesce(seq, 0))) AS start FROM spans GROUP BY ALL),
           doubtful AS (
               SELECT name, run_id, parent_run_id, trace_id, start_time FROM spans WHERE trace_id IN (
                   SELECT s.trace_id FROM spans s JOIN latest p
                       ON p.run_id = s.parent_run_id AND p.trace_id = s.trace_id
                   WHERE p.start >= (s.start_time, coalesce(s.seq, 0)))),
           reached AS (
               SELECT s.run_id, s.trace_id FROM doubtful s
               WHERE s.parent_run_id IS NULL OR NOT EXISTS (
                   SELECT 1 FROM doubtful p WHERE p.run_id = s.parent_run_id AND p.trace_id = s.trace_id)
               UNION
               SELECT s.run_id, s.trace_id FROM doubtful s
               JOIN reached r ON s.parent_run_id = r.run_id AND s.trace_id = r.trace_id)
           SELECT name, run_id, start_time FROM doubtful ANTI JOIN reached USING (run_id, trace_id)""",
    )


@named
def doctor_recorded_twice() -> Statement:
    """Runs recorded by two tracers: the same id twice, started together."""
    return _found(_SPAN, _twice("<="))


@named
def doctor_duplicated_ids() -> Statement:
    """Ids used for runs at different times."""
    return _found(_SPAN, _twice(">"))


def _twice(comparison: str) -> str:
    return f"""SELECT run_id, any_value(name) AS name, min(start_time) AS start_time FROM spans
        GROUP BY run_id HAVING count(*) > 1 AND max(start_time) - min(start_time) {comparison} {_JUMP}"""


@named
def doctor_nested_calls() -> Statement:
    """Model calls directly inside a model call with the same usage: two instrumentations of one call."""
    return _found(
        _SPAN,
        """SELECT s.name, s.run_id, s.start_time FROM spans s
           JOIN spans p ON p.run_id = s.parent_run_id AND p.trace_id = s.trace_id
           WHERE s.type = 'llm' AND p.type = 'llm' AND s.token_usage.total_tokens = p.token_usage.total_tokens""",
    )


@named
def doctor_unfinished() -> Statement:
    """Spans whose process died before they ended."""
    return _spans("status = 'unfinished'")


@named
def doctor_running() -> Statement:
    """Spans that have not ended and whose process lives."""
    return _spans("status = 'running'")


@named
def doctor_abandoned() -> Statement:
    """Runs that never told their end, though their process went on."""
    return _spans("status = 'abandoned'")


@named
def doctor_unanswerable() -> Statement:
    """Traces that stopped for a human and have no thread. Only LangGraph's own are known to have none."""
    return _found(
        "name || ' ' || trace_id",
        """SELECT trace_id, min_by(name, row_id) AS name, min(start_time) AS start_time FROM spans
           WHERE trace_id IN (
               SELECT trace_id FROM spans
               WHERE status = 'interrupted' AND (checkpoint_ns IS NOT NULL OR checkpoint_id IS NOT NULL))
           GROUP BY trace_id HAVING count(thread_id) = 0""",
    )


@named
def doctor_missing_usage() -> Statement:
    """Model calls that ended well and did not say how many tokens they took, by model."""
    return (
        f"""WITH found AS (
                SELECT coalesce(model, request_model, name) AS model, count(*) AS calls,
                    count(*) FILTER (chunks > 0) AS streamed
                FROM spans WHERE type = 'llm' AND status = 'ok' AND token_usage IS NULL AND cache_hit IS NOT TRUE
                GROUP BY ALL)
            SELECT coalesce(sum(calls), 0)::BIGINT AS count,
                list(model || ': ' || calls || ' calls, ' || streamed || ' streamed' ORDER BY calls DESC)[1:{_EXAMPLES}]
                    AS examples
            FROM found""",
        [],
    )


@named
def doctor_clock() -> Statement:
    """Where the wall clock of a process was set back: a span that started before the one numbered before it."""
    return _found(
        f"{_SPAN} || ': ' || (epoch_ms(before) - epoch_ms(start_time)) || ' ms back'",
        f"""SELECT name, run_id, start_time, lag(start_time) OVER (PARTITION BY writer_id ORDER BY seq) AS before
            FROM spans WHERE writer_id IS NOT NULL AND seq IS NOT NULL QUALIFY before - start_time > {_JUMP}""",
    )


@named
def doctor_losses() -> Statement:
    """Spans that a tracer could not write, as it recorded itself when it could write again."""
    return (
        f"""SELECT least(coalesce(sum(TRY_CAST(metadata->>'lost' AS UBIGINT)), 0), {_MOST})::BIGINT AS count,
               list(concat_ws(' ', host, start_time, error.message) ORDER BY start_time)[1:{_EXAMPLES}] AS examples
           FROM spans WHERE type = 'event' AND name = 'flightlog.loss'""",
        [],
    )


@named
def gaps() -> Statement:
    """What every reader is told: ``lost``, the spans that could not be written, and ``newer``, those of a later version
    of the record. One query for both, because asking costs more than the answer.
    """
    (lost, _), (newer, _) = doctor_losses(), doctor_newer()
    return f"SELECT (SELECT count FROM ({lost})) AS lost, (SELECT count FROM ({newer})) AS newer", []


@named
def doctor_newer() -> Statement:
    """Spans of a later version of the record."""
    return _found(f"{_SPAN} || ': version ' || v", f"SELECT name, run_id, start_time, v FROM spans WHERE v > {VERSION}")


@named
def doctor_truncated() -> Statement:
    """Spans of which a payload was cut."""
    return _spans("truncated IS NOT NULL")


@named
def doctor_unpriced() -> Statement:
    """Model calls with usage and no known price, by model and the provider it was asked for."""
    return _found(
        "model || coalesce(' of provider ' || provider, '')",
        """SELECT coalesce(model, request_model, name) AS model, provider, min(start_time) AS start_time FROM spans
           WHERE type = 'llm' AND token_usage IS NOT NULL AND cost_usd IS NULL GROUP BY ALL""",
    )
