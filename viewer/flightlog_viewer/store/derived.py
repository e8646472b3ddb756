"""What is worked out from the rows when a query first needs it: own times, prices and costs, the table of traces.

A query is looked at for the names that need them, so that a load pays for none and `SELECT count(*)` neither. Rows
that came since are added by the traces they belong to.
"""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from flightlog_viewer.store.checkpoint_databases import CheckpointDatabases
from flightlog_viewer.store.own_time import own_times
from flightlog_viewer.store.prices import COSTS, PriceTable
from flightlog_viewer.store.row_values import RowValues
from flightlog_viewer.store.views import TRACE_COLUMNS, TRACES, ViewsOnDemand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COUNT_STAR: Final = re.compile(r"count\s*\(\s*\*\s*\)", re.IGNORECASE)
_ALL: Final = re.compile(r"\*|^\s*(FROM|TABLE|SUMMARIZE)\b|\bcolumns\s*\(", re.IGNORECASE)
_OWN: Final = re.compile(r"\bself_ms\b", re.IGNORECASE)
_COST: Final = re.compile(r"cost|\bcounted\b", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\?|\$\w+")
"""A parameter of a query. Something like it within quotes or a comment is replaced too, which changes no table."""
_KNOWN_QUERIES: Final = 256
_CALLS_SINCE: Final = "SELECT 1 FROM all_rows WHERE type = 'llm' AND (row_id >= ? OR row_id < 0) LIMIT 1"
_TABLES: Final = f"CREATE TABLE llm_wrappers (run_id VARCHAR); CREATE TABLE trace_rows ({TRACE_COLUMNS})"


class Derived:
    """Keeps what is derived up to date with the rows."""

    def __init__(
        self, cursor: Callable[[], duckdb.DuckDBPyConnection], price_file: Path | None, databases: CheckpointDatabases
    ) -> None:
        self._cursor = cursor
        self.price_file = price_file
        """The user's own prices."""
        self._databases = databases
        self._views = ViewsOnDemand(cursor)
        self._prices: PriceTable | None = None
        self._lock = threading.RLock()
        self._own_rows = self._cost_rows = self._trace_rows = 0
        self._open_seen = 0
        self._known_tables: dict[str, set[str]] = {}
        """By the text of a query."""
        self._base_traces = 0
        """Rows whose traces the base has, and that were not taken over yet."""
        self.own_times = RowValues(own_times)
        self.costs = RowValues(lambda _, __: COSTS)

    def prepare(self, query: str, rows: int, changes: int) -> None:
        """Work out what ``query`` needs for the first ``rows`` rows.

        ``changes`` counts how often the rows in flight were replaced.
        """
        text = _COUNT_STAR.sub("", query)
        with self._lock:
            self._views.prepare(query)
        tables = self.tables(query)
        everything = _ALL.search(text) is not None
        with self._lock:
            if everything or _OWN.search(text):
                self._ensure_own(rows)
            if everything or "prices" in tables or "trace_rows" in tables or _COST.search(text):
                self._ensure_costs(rows)
            if "trace_rows" in tables:
                self._ensure_traces(rows, changes)
            self._databases.prepare(tables, rows, changes)

    def create_views(self) -> bool:
        """Create every view that no query has named yet; whether there were any."""
        with self._lock:
            return self._views.create_all()

    def tables(self, query: str) -> set[str]:
        """The tables that a query reads, those behind views too; by its words when it cannot be bound."""
        if (known := self._known_tables.get(query)) is not None:
            return known
        with self._cursor() as cursor:
            try:
                # DuckDB does not bind parameters here; which tables are read does not hang on their values.
                found = cursor.get_table_names(_PARAMETER.sub("NULL", query))
            except duckdb.Error:
                words = set(re.findall(r"\w+", query.lower()))
                return words | ({"trace_rows"} if words & {"traces", "threads"} else set())
        if len(self._known_tables) >= _KNOWN_QUERIES:
            self._known_tables = {}
        self._known_tables[query] = found
        return found

    def prepare_all(self, rows: int) -> None:
        """Work out all that comes from spans, when none was ever in flight."""
        with self._lock:
            self._ensure_own(rows)
            self._ensure_costs(rows)
            self._ensure_traces(rows, 0)

    def start_over(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Forget what was worked out of rows that are gone."""
        with self._lock:
            for table in ("llm_wrappers", "prices", "trace_rows"):
                connection.execute(f"DELETE FROM {table}")
            self.own_times.forget()
            self.costs.forget()
            self._prices = None
            self._own_rows = self._cost_rows = self._trace_rows = self._open_seen = self._base_traces = 0

    def restore(self, connection: duckdb.DuckDBPyConnection, rows: int) -> None:
        """Take over what the attached base has for its ``rows`` rows; its arrays and traces when they are needed."""

        def column(name: str) -> "Callable[[], NDArray[np.float64]]":
            def read() -> "NDArray[np.float64]":
                import numpy as np

                with self._cursor() as cursor:
                    found = cursor.execute(f"SELECT {name} FROM base.row_values").fetchnumpy()
                return np.ma.filled(np.ma.asarray(found[name], np.float64), np.nan)

            return read

        for table in ("llm_wrappers", "prices"):
            connection.execute(f"INSERT INTO {table} FROM base.{table}")
        self.own_times.restore(column("self_ms"))
        self.costs.restore(column("cost_usd"))
        self._own_rows = self._cost_rows = self._base_traces = rows

    def _ensure_own(self, rows: int) -> None:
        self.own_times.ready()
        if self._own_rows < rows:
            with self._cursor() as cursor:
                self.own_times.compute(cursor, self._own_rows, rows)
            self._own_rows = rows

    def _ensure_costs(self, rows: int) -> None:
        self.costs.ready()
        if self._cost_rows >= rows:
            return
        if self._prices is None:
            self._prices = PriceTable(self.price_file)
        with self._cursor() as cursor:
            seen = self._cost_rows
            if not cursor.execute(_CALLS_SINCE, [seen]).fetchall():
                self.costs.without(seen, rows)
                self._cost_rows = rows
                return
            came = f"SELECT unnest([run_id, parent_run_id]) FROM all_rows WHERE type = 'llm' AND row_id >= {seen}"
            whose = f"IN ({came})" if seen else "IS NOT NULL"
            # The first and the last call below each id are enough: no pairs, where very many calls have one id.
            cursor.execute(
                "INSERT INTO llm_wrappers SELECT DISTINCT parent.run_id FROM all_rows AS parent JOIN ("
                "SELECT parent_run_id, trace_id, min(row_id) AS first, max(row_id) AS last FROM all_rows "
                f"WHERE type = 'llm' AND parent_run_id {whose} GROUP BY ALL) AS inside "
                "ON inside.parent_run_id = parent.run_id AND inside.trace_id = parent.trace_id "
                f"WHERE parent.type = 'llm' AND CASE WHEN parent.row_id < {seen} THEN last >= {seen} "
                "ELSE first <> parent.row_id OR last <> parent.row_id END "
                "AND parent.run_id NOT IN (SELECT run_id FROM llm_wrappers)"
            )
            self._prices.fill(cursor)
            self.costs.compute(cursor, self._cost_rows, rows)
        self._cost_rows = rows

    def _ensure_traces(self, rows: int, changes: int) -> None:
        if self._base_traces:
            with self._cursor() as cursor:
                cursor.execute("INSERT INTO trace_rows FROM base.trace_rows")
            self._trace_rows, self._base_traces = self._base_traces, 0
        if self._trace_rows >= rows and self._open_seen == changes:
            return
        first = self._trace_rows
        with self._cursor() as cursor:
            cursor.execute("BEGIN")
            if first == 0:
                cursor.execute("DELETE FROM trace_rows")
                cursor.execute(f"INSERT INTO trace_rows {TRACES.format(scope='true')}")
            else:
                scope = (
                    f"trace_id IN (SELECT trace_id FROM all_rows WHERE row_id >= {first} OR row_id < 0 "
                    "UNION ALL SELECT trace_id FROM trace_rows WHERE open_count > 0)"
                )
                cursor.execute(f"CREATE OR REPLACE TEMP TABLE fresh_traces AS {TRACES.format(scope=scope)}")
                cursor.execute(
                    "DELETE FROM trace_rows WHERE open_count > 0 OR trace_id IN (SELECT trace_id FROM fresh_traces)"
                )
                cursor.execute("INSERT INTO trace_rows FROM fresh_traces")
                cursor.execute("DROP TABLE fresh_traces")
            cursor.execute("COMMIT")
        self._trace_rows, self._open_seen = rows, changes


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that are filled on demand."""
    connection.execute(_TABLES)
