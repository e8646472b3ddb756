"""Finds the checkpoints of a damaged SQLite database that can still be read.

The primary key's index or some pages are broken: rows are asked for by their numbers, a stretch at a time, and one by
one where a stretch cannot be read.
"""

import sqlite3
from typing import Any

STRETCH = 64
MOST_ROWS = 2_000_000
ROWS_A_PAGE = 20
"""A row of these tables takes at least 200 bytes; a page holds about 4000."""


def readable_rows(connection: sqlite3.Connection) -> dict[int, tuple[Any, ...]]:
    """Row number to thread, namespace and id, of every row that can be read."""
    found: dict[int, tuple[Any, ...]] = {}
    for start in range(1, _last(connection) + 1, STRETCH):
        rows = _between(connection, start, start + STRETCH - 1)
        if rows is None:
            for number in range(start, start + STRETCH):
                found |= _between(connection, number, number) or {}
        else:
            found |= rows
    return found


def _last(connection: sqlite3.Connection) -> int:
    try:
        last = connection.execute("SELECT max(rowid) FROM checkpoints NOT INDEXED").fetchone()[0]
        if isinstance(last, int):
            return min(last, MOST_ROWS)
    except sqlite3.DatabaseError:
        pass
    try:
        return min(int(connection.execute("PRAGMA page_count").fetchone()[0]) * ROWS_A_PAGE, MOST_ROWS)
    except (sqlite3.DatabaseError, TypeError):
        return 0


def _between(connection: sqlite3.Connection, first: int, last: int) -> dict[int, tuple[Any, ...]] | None:
    """The rows with these numbers, None when one of them cannot be read."""
    query = (
        "SELECT rowid, thread_id, checkpoint_ns, checkpoint_id FROM checkpoints NOT INDEXED WHERE rowid BETWEEN ? AND ?"
    )
    try:
        return {row[0]: row[1:] for row in connection.execute(query, (first, last)).fetchall()}
    except sqlite3.DatabaseError:
        return None
