"""Span files into a table of kept rows: one pass by DuckDB, a closer look at what it cannot vouch for.

DuckDB reads every non-blank line as one row, in the order of the file, and makes NULL of what it cannot convert. So
the rows line up with the lines, and rows that show a sign of trouble are judged by their lines: they become rejects,
or are loaded again from their cleaned light fields.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray

from flightlog_viewer.store.columns import REQUIRED, TEXTS, create_table, kept_columns, read_columns, suspicion
from flightlog_viewer.store.duplicates import duplicates_within
from flightlog_viewer.store.interruptible import interruptible
from flightlog_viewer.store.lines import Lines, find_lines
from flightlog_viewer.store.locations import Locations
from flightlog_viewer.store.sieve import LINE_LIMIT, encode, look
from flightlog_viewer.store.source_file import SourceFile

_SAMPLE: Final = 16
"""Rows whose run_id is compared with the bytes of their line, as proof that rows and lines line up."""
_BLOCK: Final = 1 << 16
_DEPTH_BYTES: Final = 2 * 1000
"""A shorter line cannot be nested too deep."""
_DEPTH: Final = 1000


class Reject(NamedTuple):
    """A line that is no span."""

    file_id: int
    byte_offset: int
    reason: str


class Loader:
    """Fills one table, file by file; ``finish`` then takes out what must not stay.

    Rows of the table and of ``locations`` are parallel before and after ``finish``. Raises duckdb.Error only when
    the table cannot take more (memory, disk), or when the load was interrupted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, new_file: Callable[[], Path]) -> None:
        self._connection = connection
        self._table = table
        self._new_file = new_file
        self._out: list[int] = []
        self._again: list[tuple[int, int, int, bytes]] = []
        self.locations = Locations()
        self.rejects: list[Reject] = []
        self.dropped_fields = 0
        """Optional fields of unusable value that became NULL."""
        self.duplicates = 0
        """Records that repeated another one, and were dropped."""
        create_table(connection, table)

    def load(self, source: SourceFile, read_path: Path, stop: int | None = None) -> None:
        """Append the spans of ``source`` from where it is loaded to ``stop``, else to its end.

        ``read_path`` is what DuckDB opens: the file itself when all of it is meant, else a copy of the stretch.
        """
        first = len(self.locations)
        stop = source.size() if stop is None else stop
        with ThreadPoolExecutor(1) as beside:
            finding = beside.submit(find_lines, source.descriptor, source.end, stop)
            rows = self._read(read_path, source.file_id)
            lines = finding.result()
        if rows > len(lines):
            lines = find_lines(source.descriptor, source.end)
        if rows > len(lines) or rows == 0 < len(lines) or not self._aligned(source, lines, first, rows):
            self._connection.execute(f"DELETE FROM {self._table} WHERE rowid >= {first}")
            _rewrite(self._connection, self._table)
            rows = 0
        # The file may have grown between the two passes: what DuckDB did not see is left for the next stretch.
        seen = rows if 0 < rows < len(lines) else len(lines)
        last = seen - 1 if lines.unfinished and seen == len(lines) else -1
        source.end = lines.stop if seen == len(lines) else int(lines.starts[seen])
        if rows:
            self.locations.append(source.file_id, lines.starts[:seen], lines.sizes[:seen])
            self._examine(source, lines, first, self._suspects(source, lines, first, seen), last)
        else:
            self._examine(source, lines, None, np.arange(len(lines)), last)

    def finish(self) -> None:
        """Take rejected rows out, load repaired ones, drop exact duplicates."""
        if self._out:
            self._drop(np.asarray(self._out, np.int64))
            self._out.clear()
        if self._again:
            by_file: dict[int, list[tuple[int, int, bytes]]] = {}
            for file_id, start, size, record in self._again:
                by_file.setdefault(file_id, []).append((start, size, record))
            for file_id, entries in by_file.items():
                self._load_again(file_id, entries)
            self._again.clear()
        again = duplicates_within(self._connection, self._table)
        if len(again):
            self.duplicates += len(again)
            self._drop(again)

    def _load_again(self, file_id: int, entries: list[tuple[int, int, bytes]]) -> None:
        """Load spans from their cleaned light fields; what DuckDB still cannot read becomes a reject."""
        first = len(self.locations)
        path = self._new_file()
        path.write_bytes(b"\n".join(record for _, _, record in entries))
        self._read(path, file_id)
        path.unlink()
        starts, sizes = (np.asarray([entry[i] for entry in entries], np.int64) for i in (0, 1))
        self.locations.append(file_id, starts, sizes)
        every = np.arange(first, first + len(entries))
        broken = np.setdiff1d(every, np.asarray(sorted(self._whole_rows(every)), np.int64))
        if len(broken):
            for index in (broken - first).tolist():
                self.rejects.append(Reject(file_id, entries[index][0], "has a value that cannot be read"))
            self._drop(broken)

    def _read(self, path: Path, file_id: int) -> int:
        """Let DuckDB read a file; the number of rows, 0 when it gives the file up for the length of a line."""
        for options in ("", f", maximum_object_size = {2 * LINE_LIMIT}"):
            query = (
                f"INSERT INTO {self._table} SELECT {kept_columns()}, {file_id} FROM read_json(?, "
                f"format = 'newline_delimited', columns = {read_columns()}, ignore_errors = true, "
                f"compression = 'uncompressed'{options})"
            )
            # More room for a line is more memory for each thread, so it comes second.
            with contextlib.suppress(duckdb.InvalidInputException):
                return interruptible(self._connection, partial(self._insert, query, path))
        return 0

    def _insert(self, query: str, path: Path) -> int:
        ((rows,),) = self._connection.execute(query, [_literal(path)]).fetchall()
        return int(rows)

    def _aligned(self, source: SourceFile, lines: Lines, first: int, rows: int) -> bool:
        if not rows:
            return True
        picks = np.unique(np.linspace(0, rows - 1, _SAMPLE).astype(np.int64)) + first
        found = self._connection.execute(
            f"SELECT rowid, run_id FROM {self._table} WHERE rowid IN (SELECT unnest(?)) AND run_id IS NOT NULL",
            [picks.tolist()],
        ).fetchall()
        for row, run_id in found:
            line = _line(source, lines, row - first)
            if orjson.dumps(run_id)[1:-1] not in line and look(line).record.get("run_id") not in (None, run_id):
                return False
        return True

    def _suspects(self, source: SourceFile, lines: Lines, first: int, seen: int) -> NDArray[np.int64]:
        """The indices of lines that need a closer look."""
        found = self._connection.execute(
            f"SELECT rowid FROM {self._table} WHERE {f'rowid >= {first} AND ' if first else ''}({suspicion()})"
        ).fetchnumpy()
        suspects = np.asarray(found["rowid"], np.int64) - first
        long = np.flatnonzero(lines.sizes[:seen] > _DEPTH_BYTES)
        deep = [index for index in long.tolist() if _may_be_deep(source, lines, index)]
        return np.union1d(suspects, np.asarray(deep, np.int64))

    def _examine(
        self, source: SourceFile, lines: Lines, first: int | None, indices: NDArray[np.int64], unfinished: int
    ) -> None:
        """Judge the lines of ``indices``: keep, reject or load again; ``first`` is the row of the first line."""
        if len(indices) == 0:
            return
        whole = set() if first is None else self._whole_rows(first + indices)
        for index, line in _texts(source, lines, indices):
            verdict = look(line)
            start = int(lines.starts[index])
            if verdict.reason is None:
                self.dropped_fields += len(verdict.dropped)
                # DuckDB has made NULL of what it cannot convert; only a text takes the JSON of another type.
                if first is not None and first + index in whole and TEXTS.isdisjoint(verdict.dropped):
                    continue
                self._again.append((source.file_id, start, int(lines.sizes[index]), encode(verdict.record)))
            elif index == unfinished:
                self.rejects.append(Reject(source.file_id, start, f"unfinished line: {verdict.reason}"))
                source.end = start
            else:
                self.rejects.append(Reject(source.file_id, start, verdict.reason))
            if first is not None:
                self._out.append(first + index)

    def _whole_rows(self, rows: NDArray[np.int64]) -> set[int]:
        """Those of ``rows`` where every required value was read."""
        present = " AND ".join(f"{name} IS NOT NULL" for name in REQUIRED)
        # As an array: a list of a million numbers takes seconds on its way into a query.
        self._connection.register("chosen_rows", {"id": rows})
        found = self._connection.execute(
            f"SELECT rowid FROM {self._table} WHERE rowid IN (SELECT id FROM chosen_rows) AND {present}"
        ).fetchnumpy()
        self._connection.unregister("chosen_rows")
        return set(np.asarray(found["rowid"]).tolist())

    def _drop(self, rows: NDArray[np.int64]) -> None:
        self._connection.register("chosen_rows", {"id": rows})
        self._connection.execute(f"DELETE FROM {self._table} WHERE rowid IN (SELECT id FROM chosen_rows)")
        self._connection.unregister("chosen_rows")
        _rewrite(self._connection, self._table)
        self.locations.drop(rows)


def _rewrite(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Write a table anew, so that its row ids are dense after a DELETE."""
    connection.execute(f"CREATE TABLE {table}_dense AS SELECT * FROM {table} ORDER BY rowid")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE {table}_dense RENAME TO {table.rpartition('.')[2]}")


def _literal(path: Path) -> str:
    # DuckDB expands globs in file names; a bracket class of one character stands for that character.
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path.absolute()))


def _line(source: SourceFile, lines: Lines, index: int) -> bytes:
    return os.pread(source.descriptor, min(int(lines.sizes[index]), LINE_LIMIT + 1), int(lines.starts[index]))


def _texts(source: SourceFile, lines: Lines, indices: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """The chosen lines, read in blocks where they lie close together."""
    starts, sizes = lines.starts[indices], np.minimum(lines.sizes[indices], LINE_LIMIT + 1)
    block, begin, end = b"", 0, 0
    for index, start, size in zip(indices.tolist(), starts.tolist(), sizes.tolist(), strict=True):
        if start < begin or start + size > end:
            begin = start
            block = os.pread(source.descriptor, max(size, _BLOCK), start)
            end = begin + len(block)
        yield index, block[start - begin : start - begin + size]


def _may_be_deep(source: SourceFile, lines: Lines, index: int) -> bool:
    if lines.sizes[index] > LINE_LIMIT:
        return True
    line = _line(source, lines, index)
    return line.count(b"{") + line.count(b"[") > _DEPTH
