"""The base: rows loaded once into a DuckDB file of their own, attached read-only from then on.

It holds the rows, where their lines are, the rejects, the files they came from, and what is derived from them. It is
built under a name of its own and never changed; what comes later stays in memory.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from flightlog_viewer.store.derived import Derived
from flightlog_viewer.store.files.fingerprint import fingerprint
from flightlog_viewer.store.files.source_file import SourceFile
from flightlog_viewer.store.loading.locations import Locations

if TYPE_CHECKING:
    from flightlog_viewer.store.loading.locations import Arrays

_DERIVED_TABLES: Final = ("trace_rows", "llm_wrappers", "prices")
_DAMAGE: Final = re.compile(
    'Corrupt database file: |IO Error: (Could not read enough bytes|The file ".*" exists, but it is not a valid DuckDB)'
)
"""How DuckDB begins to say so: each block of a file has a checksum, which is looked at when it is first read."""


@dataclass(frozen=True, slots=True)
class BaseFile:
    """A file that the base was built from, as it was then."""

    file_id: int
    device: int
    inode: int
    end: int
    """Bytes loaded."""
    followed: bool
    """False for a file that is read by a copy: it must not have changed at all."""
    original_size: int
    original_mtime_ns: int
    fingerprint: str
    """Of the bytes loaded: a hash of samples, the first and the last bytes among them."""


def begin(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a new file for a base to be built in."""
    connection.execute(f"ATTACH '{_quoted(path)}' AS base")


def attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a finished base, for good."""
    connection.execute(f"ATTACH '{_quoted(path)}' AS base (READ_ONLY)")


def is_damage(error: Exception) -> bool:
    """Whether an error says that a base does not hold what was written to it. One that is locked is not damaged."""
    return _DAMAGE.match(str(error)) is not None


def attach_kept(
    connection: duckdb.DuckDBPyConnection, kept: Path, paths: Sequence[Path]
) -> list[tuple[BaseFile, Path]] | None:
    """Attach the base kept at ``kept``, if every file it was built from is among ``paths`` and unchanged up to there.

    Returns its files in the order of their ids, each with where it is now; None when there is no such base. Raises
    duckdb.Error when it is damaged.
    """
    if not kept.exists():
        return None
    try:
        attach(connection, kept)
        files = [BaseFile(*row) for row in connection.execute("FROM base.files ORDER BY file_id").fetchall()]
    except duckdb.Error as error:
        detach(connection)
        if is_damage(error):
            raise
        # Locked by somebody who writes to it, say: another one takes its place, and theirs stays as it is.
        return None
    by_identity: dict[tuple[int, int], Path] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            by_identity[status.st_dev, status.st_ino] = path
    found = [(file, by_identity.get((file.device, file.inode))) for file in files]
    matched = [(file, path) for file, path in found if path is not None and _matches(file, path)]
    if len(matched) == len(files):
        return matched
    detach(connection)
    return None


def write_places(
    connection: duckdb.DuckDBPyConnection, locations: Locations, files: Sequence[SourceFile], duplicates: int
) -> None:
    """Write beside the rows: places, rejects, files, and the count of duplicates."""
    connection.register(
        "place_arrays", {"file_id": locations.file_ids, "start": locations.starts, "size": locations.sizes}
    )
    connection.execute("CREATE TABLE base.places AS FROM place_arrays")
    connection.unregister("place_arrays")
    connection.execute("CREATE TABLE base.reject_rows AS FROM reject_rows")
    connection.execute(
        "CREATE TABLE base.files (file_id INTEGER, device UBIGINT, inode UBIGINT, end_offset BIGINT, followed BOOLEAN, "
        "original_size BIGINT, original_mtime_ns BIGINT, fingerprint VARCHAR)"
    )
    described = [_describe(source) for source in files]
    values = [[getattr(file, name) for file in described] for name in BaseFile.__slots__]
    # In one go: each statement by itself would be written to the disk by itself.
    connection.execute(f"INSERT INTO base.files SELECT {', '.join(['unnest(?)'] * len(values))}", values)
    connection.execute("CREATE TABLE base.counts (duplicates BIGINT)")
    connection.execute("INSERT INTO base.counts VALUES (?)", [duplicates])


def read_counts(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The number of rows, and of duplicates."""
    ((rows, duplicates),) = connection.execute(
        "SELECT (SELECT count(*) FROM base.places), duplicates FROM base.counts"
    ).fetchall()
    return rows, duplicates


def read_places(cursor: duckdb.DuckDBPyConnection) -> "Arrays":
    """Where the lines of the rows are."""
    import numpy as np

    places = cursor.execute("FROM base.places").fetchnumpy()
    return (
        np.asarray(places["file_id"], np.int32),
        np.asarray(places["start"], np.int64),
        np.asarray(places["size"], np.int64),
    )


def write_derived(connection: duckdb.DuckDBPyConnection, derived: Derived) -> None:
    """Write what was derived from the rows."""
    arrays = {"self_ms": derived.own_times.values, "cost_usd": derived.costs.values}
    connection.register("value_arrays", arrays)
    connection.execute("CREATE TABLE base.row_values AS FROM value_arrays")
    connection.unregister("value_arrays")
    for table in _DERIVED_TABLES:
        connection.execute(f"CREATE TABLE base.{table} AS FROM {table}")


def _describe(source: SourceFile) -> BaseFile:
    with source.reading() as descriptor:
        found = fingerprint(descriptor, source.end)
    return BaseFile(source.file_id, *source.identity, source.end, source.copy is None, *source.state, found)


def _matches(file: BaseFile, path: Path) -> bool:
    """Whether the file at ``path`` still begins with what the base has of it."""
    try:
        status = os.stat(path)
        if not file.followed:
            return (status.st_size, status.st_mtime_ns) == (file.original_size, file.original_mtime_ns)
        if status.st_size < file.end:
            return False
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return fingerprint(descriptor, file.end) == file.fingerprint
    finally:
        os.close(descriptor)


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of the base, if one is attached."""
    with contextlib.suppress(duckdb.Error):
        connection.execute("DETACH base")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
