"""The store: span files in DuckDB, asked by name or in SQL."""

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import duckdb

from flightlog.errors import UnreadableError
from flightlog_viewer.store import derived, ingest, prices, session
from flightlog_viewer.store.functions import create_functions
from flightlog_viewer.store.in_flight import Started, read_started
from flightlog_viewer.store.locations import Locations
from flightlog_viewer.store.payloads import PayloadReader
from flightlog_viewer.store.queries import statement
from flightlog_viewer.store.source_file import SourceFile, open_source
from flightlog_viewer.store.sources import resolve
from flightlog_viewer.store.spool import Spool
from flightlog_viewer.store.staging import Staging
from flightlog_viewer.store.views import create_views
from flightlog_viewer.store.watch import Progress, Watch


class Store:
    """Loaded span files. A context manager; close it to free files and memory.

    Queries may come from any thread; each runs on a cursor of its own.
    """

    def __init__(self, paths: Sequence[str | Path], *, threads: int | None = None) -> None:
        self._paths = list(paths)
        self._threads = threads
        self._connection = duckdb.connect(":memory:", config={"threads": threads} if threads else {})
        self._spool = Spool()
        self._staging = Staging(self._spool.new_file)
        self._descriptors: list[int] = []
        self._locations = Locations()
        self._payloads = PayloadReader(self._locations, self._descriptors)
        self._derived = derived.Derived(self._connection.cursor, prices.override_file())
        self._refresh_lock = threading.Lock()
        self._open_changes = 0
        self._closed = False
        self.sources: list[SourceFile] = []
        """The files, by file id."""
        self.dropped_fields = 0
        """Optional fields of unusable value that became NULL."""
        self.duplicates = 0
        """Records that repeated another one, and were dropped."""
        _OPEN.add(self)

    def sql(self, query: str, params: Any = None) -> session.Result:
        """Run one SELECT or EXPLAIN in the locked session; its values are read as they are asked for.

        Raises UsageError with DuckDB's own sentence when the query is wrong or not allowed.
        """
        self.prepare(query)
        return session.run(self._connection.cursor(), query, params)

    def query(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query (``store.queries``). Raises UsageError for an unknown name."""
        text, values = statement(name, params)
        result = self.sql(text, values)
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def prepare(self, query: str) -> None:
        """Work out the computed columns and tables that a query names, so that a cursor can run it."""
        self._derived.prepare(query, len(self._locations), self._open_changes)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for the program's own queries, for use in one thread; close it. ``interrupt()`` cancels it.

        ``prepare`` comes first for a query that names ``self_ms``, ``cost_usd``, ``traces`` or ``threads``.
        """
        return self._connection.cursor()

    def payload(self, row_id: int) -> dict[str, Any]:
        """``inputs``, ``output``, ``metadata`` and ``raw`` (unknown fields) of a span, as far as it has them.

        ``{"payload_gone": True}`` when the file no longer holds the span's line, or there is no such row.
        """
        with self._connection.cursor() as cursor:
            found = cursor.execute("SELECT run_id FROM all_rows WHERE row_id = ?", [row_id]).fetchall()
        return self._payloads.payload(row_id, found[0][0]) if found else {"payload_gone": True}

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines that are no spans: ``file``, ``byte_offset``, ``reason``."""
        rows = self.sql("SELECT file, byte_offset, reason FROM rejects ORDER BY file, byte_offset").fetchall()
        return [{"file": file, "byte_offset": offset, "reason": reason} for file, offset, reason in rows]

    @property
    def span_count(self) -> int:
        """Finished spans in the store."""
        return len(self._locations)

    def refresh(self) -> int:
        """Load what came since: lines, files, starts; the number of new finished spans. Row ids stay as they are.

        Rotation, truncation and deletion of a file are followed. A line that is still being written waits.
        """
        with self._refresh_lock:
            if self._closed:
                return 0
            # Sidecars before files: a span that ends meanwhile is then in both, not in none.
            started = self._read_started()
            new = self._grow()
            self._show_started(started)
            return new

    def interrupt(self) -> None:
        """Cancel what runs on the store's own connection; a load then raises duckdb.InterruptException."""
        self._connection.interrupt()

    def close(self) -> None:
        """Free memory and files; harmless when repeated."""
        with self._refresh_lock:
            _OPEN.discard(self)
            self._closed = True
            self._staging.close()
            self._connection.close()
            self._spool.close()
            while self._descriptors:
                os.close(self._descriptors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _load(self, paths: Sequence[Path], progress: Progress | None) -> None:
        """Load whole files, then lock."""
        connection = self._connection
        create_functions(connection, self._payloads, self._derived)
        connection.execute("CREATE TABLE sources (file_id INTEGER, path VARCHAR)")
        connection.execute("CREATE TABLE reject_rows (file_id INTEGER, byte_offset BIGINT, reason VARCHAR)")
        connection.execute(prices.TABLE)
        derived.create_tables(connection)
        ingest.create_table(connection, "open_rows")
        files = [self._open(path) for path in paths]
        started = self._read_started()
        loader = ingest.Loader(connection, "span_rows", self._spool.new_file)
        with Watch(connection, sum(source.size() for source in files), progress) as watch:
            for source in files:
                watch.file(source.size())
                loader.load(source, source.read_path)
                watch.file_done(len(loader.locations))
            loader.finish()
        places = loader.locations
        self._locations.extend(places.file_ids, places.starts, places.sizes)
        self._note(loader)
        create_views(connection, None)
        session.lock(connection)
        self._show_started(started)

    def _open(self, path: Path) -> SourceFile:
        source = open_source(len(self.sources), path, self._spool)
        self._descriptors.append(source.descriptor)
        self.sources.append(source)
        self._connection.execute("INSERT INTO sources VALUES (?, ?)", [source.file_id, str(path)])
        return source

    def _grow(self) -> int:
        pieces: list[tuple[SourceFile, int]] = []
        for source in list(self.sources):
            change = source.change()
            if change == "grown":
                pieces.append((source, source.size()))
            elif change in ("truncated", "replaced"):
                source.followed = False
        pieces += [(source, source.size()) for source in self._discover()]
        if not pieces:
            return 0
        loader = self._staging.loader()
        with self._connection.cursor() as cursor:
            for source, stop in pieces:
                cursor.execute(
                    "DELETE FROM reject_rows WHERE file_id = ? AND byte_offset >= ?", [source.file_id, source.end]
                )
                copy = self._spool.stretch(source.descriptor, source.end, stop)
                loader.load(source, copy, stop)
                copy.unlink()
            new = self._staging.hand_over(loader, cursor, self._locations)
        self._note(loader)
        return new

    def _discover(self) -> list[SourceFile]:
        """Open the files that are meant and were not there before, or were replaced."""
        known = {
            source.identity: source for source in self.sources if source.followed or source.read_path != source.path
        }
        opened: list[SourceFile] = []
        try:
            paths = resolve(self._paths)
        except UnreadableError:
            return []
        for path in paths:
            with contextlib.suppress(OSError, UnreadableError):
                status = os.stat(path)
                source = known.get((status.st_dev, status.st_ino))
                if source is None:
                    opened.append(self._open(path))
                elif source.path != path:
                    self._rename(source, path)
        return opened

    def _rename(self, source: SourceFile, path: Path) -> None:
        source.path = path
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE sources SET path = ? WHERE file_id = ?", [str(path), source.file_id])

    def _read_started(self) -> list[Started]:
        return read_started([(source.file_id, source.path) for source in self.sources if source.followed])

    def _show_started(self, started: list[Started]) -> None:
        if started:
            with self._connection.cursor() as cursor:
                wanted = [[one.open_span.span.writer_id, one.open_span.span.seq] for one in started]
                ended = set(
                    cursor.execute(
                        "SELECT writer_id, seq FROM all_rows WHERE row_id >= 0 AND seq IN (SELECT unnest(?::BIGINT[])) "
                        "AND writer_id IN (SELECT unnest(?::VARCHAR[]))",
                        [[seq for _, seq in wanted], [writer for writer, _ in wanted]],
                    ).fetchall()
                )
            started = [one for one in started if (one.open_span.span.writer_id, one.open_span.span.seq) not in ended]
        if [one.key for one in started] == [one.key for one in self._payloads.started]:
            return
        with self._connection.cursor() as cursor:
            self._staging.replace_open_rows(started, cursor)
        self._payloads.started = started
        self._open_changes += 1

    def _note(self, loader: ingest.Loader) -> None:
        self.dropped_fields += loader.dropped_fields
        self.duplicates += loader.duplicates
        if loader.rejects:
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO reject_rows VALUES (?, ?, ?)",
                    [[reject.file_id, reject.byte_offset, reject.reason] for reject in loader.rejects],
                )


def open_store(
    paths: Sequence[str | Path] | str | Path = (),
    *,
    checkpoints: Sequence[str] = (),
    cache: bool = True,
    progress: Progress | None = None,
    allow_empty: bool = False,
    threads: int | None = None,
) -> Store:
    """Load span files: files, folders, globs; without paths the newest span file here.

    ``allow_empty`` accepts files that hold no span yet, for those who wait for them; ``threads`` bounds the load
    (all cores by default). Raises UnreadableError when a path is missing, cannot be read, or is no span file, and
    LoadCancelledError when ``progress`` asked for that.
    """
    store = Store([paths] if isinstance(paths, str | Path) else list(paths), threads=threads)
    try:
        store._load(resolve(store._paths), progress)
        if not store.span_count and not allow_empty and not store._payloads.started:
            raise UnreadableError(_nothing(store))
    except BaseException:
        store.close()
        raise
    return store


def empty_store() -> Store:
    """A store without any file: its tables and views, for whoever asks what there is."""
    store = Store(())
    store._load((), None)
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
