"""The store: span files in DuckDB, asked by name or in SQL."""

import atexit
import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import duckdb

from flightlog.errors import UnreadableError, UsageError
from flightlog_viewer.analysis.units import plural
from flightlog_viewer.databases import is_database, not_spans
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store import checkpoint_tables, derived, own_tables, prices, session
from flightlog_viewer.store.answers import kept_answer
from flightlog_viewer.store.checkpoint_databases import CheckpointDatabases
from flightlog_viewer.store.chosen_rows import of_chosen_rows
from flightlog_viewer.store.files.cache import Cache
from flightlog_viewer.store.files.own_folder import sweep_temporary
from flightlog_viewer.store.files.source_file import SourceFile
from flightlog_viewer.store.files.sources import newest, resolve
from flightlog_viewer.store.files.unpacking import PACKED
from flightlog_viewer.store.functions import create_functions
from flightlog_viewer.store.instance import connect
from flightlog_viewer.store.payloads import PayloadReader
from flightlog_viewer.store.public import say_which
from flightlog_viewer.store.queries.by_name import statement
from flightlog_viewer.store.rows import Rows
from flightlog_viewer.store.watch import Progress

if TYPE_CHECKING:
    from flightlog_viewer.store.loading.wrong_fields import WrongFields

_NO_TABLE: Final = "Catalog Error: Table"
_NOT_BOUND: Final = ("Binder Error", "Catalog Error")


class Gaps(NamedTuple):
    """What whoever reads a figure has to know."""

    lost: int
    """Spans that a tracer could not write, as it says itself."""
    newer: int
    """Spans of a later version of the record: what this one does not know of them is in ``raw`` alone."""


class Store:
    """Loaded span files. A context manager; close it to free files and memory.

    Queries may come from any thread; each runs on a cursor of its own.
    """

    def __init__(
        self,
        paths: Sequence[str | Path] = (),
        *,
        checkpoints: Sequence[str] = (),
        cache: Cache | None = None,
        threads: int | None = None,
    ) -> None:
        self._connection = connect() if threads is None else connect(threads=threads)
        # In an interactive interpreter DuckDB would draw a bar of its own; in a notebook that has nothing to draw one
        # with (ipywidgets) there is none, and DuckDB refuses to hear of it.
        with contextlib.suppress(duckdb.InvalidInputException):
            self._connection.execute("SET enable_progress_bar = false")
        self._databases = CheckpointDatabases(self._connection.cursor, checkpoints)
        self._derived = derived.Derived(self._connection.cursor, prices.override_file(), self._databases)
        self._rows = Rows(self._connection, paths, cache)
        self._payloads = PayloadReader(self._rows)
        self._is_closed = False
        _OPEN.add(self)

    def __repr__(self) -> str:
        if self._is_closed:
            return "<Store: closed>"
        return f"<Store: {plural(self.span_count, 'span')} in {plural(len(self.sources), 'file')}>"

    def sql(self, query: str, params: Any = None) -> session.Result:
        """Run one SELECT or EXPLAIN in the locked session; its values are read as they are asked for.

        Raises UsageError with DuckDB's own sentence when the query is wrong or not allowed.
        """
        self._check_open()
        return self.run(self._connection.cursor, query, params)

    def run(self, cursor: Callable[[], duckdb.DuckDBPyConnection], query: str, params: Any = None) -> session.Result:
        """The same on a cursor that the result then owns; on another one if that is needed."""
        self.prepare(query)
        if params is None and (chosen := self._of_chosen_rows(query)) is not None:
            try:
                return session.run(cursor(), chosen)
            except UsageError as error:
                if not str(error).startswith(_NOT_BOUND):
                    raise
        try:
            return session.run(cursor(), query, params)
        except UsageError as error:
            if not str(error).startswith(_NO_TABLE):
                raise
            if not self._derived.create_views():
                with self.cursor() as own:
                    raise UsageError(say_which(own, str(error))) from None
        # It may be a name put together in the query.
        return self.run(cursor, query, params)

    def _of_chosen_rows(self, query: str) -> str | None:
        with self._connection.cursor() as cursor:
            return of_chosen_rows(cursor, query)

    def query(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query (``store.queries``). Raises UsageError for an unknown name."""
        result = self._named(name, params)
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def each(self, name: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The same one after the other, for those that are too many to be held: 100,000 spans take half a gigabyte."""
        result = self._named(name, params)
        for row in result:
            yield dict(zip(result.columns, row, strict=True))

    def _named(self, name: str, params: dict[str, Any]) -> session.Result:
        self._check_open()
        text, values = statement(name, params)
        kept = kept_answer(text, values, self._rows.answers)
        return self.sql(text, values) if kept is None else session.run(self._connection.cursor(), kept)

    def prepare(self, query: str) -> None:
        """Make the computed columns, tables and views that a query names, so that a cursor can run it."""
        self._derived.prepare(query, self.span_count, self._rows.started_changes)

    def tables_of(self, query: str) -> set[str]:
        """The tables that a query reads, those behind views too."""
        return self._derived.tables(query)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for the program's own queries, for use in one thread; close it. ``interrupt()`` cancels it.

        ``prepare`` comes first for a query that names ``self_ms``, ``cost_usd`` or a view other than ``spans``.
        """
        return self._connection.cursor()

    def payload(self, row_id: int, run_id: str | None = None) -> dict[str, Any]:
        """``inputs``, ``output``, ``metadata`` and ``raw`` (unknown fields) of a span, as far as it has them.

        ``{"payload_gone": True}`` when the file no longer holds the span's line, or there is no such row. Who knows the
        row's ``run_id`` saves the search for it, which takes milliseconds.
        """
        if run_id is not None:
            return self._payloads.payload(row_id, run_id)
        with self._connection.cursor() as cursor:
            found = cursor.execute("SELECT run_id FROM all_rows WHERE row_id = ?", [row_id]).fetchall()
        return self._payloads.payload(row_id, found[0][0]) if found else {"payload_gone": True}

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines that are not spans: ``file``, ``byte_offset``, ``reason``."""
        rows = self.sql("SELECT file, byte_offset, reason FROM rejects ORDER BY file, byte_offset").fetchall()
        return [{"file": file, "byte_offset": offset, "reason": reason} for file, offset, reason in rows]

    def wrong_fields(self, progress: Progress) -> "WrongFields":
        """Which optional fields of which lines have unusable values, and became NULL."""
        # Only now: it brings numpy.
        from flightlog_viewer.store.loading.wrong_fields import find_wrong_fields

        return find_wrong_fields(self.sources, self._rows.new_file, progress)

    @property
    def reject_count(self) -> int:
        """How many lines are not spans."""
        return int(self.sql("SELECT count(*) FROM rejects").fetchall()[0][0])

    @property
    def gaps(self) -> Gaps:
        """What is missing in every figure, and what may be."""
        return Gaps(**self.query("gaps")[0])

    @property
    def damaged_files(self) -> list[str]:
        """Which compressed files could not be read to their end, a sentence each."""
        found = self.sql(
            "SELECT file, byte_offset, reason FROM rejects WHERE starts_with(reason, $p) ORDER BY ALL", {"p": PACKED}
        )
        return [f"{file} at byte {offset:,}: {reason}" for file, offset, reason in found.fetchall()]

    @property
    def sources(self) -> list[SourceFile]:
        """The files, by file id."""
        return self._rows.sources

    @property
    def span_count(self) -> int:
        """Finished spans in the store."""
        return len(self._rows.locations)

    @property
    def problems(self) -> list[str]:
        """What could not be read of the checkpoint databases so far and is missing in their tables, a sentence each."""
        return self._databases.problems

    @property
    def in_flight(self) -> int:
        """Spans that have started and not ended."""
        return len(self._rows.started)

    def said_of_nothing(self) -> str:
        """The sentence about files that hold no span."""
        names = ", ".join(name_text(source.path) for source in self.sources[:3])
        count = self.reject_count
        if is_database(str(self.sources[0].path)):
            return not_spans(names)
        if not count:
            return f"{names} is empty: no span has been recorded yet"
        if (damaged := self.damaged_files) and len(damaged) == count:
            return damaged[0]
        ((reason,),) = self.sql("SELECT reason FROM rejects ORDER BY file, byte_offset LIMIT 1").fetchall()
        from flightlog_exporters.readers.files import may_be_document

        if may_be_document(self.sources[0].path):
            return f"{names} is not a span file: OTLP in one JSON document is for `flightlog import`"
        if count == 1:
            return f"{names} is not a span file: its one line is not a span ({reason})"
        return f"{names} is not a span file: none of its {count:,} lines is a span (the first: {reason})"

    @property
    def cache_was_damaged(self) -> bool:
        """Whether the index cache of these files was found damaged, and deleted."""
        return self._rows.base.was_damaged

    def drop_damaged_cache(self, error: Exception) -> bool:
        """Delete the index cache of these files if ``error`` says that it is damaged; whether it does.

        Damage shows when a block is first read, in any query. The files are then to be opened anew.
        """
        return self._rows.base.drop_damaged(error)

    def is_behind(self) -> bool:
        """Whether a file has changed that ``refresh`` will read anew in a while: one that is unpacked or converted."""
        return any(source.is_behind() for source in self.sources)

    @property
    def duplicates(self) -> int:
        """Records that repeated another one, and were dropped."""
        return self._rows.duplicates

    def refresh(self, most: int | None = None) -> int:
        """Load what came since: lines, files, starts; the number of new finished spans. Row ids stay as they are.

        With ``most`` it is about so many bytes at a time, and ``has_more`` says whether there are others.

        Rotation, truncation and deletion of a file are followed. A line that is still being written waits. Checkpoint
        databases that have changed are read again when a query names their tables.

        Raises UnreadableError when the memory has no room for more, once: what is there stays as it is.
        """
        self._databases.refresh()
        return self._rows.refresh(most)

    @property
    def has_more(self) -> bool:
        """Whether the last ``refresh`` left something for the next one."""
        return self._rows.has_more

    def forget(self, keep: int) -> bool:
        """Keep the newest ``keep`` spans, as soon as there are twice as many; whether that was done.

        For those who follow without an end. Row ids are other ones then, what is in flight comes back with the next
        ``refresh``, and rejects are forgotten. Nobody else may be asking the store meanwhile.
        """
        return self._rows.forget(keep, self._derived)

    def interrupt(self) -> None:
        """Cancel what runs on the store's own connection; a load then raises duckdb.InterruptException."""
        self._connection.interrupt()

    def close(self) -> None:
        """Free memory and files; harmless when repeated. A query afterwards raises UsageError."""
        self._is_closed = True
        _OPEN.discard(self)
        self._rows.close()
        self._connection.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError("the store is closed: open it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def load(
        self, paths: Sequence[Path], progress: Progress | None = None, tables: Mapping[str, Any] | None = None
    ) -> None:
        """Load whole files and the user's own tables, then lock the session; once, before anything else."""
        self._create_tables()
        self._rows.load(paths, self._derived, progress)
        if tables:
            self._derived.create_views()
            own_tables.create(self._connection, tables)
        session.lock(self._connection)
        self._rows.refresh()

    def _create_tables(self) -> None:
        create_functions(self._connection, self._payloads, self._derived)
        self._connection.execute(prices.TABLE)
        derived.create_tables(self._connection)
        checkpoint_tables.create_tables(self._connection)
        self._databases.load()


def open_store(
    paths: Sequence[str | Path] | str | Path = (),
    *,
    checkpoints: Sequence[str | Path] | str | Path = (),
    tables: Mapping[str, Any] | None = None,
    cache: bool = True,
    progress: Progress | None = None,
    allow_empty: bool = False,
    threads: int | None = None,
) -> Store:
    """Load span files: files, folders, globs; without paths the newest span file here.

    ``checkpoints`` is a database (a path or postgresql:// URL), or several, whose threads and histories become tables;
    with them span files may be missing. ``tables`` are your own by name, to be joined with ours: a CSV, TSV, Parquet,
    JSON or JSONL file, an Arrow table, a pandas frame; they are read once. ``cache`` keeps an index of large files in
    the user's cache folder, so that opening them again is instant; ``allow_empty`` accepts files that hold no span yet,
    for those who wait for them; ``threads`` bounds the load (all cores by default). Raises UnreadableError when a path
    is missing, cannot be read, or is not a span file, UsageError when a table cannot have its name or be made, and
    LoadCancelledError when ``progress`` asked for that.
    """
    own_tables.check(tables or {})
    sweep_temporary()
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    databases = [str(one) for one in ([checkpoints] if isinstance(checkpoints, str | Path) else checkpoints)]
    if not given:
        try:
            given = [newest(Path())]
        except UnreadableError:
            if not databases:
                raise
    for path in map(str, given):
        if is_database(path):  # beside span files it would be nothing but bad lines
            raise UnreadableError(not_spans(path))
    files = resolve(given) if given else []
    store = Store(given, checkpoints=databases, cache=Cache.open() if cache else None, threads=threads)
    try:
        store.load(files, progress, tables)
        if files and not store.span_count and not allow_empty and not store.in_flight:
            raise UnreadableError(store.said_of_nothing())
    except BaseException:
        store.close()
        raise
    return store


def empty_store() -> Store:
    """A store without any file: its tables and views, for whoever asks what there is."""
    store = Store()
    store.load(())
    return store


_OPEN: "weakref.WeakSet[Store]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # An open DuckDB connection with functions complains about leaks on stderr when the interpreter ends.
    for store in list(_OPEN):
        with contextlib.suppress(Exception):
            store.close()
