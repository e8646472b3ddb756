"""The locked SQL session: one reading statement at a time, nothing outside the store within reach.

A locked DuckDB alone still lets DROP, a DELETE inside WITH and EXPLAIN ANALYZE of a DELETE through, and its temporary
folder stays writable. So the statement is checked first, and runs in a read-only transaction.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import duckdb

from flightlog.errors import MissingExtraError, UsageError
from flightlog_viewer.store.interruptible import interruptible
from flightlog_viewer.store.public import listing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_LOCK: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_OUTSIDE: Final = "file system operations are disabled"
_ROOM: Final = re.compile(r"/([\d.]+ \w+) used")
_NO_VALUE: Final = (duckdb.Error, OverflowError)
"""How reading a value fails: DuckDB cannot compute it, or Python has none so large (an interval of a million years)."""
_NOTHING_LEFT: Final = "No open result set"
_AT_ONCE: Final = 1_000
"""Rows fetched at a time for who reads one after the other."""
_JSON: Final = re.compile(r"Malformed JSON|\(JSON(, BOOLEAN)?\)|not JSON$")
"""What DuckDB says to those who take JSON for a text, a number or a list."""
_PIVOT: Final = re.compile(r"\bPIVOT\b", re.IGNORECASE)
_EXPLAIN: Final = re.compile(r"(\s+|--[^\n]*(\n|$)|/\*.*?\*/)*EXPLAIN\b", re.IGNORECASE | re.DOTALL)


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut the instance off from files, network, extensions, settings and Python variables, for good.

    The folder for what does not fit into the memory stays within its reach, if it was given one: it is the store's own,
    and nothing else is in it.
    """
    for setting in _LOCK:
        connection.execute(setting)


def check(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    """The one statement of ``query``. Raises UsageError when it is not exactly one that only reads."""
    statement = _single(connection, listing(query) or query)
    kind = _kind(statement)
    if kind == duckdb.StatementType.SELECT:
        return statement
    if kind == duckdb.StatementType.EXPLAIN:
        # What follows EXPLAIN must stand as a SELECT by itself: ANALYZE, and options in parentheses, do not.
        explained = _EXPLAIN.sub("", statement.query, count=1)
        if _kind(_single(connection, explained)) == duckdb.StatementType.SELECT:
            return statement
    if _PIVOT.search(query):  # DuckDB would make a type of the values that it finds
        raise UsageError("PIVOT needs the values that become columns: PIVOT ... ON status IN ('ok', 'error')")
    raise UsageError("only SELECT and EXPLAIN (without ANALYZE) are allowed: the store is read-only")


def _single(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise UsageError(sentence(error)) from None
    if len(statements) != 1:
        raise UsageError("exactly one SQL statement is allowed" if statements else "the SQL query is empty")
    return statements[0]


def _kind(statement: duckdb.Statement) -> duckdb.StatementType | None:
    try:
        return statement.type
    except ValueError:  # a kind that the Python module has no name for
        return None


def sentence(error: Exception) -> str:
    """DuckDB's sentence with its hint (``Did you mean "spans"?``), without its lists and the excerpt of the query.

    To DuckDB, reaching outside is a matter of settings; here it is not, and there are other ways.
    """
    if _OUTSIDE in str(error):
        return (
            "a query reads what was loaded and no other files: load yours as a table (--table NAME=FILE, "
            "open_store(tables=...)), or write its rows as VALUES"
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        room = _ROOM.search(str(error))
        most = room[1] if room else "there is"
        return f"out of memory: this needs more than {most}, not all of which can go to the disk"
    if _NOTHING_LEFT in str(error) or isinstance(error, duckdb.ConnectionException):
        return "this result was read to its end, or closed: run the query again"
    if isinstance(error, OverflowError):
        return "a value is beyond what Python can hold: cast it to VARCHAR"
    said: list[str] = []
    for line in str(error).strip().splitlines():
        if not line.strip() or line.startswith("LINE "):
            break
        if not line[0].isspace() or said[-1].endswith(":"):
            said.append(line.strip())
    whole = " ".join(said) or type(error).__name__
    if _JSON.search(whole):
        whole += (
            " (of JSON, column->>'key' is a text, (column->>'key')::DOUBLE a number, unnest(column->'$[*]') its items)"
        )
    return whole


class Result:
    """The answer to one query; values are read as they are asked for. Close it, or read it to its end."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.columns: list[str] = [str(column[0]) for column in cursor.description or ()]
        """Names, in order; the same name can occur twice."""
        self.types: list[str] = [str(column[1]) for column in cursor.description or ()]
        """DuckDB's names of their types."""

    def __repr__(self) -> str:
        columns = ", ".join(map(" ".join, zip(self.columns, self.types, strict=True)))
        return f"Result({columns}): iterate over it, or .df(), .arrow(), .fetchall()"

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The remaining rows. Raises UsageError when a value cannot be computed."""
        while rows := self.fetchmany(_AT_ONCE):
            yield from rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All remaining rows. Raises UsageError when a value cannot be computed."""
        with self._ended():
            return interruptible(self._cursor, self._cursor.fetchall)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """Up to ``size`` more rows; an empty list at the end. Raises UsageError when a value cannot be computed."""
        try:
            rows = interruptible(self._cursor, lambda: self._cursor.fetchmany(size))
        except _NO_VALUE as error:
            self.close()
            raise UsageError(sentence(error)) from None
        if not rows:
            self.close()
        return rows

    def arrow(self) -> "pa.Table":
        """All remaining rows as an Arrow table."""
        with self._ended(), warnings.catch_warnings():
            # DuckDB would rather be asked through a relation, which cannot run inside our read-only transaction.
            warnings.simplefilter("ignore", UserWarning)
            return interruptible(self._cursor, self._cursor.to_arrow_table)

    def df(self) -> "pd.DataFrame":
        """All remaining rows as a pandas frame. Raises MissingExtraError without pandas."""
        try:
            import pandas  # noqa: F401
        except ImportError:
            raise MissingExtraError(".df()", "notebook") from None
        with self._ended():
            return interruptible(self._cursor, self._cursor.df)

    def close(self) -> None:
        """Free the cursor; harmless when repeated."""
        self._cursor.close()

    @contextlib.contextmanager
    def _ended(self) -> Any:
        try:
            yield
        except _NO_VALUE as error:
            raise UsageError(sentence(error)) from None
        finally:
            self.close()


def run(cursor: duckdb.DuckDBPyConnection, query: str, params: Any = None) -> Result:
    """Run user SQL on a cursor of a locked instance, which the result then owns.

    Raises UsageError with DuckDB's own sentence when the query is wrong or not allowed.
    """

    def execute() -> None:
        statement = check(cursor, query)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        cursor.execute(statement, params)

    try:
        interruptible(cursor, execute)
    except duckdb.InterruptException:
        cursor.close()
        raise UsageError("the query was cancelled") from None
    except duckdb.Error as error:
        cursor.close()
        raise UsageError(sentence(error)) from None
    except BaseException:
        cursor.close()
        raise
    return Result(cursor)
