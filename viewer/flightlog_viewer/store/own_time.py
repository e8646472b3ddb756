"""A span's own time: its duration without the time in which at least one of its children ran."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_CROWD: Final = 100
"""Spans of a trace that may have one run id before each child is joined with one of them alone."""
_BUCKETS: Final = 1 << 16
# By buckets of run ids, because groups of the ids themselves cost twice as much.
_FULLEST: Final = f"""
SELECT coalesce(sum(spans), 0), coalesce(max(spans), 0)
FROM (SELECT count(*) AS spans FROM all_rows GROUP BY (hash(run_id) % {_BUCKETS})::USMALLINT)
"""

_EVERY_PARENT: Final = """
    SELECT parent.row_id, greatest(child.begin, parent.begin) AS begin, least(child.finish, parent.finish) AS finish
    FROM span AS child JOIN span AS parent
        ON child.parent_run_id = parent.run_id AND child.trace_id = parent.trace_id
            AND child.row_id <> parent.row_id"""
_LATEST_PARENT: Final = """
    SELECT parent.row_id, child.begin, least(child.finish, parent.finish) AS finish
    FROM span AS child ASOF JOIN span AS parent
        ON child.parent_run_id = parent.run_id AND child.trace_id = parent.trace_id AND child.begin >= parent.begin
    WHERE child.row_id <> parent.row_id"""

# Children that overlap are counted once: each adds only what lies behind the latest end so far. Children are clipped
# to the parent's own interval; a child that outlives its parent took none of its parent's time from then on.
_OWN_TIMES: Final = """
WITH span AS (
    SELECT row_id, run_id, parent_run_id, trace_id, duration_ms, epoch_us(start_time) AS begin,
        epoch_us(start_time) + round(duration_ms * 1000)::BIGINT AS finish
    FROM all_rows WHERE duration_ms < 1e12 AND row_id >= 0 AND (
        {{first}} = 0 OR trace_id IN (SELECT trace_id FROM all_rows WHERE row_id >= {{first}}))),
child AS ({pairs}),
step AS (
    SELECT row_id, begin, finish, max(finish) OVER (
        PARTITION BY row_id ORDER BY begin, finish ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
    FROM child WHERE finish > begin),
busy AS (
    SELECT row_id, sum(greatest(0, finish - greatest(begin, coalesce(latest, begin)))) / 1000.0 AS busy_ms
    FROM step GROUP BY row_id)
SELECT span.row_id, greatest(0, duration_ms - coalesce(busy_ms, 0)) AS value FROM span LEFT JOIN busy USING (row_id)
"""


def own_times(cursor: "duckdb.DuckDBPyConnection", rows: int) -> str:
    """The query for ``all_rows`` as they are, of which ``rows`` are no longer in flight; ``{first}`` in it: only traces
    with rows from this row id on; 0 for all.

    Where one run id has very many spans, all pairs of a child and a parent would fill the memory: there a child belongs
    to the latest before it alone, as in the tree.
    """
    crowded = False
    if rows > _CROWD:
        ((spans, fullest),) = cursor.execute(_FULLEST).fetchall()
        crowded = fullest > _CROWD + 8 * spans // _BUCKETS
    return _OWN_TIMES.format(pairs=_LATEST_PARENT if crowded else _EVERY_PARENT)
