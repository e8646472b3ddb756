"""DuckDB's reader of JSON lines as the store uses it: one row a non-blank line, NULL for what is odd."""

import contextlib
from pathlib import Path

import duckdb

from flightlog.reader import MAX_LINE_BYTES
from flightlog_viewer.store.interruptible import interruptible


def read_json(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: str,
    select: str,
    *,
    into: str,
) -> int | None:
    """Put the lines of a plain file ``into`` a table; how many, None when DuckDB gives it up for the length of a line.

    ``columns`` is the argument of ``read_json``: always given, because detection of types fails a whole file for one
    odd line. Ctrl-C cancels. Raises duckdb.Error when there is no room for the result.
    """
    for options in ("", f", maximum_object_size = {2 * MAX_LINE_BYTES}"):
        query = (
            f"{into} SELECT {select} FROM read_json(?, format = 'newline_delimited', columns = {columns}, "
            f"ignore_errors = true, compression = 'uncompressed'{options})"
        )

        def run(query: str = query) -> int:
            return int(connection.execute(query, [_literal(path)]).fetchall()[0][0])

        # More room for a line is more memory for each thread, so it comes second.
        with contextlib.suppress(duckdb.InvalidInputException):
            return interruptible(connection, run)
    return None


def _literal(path: Path) -> str:
    # DuckDB expands globs in file names; a bracket class of one character stands for that character.
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path.absolute()))
