"""Tables of the user's own beside the spans: files that DuckDB reads, and what Python has in memory.

They are read once, before the session is locked, into tables of the store: a query reaches rows and never the file.
"""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from flightlog.errors import UnreadableError, UsageError
from flightlog_viewer.file_head import head_of
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.interruptible import interruptible
from flightlog_viewer.store.public import OWN

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITED: Final = "read_csv(?, header = true, sample_size = -1, hive_partitioning = false)"
_JSON: Final = "read_json(?, sample_size = -1, hive_partitioning = false)"
_READERS: Final = {
    ".csv": _DELIMITED,
    ".tsv": _DELIMITED,
    ".parquet": "read_parquet(?, hive_partitioning = false)",
    ".json": _JSON,
    ".jsonl": _JSON,
}
"""By how a name ends. Types come from all rows: from the first ones, a later row that does not fit would be an error.
DuckDB would also make columns of folders that are named ``key=value``."""
_PACKED: Final = (".gz", ".zst")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(tables: Mapping[str, Any]) -> None:
    """Raises UsageError for a name that SQL cannot say, UnreadableError for a file that cannot be one of rows.

    Before the spans are loaded, which can take a while.
    """
    for name, given in tables.items():
        if not isinstance(name, str) or not _is_identifier(name):
            raise UsageError(f"{name!r} cannot be the name of a table: letters, digits and _ make one, no word of SQL")
        if isinstance(given, str | os.PathLike):
            _reader(Path(given))


def create(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Any]) -> None:
    """Make ``tables`` beside those that there are, all views included.

    Raises UsageError for a name that is taken, or a value that has no rows and columns, and UnreadableError for a file
    that holds none.
    """
    # Nothing is fetched for a file that asks for more than DuckDB brings along.
    connection.execute("SET autoinstall_known_extensions = false")
    for name, given in tables.items():
        taken = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
        if connection.execute(f"FROM ({taken}) AS t(name) WHERE lower(name) = ?", [name.lower()]).fetchall():
            raise UsageError(f"there is a table {name} already: choose another name for yours")
        try:
            if isinstance(given, str | os.PathLike):
                _from_file(connection, name, Path(given))
            else:
                _from_memory(connection, name, given)
        except duckdb.OutOfMemoryException:
            raise UnreadableError(f"the memory has no room for the table {name}") from None
        connection.execute(f"COMMENT ON TABLE {name} IS '{OWN}'")


def _is_identifier(name: str) -> bool:
    if not _IDENTIFIER.fullmatch(name):
        return False
    try:
        return len(duckdb.extract_statements(f"FROM {name}")) == 1
    except duckdb.Error:  # a word of SQL
        return False


def _reader(path: Path) -> str:
    said = name_text(path)
    if not path.is_file():
        raise UnreadableError(f"{said} is not a file" if path.exists() else f"{said} does not exist")
    try:
        is_empty = not head_of(path, 1)
    except OSError as error:
        raise UnreadableError(f"{said} cannot be read: {error.strerror}") from None
    plain = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    if (reader := _READERS.get(plain.suffix.lower())) is None:
        raise UsageError(f"{said} is no table: the name of one ends in {', '.join(_READERS)}, or .gz or .zst behind it")
    if is_empty:
        raise UnreadableError(f"{said} is empty")
    return reader


def _from_file(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    query = f"CREATE TABLE {name} AS FROM {_reader(path)}"
    # An absolute path is no URL, and an escaped one no pattern.
    place = glob.escape(os.path.abspath(path))
    try:
        place.encode()
        interruptible(connection, lambda: connection.execute(query, [place]))
    except UnicodeEncodeError:
        raise UnreadableError(f"{name_text(path)} has a name that is not UTF-8: give it another") from None
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise UnreadableError(f"{name_text(path)} cannot be read as a table: {_reason(str(error))}") from None


def _reason(error: str) -> str:
    """What DuckDB says in its first line; what it says to those who chose its options would be lost on ours."""
    if "utf-8" in error.lower():
        return "it is not UTF-8"
    if "sniffing" in error:
        return "no columns can be made out"
    return error.partition("\n")[0].partition(": ")[2].strip() or error.partition("\n")[0]


def _from_memory(connection: duckdb.DuckDBPyConnection, name: str, given: Any) -> None:
    try:
        rows = _arrow(given)
        connection.register("own_rows", rows)
        try:
            connection.execute(f"CREATE TABLE {name} AS FROM own_rows")
        finally:
            connection.unregister("own_rows")
    except duckdb.OutOfMemoryException:
        raise
    except (TypeError, ValueError, duckdb.Error) as error:
        said = str(error).partition("\n")[0]
        raise UsageError(f"no table {name} can be made of a {type(given).__name__}: {said}") from None


def _arrow(given: Any) -> "pa.Table":
    import pyarrow as pa

    return pa.table(given)
