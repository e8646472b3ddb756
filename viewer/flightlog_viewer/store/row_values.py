"""Computed columns: one number a row, worked out when first asked for, then looked up by row id.

A column like the own time of a span needs a join over all spans. Held as an array behind an SQL function it costs
nothing to a load, and nothing to a query that does not name it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class RowValues:
    """One computed column."""

    def __init__(self, query: Callable[[duckdb.DuckDBPyConnection, int], str]) -> None:
        self._query = query
        """Answers, for a number of rows, a query that gives ``row_id`` and ``value`` for what rows from ``{first}`` on
        have a part in."""
        self._values: NDArray[np.float64]
        self._read: Callable[[], NDArray[np.float64]] | None = _none

    @property
    def values(self) -> "NDArray[np.float64]":
        """By row id; NaN where there is none."""
        self.ready()
        return self._values

    def restore(self, read: "Callable[[], NDArray[np.float64]]") -> None:
        """Take the values from ``read``, when they are needed."""
        self._read = read

    def forget(self) -> None:
        """Have no values again."""
        self._read = _none

    def ready(self) -> None:
        """Have the values at hand: the SQL function must not ask the database in the middle of a query."""
        if self._read is not None:
            self._values, self._read = self._read(), None

    def compute(self, cursor: duckdb.DuckDBPyConnection, first: int, rows: int) -> None:
        """Work the values out for the rows from ``first`` on, and whatever else those change."""
        import numpy as np

        found = cursor.execute(self._query(cursor, rows).format(first=first)).fetchnumpy()
        ids = np.asarray(found["row_id"], np.int64)
        values = self._known(first, rows)
        kept = ids < rows  # rows that come in the meantime are the next turn's
        values[ids[kept]] = np.asarray(found["value"], np.float64)[kept]
        self._values = values

    def without(self, first: int, rows: int) -> None:
        """Know that the rows from ``first`` on have no value."""
        self._values = self._known(first, rows)

    def _known(self, first: int, rows: int) -> "NDArray[np.float64]":
        import numpy as np

        values = np.full(rows, np.nan)
        values[:first] = self.values[:first]
        return values

    def sql_function(self) -> "Callable[[pa.Array], pa.Array]":
        """``f(row_id) -> value``, for DuckDB; NULL where there is none."""

        # DuckDB evaluates the annotations, so they must not name what is not imported yet.
        def value_of(row_ids: Any) -> Any:
            import numpy as np
            import pyarrow as pa

            if self._read is not None:  # a query that names the function and no view of it: nothing is at hand
                return pa.nulls(len(row_ids), pa.float64())
            chunks = getattr(row_ids, "chunks", [row_ids])
            ids = np.concatenate([np.empty(0, np.int64), *map(_integers, chunks)])
            known = (ids >= 0) & (ids < len(self._values))
            values = np.full(len(ids), np.nan)
            values[known] = self._values[ids[known]]
            there = np.packbits(~np.isnan(values), bitorder="little")
            return pa.Array.from_buffers(pa.float64(), len(values), [pa.py_buffer(there), pa.py_buffer(values)])

        return value_of


# pyarrow's own ways between its arrays and numpy's import pandas where it is installed: 0.2 s, for nothing.
def _integers(array: "pa.Array") -> "NDArray[np.int64]":
    """The numbers of an array of 64-bit integers; -1 where there is none."""
    import numpy as np

    first, end = array.offset, array.offset + len(array)
    present, data = array.buffers()
    numbers = np.frombuffer(data, np.int64, end)[first:] if len(array) else np.empty(0, np.int64)
    if present is None or not array.null_count:
        return numbers
    bits = np.unpackbits(np.frombuffer(present, np.uint8), count=end, bitorder="little")[first:]
    return np.where(bits, numbers, -1)


def _none() -> "NDArray[np.float64]":
    import numpy as np

    return np.empty(0)
