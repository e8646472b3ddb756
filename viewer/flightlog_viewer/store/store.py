"""The store: span files in DuckDB, asked by name or in SQL."""

import atexit
import contextlib
import os
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import duckdb
from duckdb.func import PythonUDFType

from flightlog.errors import UnreadableError
from flightlog_viewer.store import ingest, session
from flightlog_viewer.store.locations import Locations
from flightlog_viewer.store.payloads import PayloadReader
from flightlog_viewer.store.queries import statement
from flightlog_viewer.store.self_time import SelfTimes
from flightlog_viewer.store.sources import compression, resolve
from flightlog_viewer.store.views import create_views

Progress = Callable[[int, int, int], Any]
"""Told bytes done, bytes in all, rows so far; an answer of False cancels the load."""


# A query that shows all columns of one of these shows own times too.
_STAR: Final = re.compile(
    r"(SELECT|DISTINCT|,|\.)\s*\*.*\b(spans|nodes|errors|llm_calls|tool_calls)\b|^\s*(FROM|TABLE)\b", re.I | re.S
)


@dataclass(slots=True)
class Source:
    """One file of the store."""

    file_id: int
    path: Path
    descriptor: int
    size: int
    """Bytes when it was opened."""
    rows: int = 0
    end: int = 0
    """Bytes loaded."""


class Store:
    """Loaded span files. A context manager; close it to free files and memory."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self.sources: list[Source] = []
        self._descriptors: list[int] = []
        self._locations = Locations()
        self._payloads = PayloadReader(self._locations, self._descriptors)
        self._self_times = SelfTimes(self._connection.cursor)
        self.dropped_fields = 0
        """Optional fields of unusable value that became NULL."""
        ingest.create_table(self._connection, "span_rows")
        self._connection.execute("CREATE TABLE sources (file_id INTEGER, path VARCHAR)")
        self._connection.execute("CREATE TABLE rejects (file VARCHAR, byte_offset BIGINT, reason VARCHAR)")
        self._create_functions()
        create_views(self._connection)
        _OPEN.add(self)

    def sql(self, query: str, params: Any = None) -> session.Result:
        """Run one SELECT or EXPLAIN in the locked session; its values are read as they are asked for.

        Raises UsageError with DuckDB's own sentence when the query is wrong or not allowed.
        """
        self._prepare(query)
        return session.run(self._connection.cursor(), query, params)

    def query(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query (``store.queries``). Raises UsageError for an unknown name."""
        text, values = statement(name, params)
        result = self.sql(text, values)
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for the program's own queries, for use in one thread; close it. ``interrupt()`` cancels it."""
        self._self_times.ensure(len(self._locations))
        return self._connection.cursor()

    def payload(self, row_id: int) -> dict[str, Any]:
        """``inputs``, ``output``, ``metadata`` and ``raw`` (unknown fields) of a span, as far as it has them.

        ``{"payload_gone": True}`` when the file no longer holds the span's line, or there is no such row.
        """
        found = self.sql("SELECT run_id FROM spans WHERE row_id = ?", [row_id]).fetchall()
        return self._payloads.payload(row_id, found[0][0]) if found else {"payload_gone": True}

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines that are no spans: ``file``, ``byte_offset``, ``reason``."""
        rows = self.sql("SELECT file, byte_offset, reason FROM rejects ORDER BY file, byte_offset").fetchall()
        return [{"file": file, "byte_offset": offset, "reason": reason} for file, offset, reason in rows]

    @property
    def span_count(self) -> int:
        """Rows of ``spans``."""
        return len(self._locations)

    def interrupt(self) -> None:
        """Cancel what runs on the store's own connection."""
        self._connection.interrupt()

    def close(self) -> None:
        """Free memory and files; harmless when repeated."""
        _OPEN.discard(self)
        self._connection.close()
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _load(self, paths: Sequence[Path], progress: Progress | None) -> None:
        opened = [self._open(path) for path in paths]
        total = sum(source.size for source in opened)
        done = 0
        for source in opened:
            loaded = ingest.load_file(
                self._connection, "span_rows", source.path, source.descriptor, source.file_id, self._locations
            )
            source.rows, source.end = loaded.rows, loaded.end
            self.dropped_fields += loaded.dropped_fields
            if loaded.rejects:
                self._connection.executemany(
                    "INSERT INTO rejects VALUES (?, ?, ?)",
                    [(str(source.path), reject.byte_offset, reject.reason) for reject in loaded.rejects],
                )
            done += source.size
            if progress is not None and progress(done, total, len(self._locations)) is False:
                break
        session.lock(self._connection)

    def _open(self, path: Path) -> Source:
        try:
            kind = compression(path)
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None
        if kind is not None:
            os.close(descriptor)
            raise UnreadableError(f"{path} is compressed: unpack it first")
        source = Source(len(self.sources), path, descriptor, os.fstat(descriptor).st_size)
        self._descriptors.append(descriptor)
        self.sources.append(source)
        self._connection.execute("INSERT INTO sources VALUES (?, ?)", [source.file_id, str(path)])
        return source

    def _create_functions(self) -> None:
        self._connection.create_function(
            "payload_json",
            self._payloads.sql_function(),
            ["BIGINT", "VARCHAR", "VARCHAR"],
            "VARCHAR",
            type=PythonUDFType.ARROW,
        )
        self._connection.create_function(
            "self_time", self._self_times.sql_function(), ["BIGINT"], "DOUBLE", type=PythonUDFType.ARROW
        )

    def _prepare(self, query: str) -> None:
        if "self_ms" in query or _STAR.search(query):
            self._self_times.ensure(len(self._locations))


def open_store(
    paths: Sequence[str | Path] | str | Path = (),
    *,
    checkpoints: Sequence[str] = (),
    cache: bool = True,
    progress: Progress | None = None,
    allow_empty: bool = False,
) -> Store:
    """Load span files: files, folders, globs; without paths the newest span file here.

    ``allow_empty`` accepts files that hold no span yet, for those who wait for them. Raises UnreadableError when a
    path is missing, cannot be read, or is no span file.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    store = Store()
    try:
        store._load(resolve(given), progress)
        if not store.span_count and not allow_empty:
            raise UnreadableError(_nothing(store))
    except BaseException:
        store.close()
        raise
    return store


def _nothing(store: Store) -> str:
    names = ", ".join(str(source.path) for source in store.sources[:3])
    rejects = store.rejects
    if not rejects:
        return f"{names} is empty: no span has been recorded yet"
    lines = "its one line is" if len(rejects) == 1 else f"none of its {len(rejects)} lines is"
    return f"{names} is no span file: {lines} a span (the first: {rejects[0]['reason']})"


_OPEN: "weakref.WeakSet[Store]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # An open DuckDB connection with functions complains about leaks on stderr when the interpreter ends.
    for store in list(_OPEN):
        with contextlib.suppress(Exception):
            store.close()
