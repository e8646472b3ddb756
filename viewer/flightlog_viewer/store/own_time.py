"""A span's own time: its duration without the time in which at least one of its children ran."""

from typing import Final

# Children that overlap are counted once: each adds only what lies behind the latest end so far. Children are clipped
# to the parent's own interval; a child that outlives its parent took none of its parent's time from then on.
OWN_TIMES: Final = """
WITH span AS (
    SELECT row_id, run_id, parent_run_id, trace_id, duration_ms, epoch_us(start_time) AS begin,
        epoch_us(start_time) + round(duration_ms * 1000)::BIGINT AS finish
    FROM all_rows WHERE duration_ms < 1e12 AND row_id >= 0 AND (
        {first} = 0 OR trace_id IN (SELECT trace_id FROM all_rows WHERE row_id >= {first}))),
child AS (
    SELECT parent.row_id, greatest(child.begin, parent.begin) AS begin, least(child.finish, parent.finish) AS finish
    FROM span AS child JOIN span AS parent
        ON child.parent_run_id = parent.run_id AND child.trace_id = parent.trace_id
            AND child.row_id <> parent.row_id),
step AS (
    SELECT row_id, begin, finish, max(finish) OVER (
        PARTITION BY row_id ORDER BY begin, finish ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
    FROM child WHERE finish > begin),
busy AS (
    SELECT row_id, sum(greatest(0, finish - greatest(begin, coalesce(latest, begin)))) / 1000.0 AS busy_ms
    FROM step GROUP BY row_id)
SELECT span.row_id, greatest(0, duration_ms - coalesce(busy_ms, 0)) AS value FROM span LEFT JOIN busy USING (row_id)
"""
"""``{first}``: only traces with rows from this row id on; 0 for all."""
