"""A span's own time: its duration without the time in which at least one of its children ran."""

import threading
from collections.abc import Callable
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Children that overlap are counted once: each adds only what lies behind the latest end so far. Children are clipped
# to the parent's own interval; a child that outlives its parent took none of its parent's time from then on.
_QUERY: Final = """
WITH span AS (
    SELECT rowid AS id, run_id, parent_run_id, trace_id, epoch_us(start_time) AS begin,
        epoch_us(start_time) + round(duration_ms * 1000)::BIGINT AS finish
    FROM span_rows WHERE duration_ms < 1e12),
child AS (
    SELECT parent.id, greatest(child.begin, parent.begin) AS begin, least(child.finish, parent.finish) AS finish
    FROM span AS child JOIN span AS parent
        ON child.parent_run_id = parent.run_id AND child.trace_id = parent.trace_id AND child.id <> parent.id),
step AS (
    SELECT id, begin, finish, max(finish) OVER (
        PARTITION BY id ORDER BY begin, finish ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
    FROM child WHERE finish > begin)
SELECT id, sum(greatest(0, finish - greatest(begin, coalesce(latest, begin)))) / 1000.0 AS busy_ms
FROM step GROUP BY id
"""


class SelfTimes:
    """Own times by row id, computed when first asked for and again when rows came."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._cursor = cursor
        self._lock = threading.Lock()
        self._values: NDArray[np.float64] = np.empty(0)

    def ensure(self, rows: int) -> None:
        """Compute for ``rows`` rows, unless that is done."""
        with self._lock:
            if len(self._values) == rows:
                return
            cursor = self._cursor()
            try:
                durations = cursor.execute("SELECT duration_ms FROM span_rows ORDER BY rowid").fetchnumpy()
                values = np.ma.filled(np.ma.asarray(durations["duration_ms"], np.float64), np.nan)
                busy = cursor.execute(_QUERY).fetchnumpy()
            finally:
                cursor.close()
            ids = np.asarray(busy["id"], np.int64)
            values[ids] = np.maximum(0.0, values[ids] - np.asarray(busy["busy_ms"], np.float64))
            self._values = values

    def sql_function(self) -> Callable[[pa.Array], pa.Array]:
        """``self_time(row_id) -> ms``, for DuckDB."""

        def self_time(row_ids: pa.Array) -> pa.Array:
            ids = row_ids.to_numpy(zero_copy_only=False).astype(np.int64)
            known = (ids >= 0) & (ids < len(self._values))
            values = np.full(len(ids), np.nan)
            values[known] = self._values[ids[known]]
            return pa.array(values, from_pandas=True)

        return self_time
