"""Span files into the table of kept rows: one pass by DuckDB, a closer look at what it cannot vouch for.

DuckDB reads every non-blank line as one row, in the order of the file, and makes NULL of what it cannot convert. So
the rows line up with the lines, and rows that show a sign of trouble are judged by their lines: they become rejects,
or are loaded again from their cleaned light fields.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray

from flightlog_viewer.store.columns import kept_columns, read_columns, suspicion, table_columns
from flightlog_viewer.store.lines import Lines, find_lines
from flightlog_viewer.store.locations import Locations
from flightlog_viewer.store.sieve import LINE_LIMIT, look

_SAMPLE: Final = 16
"""Rows whose run_id is compared with the bytes of their line, as proof that rows and lines line up."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is no span."""

    file_id: int
    byte_offset: int
    reason: str


@dataclass(slots=True)
class Loaded:
    """What loading one stretch of a file gave."""

    rows: int
    end: int
    """Where to go on reading when the file grows."""
    rejects: list[Reject] = field(default_factory=list)
    dropped_fields: int = 0
    """Optional fields of unusable value that became NULL."""
    unfinished: bool = False
    """Whether the last line has no newline yet; the lines from ``end`` on are then loaded again when it has."""


def create_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create an empty table of kept rows."""
    connection.execute(f"CREATE TABLE {name} ({table_columns()})")


def load_file(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    descriptor: int,
    file_id: int,
    locations: Locations,
    tick: Callable[[int], None] | None = None,
) -> Loaded:
    """Append the spans of a whole plain file to ``table`` and their places to ``locations``.

    ``path`` is what DuckDB opens, ``descriptor`` the same file, held open. Rows of the table and of ``locations``
    stay parallel. Raises duckdb.Error only when the table itself cannot take more (memory, disk).
    """
    first = len(locations)
    _read(connection, table, path, file_id)
    rows = _count(connection, table) - first
    lines = find_lines(descriptor, tick=tick)
    if rows > len(lines) or not _aligned(connection, table, descriptor, lines, first, rows):
        connection.execute(f"DELETE FROM {table} WHERE rowid >= {first}")
        _renumber(connection, table)
        rows = 0
    # The file may have grown between the two passes: what DuckDB did not see is left for the next stretch.
    seen = rows if 0 < rows < len(lines) else len(lines)
    grown = seen < len(lines)
    end = int(lines.starts[seen]) if grown else lines.end
    loaded = Loaded(0, end, unfinished=lines.unfinished and not grown)
    if rows:
        locations.append(file_id, lines.starts[:seen], lines.sizes[:seen])
        suspects = _suspects(connection, table, first)
        long = np.flatnonzero(lines.sizes[:seen] > LINE_LIMIT) + first
        suspects = np.union1d(suspects, long) if len(long) else suspects
    else:
        suspects = np.empty(0, np.int64)
    again = np.arange(len(lines)) if rows == 0 else suspects - first
    _examine(connection, table, descriptor, file_id, lines, first, again, rows > 0, locations, loaded)
    loaded.rows = len(locations) - first
    return loaded


def _read(connection: duckdb.DuckDBPyConnection, table: str, path: Path, file_id: int) -> None:
    connection.execute(
        f"INSERT INTO {table} SELECT {kept_columns()}, {file_id} FROM read_json(?, format = 'newline_delimited', "
        f"columns = {read_columns()}, ignore_errors = true, compression = 'uncompressed')",
        [_literal(path)],
    )


def _literal(path: Path) -> str:
    # DuckDB expands globs in file names; a bracket class of one character stands for that character.
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path.absolute()))


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _aligned(
    connection: duckdb.DuckDBPyConnection, table: str, descriptor: int, lines: Lines, first: int, rows: int
) -> bool:
    picks = np.unique(np.linspace(0, rows - 1, _SAMPLE).astype(np.int64)) if rows else np.empty(0, np.int64)
    found = connection.execute(
        f"SELECT rowid, run_id FROM {table} WHERE rowid IN (SELECT unnest(?)) AND run_id IS NOT NULL",
        [(picks + first).tolist()],
    ).fetchall()
    for row, run_id in found:
        line = _line(descriptor, lines, row - first)
        if orjson.dumps(run_id)[1:-1] not in line and look(line).record.get("run_id") != run_id:
            return False
    return True


def _suspects(connection: duckdb.DuckDBPyConnection, table: str, first: int) -> NDArray[np.int64]:
    result = connection.execute(f"SELECT rowid FROM {table} WHERE rowid >= {first} AND ({suspicion()})").fetchnumpy()
    return np.sort(np.asarray(result["rowid"], np.int64))


def _line(descriptor: int, lines: Lines, index: int) -> bytes:
    return os.pread(descriptor, min(int(lines.sizes[index]), LINE_LIMIT + 1), int(lines.starts[index]))


def _examine(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    descriptor: int,
    file_id: int,
    lines: Lines,
    first: int,
    indices: NDArray[np.int64],
    loaded_once: bool,
    locations: Locations,
    loaded: Loaded,
) -> None:
    """Judge the lines of ``indices``; drop or load again the rows that need it."""
    if len(indices) == 0:
        return
    whole = set(_whole_rows(connection, table, first + indices)) if loaded_once else set()
    out: list[int] = []
    again: list[int] = []
    records: list[bytes] = []
    for index in indices.tolist():
        verdict = look(_line(descriptor, lines, index))
        if verdict.reason is None:
            loaded.dropped_fields += len(verdict.dropped)
            if first + index in whole and not verdict.dropped:
                continue
            again.append(index)
            records.append(orjson.dumps(verdict.record))
        elif loaded.unfinished and index == len(lines) - 1:
            loaded.rejects.append(Reject(file_id, int(lines.starts[index]), f"unfinished line: {verdict.reason}"))
        else:
            loaded.rejects.append(Reject(file_id, int(lines.starts[index]), verdict.reason))
        out.append(first + index)
    if loaded_once and out:
        gone = np.asarray(out, np.int64)
        drop_rows(connection, table, gone)
        locations.drop(gone)
    if again:
        _load_records(connection, table, file_id, records)
        chosen = np.asarray(again, np.int64)
        locations.append(file_id, lines.starts[chosen], lines.sizes[chosen])


def _whole_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: NDArray[np.int64]) -> list[int]:
    """Those of ``rows`` where every required value was read."""
    found = connection.execute(
        f"SELECT rowid FROM {table} WHERE rowid IN (SELECT unnest(?)) AND v IS NOT NULL AND type IS NOT NULL AND "
        "name IS NOT NULL AND run_id IS NOT NULL AND trace_id IS NOT NULL AND start_time IS NOT NULL AND "
        "duration_ms IS NOT NULL AND status IS NOT NULL",
        [rows.tolist()],
    ).fetchnumpy()
    return [int(row) for row in found["rowid"]]


def drop_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: NDArray[np.int64]) -> None:
    """Take rows out of a table of kept rows; those behind move up, so that row ids stay dense."""
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT unnest(?))", [rows.tolist()])
    _renumber(connection, table)


def _renumber(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute(f"CREATE TABLE {table}_dense AS SELECT * FROM {table} ORDER BY rowid")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE {table}_dense RENAME TO {table}")


def _load_records(connection: duckdb.DuckDBPyConnection, table: str, file_id: int, records: list[bytes]) -> None:
    with TemporaryDirectory(prefix="flightlog-") as folder:
        spool = Path(folder) / "lines.jsonl"
        spool.write_bytes(b"\n".join(records))
        _read(connection, table, spool, file_id)
