"""The rows of the store and the files they come from: loaded at once, kept in a base, brought up to date."""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from flightlog.errors import UnreadableError
from flightlog_viewer.store import base
from flightlog_viewer.store.answers import write_answers
from flightlog_viewer.store.attached_base import AttachedBase
from flightlog_viewer.store.columns import create_table
from flightlog_viewer.store.derived import Derived
from flightlog_viewer.store.files import rejects
from flightlog_viewer.store.files.cache import Cache
from flightlog_viewer.store.files.fingerprint import ReadBefore
from flightlog_viewer.store.files.opened_files import OpenedFiles
from flightlog_viewer.store.files.source_file import SourceFile
from flightlog_viewer.store.files.spool import Spool
from flightlog_viewer.store.files.unpacking import PACKED
from flightlog_viewer.store.loading.in_flight import Started, read_started
from flightlog_viewer.store.loading.locations import Locations
from flightlog_viewer.store.views import create_views
from flightlog_viewer.store.watch import Progress, Watch

if TYPE_CHECKING:
    from flightlog_viewer.store.loading.ingest import Loader
    from flightlog_viewer.store.loading.locations import Arrays
    from flightlog_viewer.store.loading.staging import Staging

CACHED_BYTES: Final = 16 << 20
"""Smaller files load faster than a base is looked after."""
REBUILT_BYTES: Final = 64 << 20
"""What a base may lack, or a quarter of what it has, before it is built anew."""
FILE_BACKED_BYTES: Final = 1 << 30
FILE_BACKED_LINES: Final = 1_200_000
"""More spans are kept in a file of their own, cached or not, to bound the memory."""
_FULL: Final = (
    "the memory for spans is full, and what comes from now on is not read: open the files again, "
    "which forgets the spans of deleted ones"
)


class Rows:
    """Everything that files bring in. Row ids stay as they are while the store is open."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, paths: Sequence[str | Path], cache: Cache | None) -> None:
        self._connection = connection
        self._paths = list(paths)
        self._cache = cache
        self._spool = Spool(cache)
        self._files = OpenedFiles(connection, paths, self._spool)
        self._staged: Staging | None = None
        self._lock = threading.Lock()
        self._closed = False
        self.new_file = self._spool.new_file
        """Names a new private file, deleted with the store at the latest."""
        self.locations = Locations()
        self.started: Sequence[Started] = ()
        """What is in flight; the first has row id -1."""
        self.started_changes = 0
        """How often ``started`` was replaced."""
        self.duplicates = 0
        self.base = AttachedBase(connection, self._spool)
        self._is_full = False
        self._read_before = ReadBefore()
        self._rejects = 0
        """Listed since the last ``forget``."""
        self.has_more = False
        """Whether the last ``refresh`` left something for the next one."""
        connection.execute(rejects.TABLE)
        create_table(connection, "open_rows")

    def load(self, paths: Sequence[Path], derived: Derived, progress: Progress | None) -> None:
        """Load whole files, and create the views. Large ones go to a base, kept in the cache if there is one."""
        kept = self._cache.path(self._paths, derived.price_file) if self._cache is not None else None
        if kept is not None:
            try:
                if self._reuse(kept, paths, derived):
                    return
            except duckdb.Error as error:
                if not self.base.drop_damaged(error):
                    raise
                self.base.let_go()
                self._files.forget()
                self._start_over()
                derived.start_over(self._connection)
        files = self._files.open(paths)
        size = sum(source.size() for source in files)
        if size >= CACHED_BYTES:
            self._allow_spilling()
        if (kept is not None and size >= CACHED_BYTES) or self._are_many(files, size):
            try:
                self._build(files, kept, derived, progress)
            except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, OSError):
                # No room for it, most likely: then without.
                self._start_over()
                derived.start_over(self._connection)
            else:
                return
        self._fill("span_rows", files, progress)
        create_views(self._connection, None)

    def refresh(self, most: int | None = None) -> int:
        """Load what came since, about ``most`` bytes of it; the number of new rows.

        Raises UnreadableError when the memory has no room for it, once: nothing more is read then.
        """
        with self._lock:
            if self._closed or self._is_full:
                return 0
            # Sidecars before files: a span that ends meanwhile is then in both, not in none.
            started = read_started([(source.file_id, source.path) for source in self.sources if source.followed])
            try:
                new = self._grow(most)
                self._show(started)
            except duckdb.OutOfMemoryException:
                self._is_full = True
                raise UnreadableError(_FULL) from None
            return new

    def forget(self, keep: int, derived: Derived) -> bool:
        """Keep the newest ``keep`` rows, with other row ids, once there are twice as many; whether that was done.

        Rejects are forgotten, and so are files that can bring nothing more. What comes again of the spans that are gone
        is known by the files that it was read from, not span by span.
        """
        with self._lock:
            rows = len(self.locations)
            if self._closed or max(rows, self._rejects) < 2 * keep:
                return False
            import numpy as np

            for source in self.sources:
                self._read_before.note(source)
            first = max(0, rows - keep)
            self.locations.drop(np.arange(first))
            file_ids = self._files.keep(set(np.unique(self.locations.file_ids).tolist()))
            self.locations.renumber(np.asarray(file_ids, np.int32))
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "CREATE TABLE kept_rows AS SELECT * EXCLUDE row_id REPLACE (?[file_id + 1]::INTEGER AS file_id) "
                    "FROM all_rows WHERE row_id >= ? ORDER BY row_id",
                    [file_ids, first],
                )
                cursor.execute("DROP TABLE span_rows")
                cursor.execute("ALTER TABLE kept_rows RENAME TO span_rows")
                cursor.execute(f"DROP TABLE reject_rows; {rejects.TABLE}")
                cursor.execute("DELETE FROM open_rows")
            # What is in flight comes back with the next refresh.
            self.started, self._rejects = (), 0
            self.started_changes += 1
            create_views(self._connection, None)
            self.base.let_go()
            derived.start_over(self._connection)
            return True

    @property
    def sources(self) -> list[SourceFile]:
        """By file id."""
        return self._files.all

    @property
    def answers(self) -> frozenset[str]:
        """What the base has of answers (``store.answers``); nothing once there are rows that it does not know."""
        return frozenset() if self.started else self.base.answers(len(self.locations))

    def close(self) -> None:
        """Free files; harmless when repeated."""
        with self._lock:
            self._closed = True
            if self._staged is not None:
                self._staged.close()
            self._spool.close()
            self._files.close()

    @property
    def _staging(self) -> "Staging":
        if self._staged is None:
            from flightlog_viewer.store.loading.staging import Staging

            self._staged = Staging(self.new_file)
        return self._staged

    def _fill(self, table: str, files: Sequence[SourceFile], progress: Progress | None) -> None:
        # Only now: it brings numpy and pyarrow, and a store from the cache does without them.
        from flightlog_viewer.store.loading.ingest import Loader
        from flightlog_viewer.store.loading.stretch import Piece, stretches

        loader = Loader(self._connection, table, self.new_file)
        pieces = [Piece(source, 0, source.size()) for source in files]
        with Watch(self._connection, sum(piece.stop for piece in pieces), progress) as watch:
            for stretch in stretches(pieces, self.new_file):
                watch.file(stretch.size)
                loader.load(stretch)
                watch.file_done(len(loader.locations))
            loader.finish()
        self._take(loader)

    def _are_many(self, files: Sequence[SourceFile], size: int) -> bool:
        from flightlog_viewer.store.loading.short_lines import SHORTEST, typical_size

        if size >= FILE_BACKED_BYTES:
            return True
        if size < FILE_BACKED_LINES * SHORTEST:
            return False
        lines = 0.0
        for source in files:
            with contextlib.suppress(OSError), source.reading() as descriptor:
                lines += source.size() / typical_size(descriptor, source.size())
        return lines > FILE_BACKED_LINES

    def _take(self, loader: "Loader") -> None:
        places = loader.locations
        self.locations.extend(places.file_ids, places.starts, places.sizes)
        self._note(loader)

    def _reuse(self, kept: Path, paths: Sequence[Path], derived: Derived) -> bool:
        """Attach the base of an earlier opening, if it still is what the files begin with."""
        self.base.is_kept(kept)
        found = base.attach_kept(self._connection, kept, paths)
        if found is None:
            return False
        self._allow_spilling()
        known = dict.fromkeys(path for _, path in found)
        self._files.open([*known, *(path for path in paths if path not in known)])
        for source, (file, _) in zip(self.sources, found, strict=False):
            source.end = file.end
        self._files.settle()
        if sum(source.size() - source.end for source in self.sources) > max(REBUILT_BYTES, self._end() // 4):
            self.base.let_go()
            self._files.forget()
            self._start_over()
            return False
        rows, self.duplicates = base.read_counts(self._connection)
        self.locations.restore(rows, self._read_places)
        self._connection.execute("DELETE FROM reject_rows")
        self._connection.execute("INSERT INTO reject_rows FROM base.reject_rows")
        create_table(self._connection, "span_rows")
        create_views(self._connection, len(self.locations))
        derived.restore(self._connection, len(self.locations))
        self.base.has_answers(rows)
        if self._cache is not None:
            self._cache.used(kept)
        return True

    def _allow_spilling(self) -> None:
        """Let what does not fit into the memory limit go to the disk, and with the private folder at the end."""
        self._connection.execute("SET temp_directory = ?", [str(self.new_file().with_suffix(".spill"))])

    def _read_places(self) -> "Arrays":
        with self._connection.cursor() as cursor:
            return base.read_places(cursor)

    def _end(self) -> int:
        return sum(source.end for source in self.sources)

    def _build(
        self, files: Sequence[SourceFile], kept: Path | None, derived: Derived, progress: Progress | None
    ) -> None:
        """Load into a new base and attach that."""
        connection = self._connection
        place = self._cache.building_place() if self._cache is not None and kept is not None else None
        building = self._spool.new_file() if place is None else place.path / "base.duckdb"
        try:
            base.begin(connection, building)
            self._fill("base.span_rows", files, progress)
            create_table(connection, "span_rows")
            create_views(connection, len(self.locations))
            if kept is not None:
                derived.prepare_all(len(self.locations))
                base.write_derived(connection, derived)
                write_answers(connection)
            base.write_places(connection, self.locations, files, self.duplicates)
            connection.execute("DETACH base")
            if self._cache is not None and kept is not None:
                self._cache.publish(building, kept)
        except BaseException:
            base.detach(connection)
            building.unlink(missing_ok=True)
            building.with_name(f"{building.name}.wal").unlink(missing_ok=True)
            raise
        finally:
            if place is not None:
                place.close()
        base.attach(connection, building if kept is None else kept)
        if kept is None:
            self.base.is_private(building)
        else:
            self.base.is_kept(kept)

    def _start_over(self) -> None:
        """Forget what was loaded, not what is open."""
        self._connection.execute("DROP TABLE IF EXISTS span_rows")
        self._connection.execute("DELETE FROM reject_rows")
        self.locations.clear()
        self.duplicates = 0
        for source in self.sources:
            source.rejects.write(self._connection)
            source.end = 0

    def _grow(self, most: int | None) -> int:
        from flightlog_viewer.store.loading.stretch import Piece, first_part, stretches

        changed = self._files.changed()
        for source in changed:
            source.end = source.end or self._read_before.end_of(source)
        grown = [Piece(source, source.end, size) for source in changed if (size := source.size()) > source.end]
        pieces = grown if most is None else first_part(grown, most)
        self.has_more = pieces != grown
        if not pieces:
            return 0
        loader = self._staging.loader()
        with self._connection.cursor() as cursor:
            for piece in pieces:
                if not piece.source.converted:
                    # What was cut at the end may be whole now; of a copy that is known already.
                    cursor.execute(
                        "DELETE FROM reject_rows WHERE file_id = ? AND byte_offset >= ? AND NOT starts_with(reason, ?)",
                        [piece.source.file_id, piece.start, PACKED],
                    )
            for stretch in stretches(pieces, self.new_file):
                loader.load(stretch)
            new = self._staging.hand_over(loader, cursor, self.locations)
        self._note(loader)
        return new

    def _show(self, started: Sequence[Started]) -> None:
        """Make the rows in flight those that did not end."""
        if started:
            with self._connection.cursor() as cursor:
                ended = set(
                    cursor.execute(
                        "SELECT writer_id, seq FROM all_rows WHERE row_id >= 0 AND seq IN (SELECT unnest(?::BIGINT[])) "
                        "AND writer_id IN (SELECT unnest(?::VARCHAR[]))",
                        [[one.seq for one in started], [one.writer_id for one in started]],
                    ).fetchall()
                )
            started = [one for one in started if (one.writer_id, one.seq) not in ended]
        if [one.key for one in started] == [one.key for one in self.started]:
            return
        with self._connection.cursor() as cursor:
            self._staging.replace_open_rows(started, cursor)
        self.started = started
        self.started_changes += 1

    def _note(self, loader: "Loader") -> None:
        self._files.settle()
        self.duplicates += loader.duplicates
        self._rejects += len(loader.rejects)
        loader.rejects.write(self._connection)
