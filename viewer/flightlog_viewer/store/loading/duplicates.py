"""Records that are there twice: the same file copied, a part loaded both plain and compressed, a writer that retried.

A record's key is its writer and counter; with the run, start and duration it names one record exactly. Records of
one run that differ are kept, and are a matter for ``doctor``.
"""

from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

KEY: Final = "hash(run_id, start_time, writer_id, seq)"
_SAME: Final = "run_id, trace_id, start_time, writer_id, seq, duration_ms, status, type, name, parent_run_id"


def duplicates_within(connection: duckdb.DuckDBPyConnection, table: str) -> NDArray[np.int64]:
    """The rows of a table of kept rows that repeat an earlier one, in order."""
    # Sorted here, because that is three times as fast as counting distinct values there.
    keys = np.sort(np.asarray(connection.execute(f"SELECT {KEY} AS key FROM {table}").fetchnumpy()["key"], np.uint64))
    if not (keys[1:] == keys[:-1]).any():
        return np.empty(0, np.int64)
    found = connection.execute(
        f"WITH again AS (SELECT {KEY} AS key FROM {table} GROUP BY key HAVING count(*) > 1) "
        f"SELECT id FROM (SELECT rowid AS id, row_number() OVER (PARTITION BY {_SAME} ORDER BY rowid) AS nth "
        f"FROM {table} WHERE {KEY} IN (SELECT key FROM again)) WHERE nth > 1 ORDER BY id"
    ).fetchnumpy()
    return np.asarray(found["id"], np.int64)


def duplicates_of_stored(connection: duckdb.DuckDBPyConnection) -> NDArray[np.int64]:
    """The rows of ``staged_rows``, by their ``id``, that the store has already."""
    # The times first: rows lie in the order of time, more or less, so that most need not be looked at.
    ((first, last),) = connection.execute("SELECT min(start_time), max(start_time) FROM staged_rows").fetchall()
    same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in _SAME.split(", ")[1:])
    found = connection.execute(
        f"SELECT DISTINCT a.id FROM staged_rows AS a JOIN all_rows AS b ON a.run_id = b.run_id AND {same} "
        "WHERE b.start_time BETWEEN ? AND ? ORDER BY a.id",
        [first, last],
    ).fetchnumpy()
    return np.asarray(found["id"], np.int64)
