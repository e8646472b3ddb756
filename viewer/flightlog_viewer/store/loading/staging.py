"""The second, unlocked DuckDB instance: reads stretches of growing files and hands the rows over as Arrow.

The store's own instance is locked and can open no file any more. Files reach it only through here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from flightlog_viewer.store.columns import LIGHT, kept_columns, read_columns
from flightlog_viewer.store.instance import connect
from flightlog_viewer.store.loading.duplicates import duplicates_of_stored
from flightlog_viewer.store.loading.in_flight import Started
from flightlog_viewer.store.loading.ingest import Loader
from flightlog_viewer.store.loading.locations import Locations
from flightlog_viewer.store.loading.sieve import encode

# A JSON value that DuckDB's reader let through may still be refused by its cast.
_TYPED: Final = ", ".join(
    [f"TRY_CAST({c.name} AS JSON)" if c.type == "JSON" else c.name for c in LIGHT] + ["metadata_in_file", "file_id"]
)
_TYPED_NAMED: Final = ", ".join(
    [f"TRY_CAST({c.name} AS {c.type}) AS {c.name}" for c in LIGHT] + ["metadata_in_file", "file_id"]
)
_NAMES: Final = ", ".join([*(c.name for c in LIGHT), "metadata_in_file", "file_id"])


class Staging:
    """Rows on their way into the store."""

    def __init__(self, new_file: Callable[[], Path]) -> None:
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._new_file = new_file

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            self._opened = connect(threads=1)
        return self._opened

    def loader(self) -> Loader:
        """An empty table to load into."""
        self._connection.execute("DROP TABLE IF EXISTS staged")
        return Loader(self._connection, "staged", self._new_file)

    def hand_over(self, loader: Loader, cursor: duckdb.DuckDBPyConnection, locations: Locations) -> int:
        """Move what ``loader`` has into the store; the number of rows that were new.

        Rows that the store has already are dropped, and counted in ``loader.duplicates``.
        """
        loader.finish()
        staged = self._arrow(f"SELECT rowid AS id, {_NAMES} FROM staged ORDER BY rowid")
        places = loader.locations
        file_ids, starts, sizes = places.file_ids, places.starts, places.sizes
        cursor.register("staged_rows", staged)
        again = duplicates_of_stored(cursor)
        if len(again):
            loader.duplicates += len(again)
            kept = np.ones(len(staged), np.bool_)
            kept[again] = False
            staged = staged.filter(pa.array(kept))
            file_ids, starts, sizes = file_ids[kept], starts[kept], sizes[kept]
            cursor.register("staged_rows", staged)
        if len(staged):
            # Places first: a reader in another thread may see the rows at once.
            first = len(locations)
            locations.extend(file_ids, starts, sizes)
            try:
                cursor.execute(f"INSERT INTO span_rows SELECT {_TYPED} FROM staged_rows ORDER BY id")
            except duckdb.Error:
                locations.drop(np.arange(first, first + len(staged)))
                raise
        cursor.unregister("staged_rows")
        return len(staged)

    def replace_open_rows(self, started: Sequence[Started], cursor: duckdb.DuckDBPyConnection) -> None:
        """Make the rows in flight those of ``started``, in its order."""
        path = self._new_file()
        path.write_bytes(b"\n".join(encode(one.light_record()) for one in started))
        rows = self._arrow(
            f"SELECT {kept_columns()}, 0 AS file_id FROM read_json(?, format = 'newline_delimited', "
            f"columns = {read_columns()}, ignore_errors = true)",
            [str(path)],
        )
        path.unlink()
        ids = pa.array([one.file_id for one in started], pa.int32())
        rows = rows.set_column(rows.column_names.index("file_id"), "file_id", ids)
        cursor.register("started_rows", rows)
        # A new table rather than DELETE: its row ids begin at 0 again, and are the places in `started`.
        cursor.execute(f"CREATE OR REPLACE TABLE open_rows AS SELECT {_TYPED_NAMED} FROM started_rows")
        cursor.unregister("started_rows")

    def _arrow(self, query: str, values: Sequence[str] = ()) -> Any:
        return self._connection.sql(query, params=list(values)).to_arrow_table()

    def close(self) -> None:
        """Free its memory; harmless when repeated."""
        if self._opened is not None:
            self._opened.close()
