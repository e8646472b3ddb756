"""Span files into a table of kept rows: one pass by DuckDB, a closer look at what it cannot vouch for.

DuckDB reads every non-blank line as one row, in the order of the file, and makes NULL of what it cannot convert. So
the rows line up with the lines, and rows that show a sign of trouble are judged by their lines: they become rejects,
lose a field of unusable value, or are loaded again from their usable light fields.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray

from flightlog.errors import UnreadableError
from flightlog.reader import MAX_LINE_BYTES
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.columns import create_table, kept_columns, read_columns
from flightlog_viewer.store.files.rejects import Rejects
from flightlog_viewer.store.loading.closer_look import Batch, CloserLook, Repaired
from flightlog_viewer.store.loading.duplicates import duplicates_within
from flightlog_viewer.store.loading.lines import Lines, find_lines, read_line
from flightlog_viewer.store.loading.locations import Locations
from flightlog_viewer.store.loading.read_json import read_json
from flightlog_viewer.store.loading.short_lines import chunks, mostly_short
from flightlog_viewer.store.loading.sieve import look
from flightlog_viewer.store.loading.stretch import Stretch

_SAMPLE: Final = 16
"""Rows whose run_id is compared with the bytes of their line, as proof that rows and lines line up."""
_LOST: Final = (errno.EIO, errno.ESTALE, errno.ENOTCONN)
"""Of a disk that fails, and of a mount that is gone."""
_OUT: Final = -1
"""The change of a row that goes; else a bit for each field that becomes NULL."""


class Loader:
    """Fills one table, file by file; ``finish`` then takes out what must not stay.

    Rows of the table and of ``locations`` are parallel before and after ``finish``. Raises duckdb.Error only when
    the table cannot take more (memory, disk), or when the load was interrupted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, new_file: Callable[[], Path]) -> None:
        self._connection = connection
        self._table = table
        self._new_file = new_file
        self._look = CloserLook(connection, table)
        self.locations = Locations()
        self.duplicates = 0
        """Records that repeated another one, and were dropped."""
        create_table(connection, table)

    @property
    def rejects(self) -> Rejects:
        """The lines that are not spans."""
        return self._look.rejects

    def load(self, stretch: Stretch) -> None:
        """Append the spans of a stretch. Lines of a file that is gone since it was opened are missing.

        Raises UnreadableError when reading fails.
        """
        try:
            with stretch.reading() as descriptor:
                if mostly_short(descriptor, stretch.size):
                    self._load_long_lines(stretch, descriptor)
                else:
                    self._load(stretch, descriptor)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _LOST:
                raise
            raise UnreadableError(
                f"{name_text(stretch.pieces[0].source.path)} cannot be read: {error.strerror}"
            ) from None

    def _load(self, stretch: Stretch, descriptor: int) -> None:
        first = len(self.locations)
        with ThreadPoolExecutor(1) as beside:
            finding = beside.submit(stretch.lines, descriptor)
            rows = self._read(stretch.path, stretch.pieces[0].source.file_id)
            lines = finding.result()
        if rows > len(lines):
            lines = find_lines(descriptor)
        if rows > len(lines) or rows == 0 < len(lines) or not self._aligned(descriptor, lines, first, rows):
            self._rewrite(f"FROM {self._table} AS kept WHERE rowid < {first}")
            rows = 0
        # The file may have grown between the two passes: what DuckDB did not see is left for the next stretch.
        seen = rows if 0 < rows < len(lines) else len(lines)
        whole = seen == len(lines)
        unfinished = frozenset(stretch.unfinished(lines).tolist()) if whole else frozenset()
        for piece in stretch.pieces:
            piece.source.end = piece.stop
        if stretch.in_place:
            stretch.pieces[0].source.end = lines.stop if whole else int(lines.starts[seen])
        if rows:
            file_ids, starts = stretch.places(lines.starts[:seen])
            self.locations.extend(file_ids, starts, lines.sizes[:seen])
            if len(stretch.pieces) > 1:
                self._set_files(first, file_ids)
            self._look.suspects(Batch(stretch, descriptor, lines, first, seen, unfinished))
        else:
            self._look.all_lines(Batch(stretch, descriptor, lines, first, 0, unfinished))

    def _load_long_lines(self, stretch: Stretch, descriptor: int) -> None:
        """Load a stretch of lines most of which are too short to be spans."""
        for piece in stretch.pieces:
            piece.source.end = piece.stop
        for lines, short in chunks(descriptor, stretch.size if stretch.in_place else os.fstat(descriptor).st_size):
            self.rejects.add_alike(*stretch.places(short), "too short to be a span")
            unfinished = frozenset(stretch.unfinished(lines).tolist())
            self._look.all_lines(Batch(stretch, descriptor, lines, 0, 0, unfinished))
            self._settle()

    def finish(self) -> None:
        """Take rejected rows out, load repaired ones, drop exact duplicates."""
        self._settle()
        again = duplicates_within(self._connection, self._table)
        if len(again):
            self.duplicates += len(again)
            self._drop(again)

    def _settle(self) -> None:
        """Do to the rows what the closer look found."""
        look = self._look
        if look.out or look.cleared:
            self._drop(np.concatenate([np.empty(0, np.int64), *look.out]), look.cleared)
            look.out.clear()
            look.cleared.clear()
        if look.again:
            self._load_again(look.again)
            look.again.clear()

    def _load_again(self, entries: Sequence[Repaired]) -> None:
        """Load repaired spans; what DuckDB still cannot read becomes a reject."""
        first = len(self.locations)
        path = self._new_file()
        path.write_bytes(b"\n".join(entry.record for entry in entries))
        self._read(path, 0)
        path.unlink()
        file_ids = np.asarray([entry.file_id for entry in entries], np.int32)
        starts = np.asarray([entry.start for entry in entries], np.int64)
        self.locations.extend(file_ids, starts, np.asarray([entry.size for entry in entries], np.int64))
        self._set_files(first, file_ids)
        every = np.arange(first, first + len(entries))
        broken = np.setdiff1d(every, np.asarray(sorted(self._look.whole_rows(every)), np.int64))
        if len(broken):
            self.rejects.add_alike(file_ids[broken - first], starts[broken - first], "has a value that cannot be read")
            self._drop(broken)

    def _read(self, path: Path, file_id: int) -> int:
        """Let DuckDB read lines; the number of rows, 0 when it gives them up for the length of one."""
        select = f"{kept_columns()}, {file_id}"
        return read_json(self._connection, path, read_columns(), select, into=f"INSERT INTO {self._table}") or 0

    def _set_files(self, first: int, file_ids: NDArray[np.int32]) -> None:
        """Write the file of each row from ``first`` on."""
        self._connection.register("row_files", {"id": np.arange(first, first + len(file_ids)), "file": file_ids})
        self._connection.execute(
            f"UPDATE {self._table} AS kept SET file_id = file FROM row_files WHERE kept.rowid = id"
        )
        self._connection.unregister("row_files")

    def _aligned(self, descriptor: int, lines: Lines, first: int, rows: int) -> bool:
        if not rows:
            return True
        picks = np.unique(np.linspace(0, rows - 1, _SAMPLE).astype(np.int64)) + first
        found = self._connection.execute(
            f"SELECT rowid, run_id FROM {self._table} WHERE rowid IN (SELECT unnest(?)) AND run_id IS NOT NULL",
            [picks.tolist()],
        ).fetchall()
        for row, run_id in found:
            line = read_line(descriptor, lines, row - first, MAX_LINE_BYTES + 1)
            if orjson.dumps(run_id)[1:-1] not in line and look(line).record.get("run_id") not in (None, run_id):
                return False
        return True

    def _drop(self, rows: NDArray[np.int64], cleared: Mapping[str, Sequence[NDArray[np.int64]]] | None = None) -> None:
        """Take rows out, and make fields NULL, in one go; row ids are dense afterwards."""
        changes = np.zeros(len(self.locations), np.int64)
        kept = []
        for bit, (name, chosen) in enumerate((cleared or {}).items()):
            changes[np.concatenate(chosen)] |= 1 << bit
            kept.append(f"CASE WHEN coalesce(change, 0) & {1 << bit} = 0 THEN {name} END AS {name}")
        changes[rows] = _OUT
        replaced = f"REPLACE ({', '.join(kept)})" if kept else ""
        changed = np.flatnonzero(changes)
        self._connection.register("row_changes", {"id": changed, "change": changes[changed]})
        self._rewrite(
            f"SELECT kept.* {replaced} FROM {self._table} AS kept "
            f"LEFT JOIN row_changes ON kept.rowid = id WHERE change IS NULL OR change <> {_OUT}"
        )
        self._connection.unregister("row_changes")
        self.locations.drop(rows)

    def _rewrite(self, query: str) -> None:
        dense, name = f"{self._table}_dense", self._table.rpartition(".")[2]
        self._connection.execute(f"CREATE TABLE {dense} AS {query} ORDER BY kept.rowid")
        self._connection.execute(f"DROP TABLE {self._table}")
        self._connection.execute(f"ALTER TABLE {dense} RENAME TO {name}")
