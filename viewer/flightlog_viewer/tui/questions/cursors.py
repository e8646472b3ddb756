"""Questions to the store from any thread, each on a cursor of its own, to be stopped by what they are about."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from time import sleep
from typing import TYPE_CHECKING, Any

from flightlog_viewer.store.queries.by_name import statement

if TYPE_CHECKING:
    import duckdb

    from flightlog_viewer.store.store import Store

_TRIES = 50
_PAUSE_S = 0.02


class Cursors:
    """Asks the store once it is loaded."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._asked: dict[str, duckdb.DuckDBPyConnection] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def ready(self) -> bool:
        """Whether there is a store to ask."""
        return self._store is not None

    @property
    def store(self) -> "Store":
        """The store. Raises RuntimeError before it is loaded, and after it has been closed."""
        if self._store is None:
            raise RuntimeError("the files are still being loaded")
        return self._store

    def open(self, store: "Store") -> None:
        """From now on this one is asked."""
        self._store = store

    def close(self) -> None:
        """Stop every question and close the store."""
        store, self._store = self._store, None
        if store is None:
            return
        import duckdb

        for last in (*[False] * _TRIES, True):
            for cursor in list(self._asked.values()):
                with suppress(Exception):  # a cursor that is already gone is fine
                    cursor.interrupt()
            try:
                store.close()
            except duckdb.Error:
                # A thread is in the middle of a call on the store's own connection: they are short.
                if last:
                    raise
                sleep(_PAUSE_S)
            else:
                return

    @contextmanager
    def topic(self, name: str) -> Iterator[None]:
        """Questions of this thread in the block belong to a topic and can be interrupted by its name."""
        self._local.topic = name
        try:
            yield
        finally:
            self._local.topic = self._local.cursor = None
            with self._lock:
                self._asked.pop(name, None)

    def interrupt(self, topic: str) -> None:
        """Stop the question of a topic, if one is running."""
        with self._lock:
            cursor = self._asked.get(topic)
        if cursor is not None:
            cursor.interrupt()

    def rows(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one of the program's own queries."""
        return self.execute(query, params).fetchall()

    def row(self, columns: str, table: str, row_id: int) -> dict[str, Any]:
        """One row by name of column; empty when there is none."""
        cursor = self.execute(f"SELECT {columns} FROM {table} WHERE row_id = ?", [row_id])
        names = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone()
        return {} if row is None else dict(zip(names, row, strict=True))

    def sql(self, query: str, most: int | None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """A query of the user's in the locked session: columns and at most ``most`` rows. Raises UsageError."""
        with closing(self.store.run(self._own_cursor, query)) as result:
            rows = result.fetchall() if most is None else result.fetchmany(most)
            return list(result.columns), rows

    def execute(self, query: str, params: Sequence[Any]) -> "duckdb.DuckDBPyConnection":
        """Run one of the program's own queries; the rows are to be fetched in this thread."""
        self.store.prepare(query)
        return self._cursor().execute(query, list(params))

    def _own_cursor(self) -> "duckdb.DuckDBPyConnection":
        """A cursor for a result to own; by its topic it can still be interrupted."""
        return self._of_topic(self.store.cursor())

    def _cursor(self) -> "duckdb.DuckDBPyConnection":
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self.store.cursor()
        return self._of_topic(cursor)

    def _of_topic(self, cursor: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
        topic = getattr(self._local, "topic", None)
        if topic is not None:
            with self._lock:
                self._asked[topic] = cursor
        return cursor

    def tables(self) -> dict[str, list[tuple[str, str]]]:
        """Columns and types of every table that SQL can name."""
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in self.rows(*statement("columns", {})):
            found.setdefault(table, []).append((column, kind))
        return found
