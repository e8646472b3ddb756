"""The checkpoint databases of a store: read when a query first names their tables, and again once they have changed."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import duckdb

from flightlog.errors import UnreadableError
from flightlog_viewer.store.checkpoint_tables import HISTORY
from flightlog_viewer.store.queries.by_name import statement

_SETTLED_NS: Final = 1_000_000_000
"""A file that was written a moment ago can be written again within one tick of its clock."""


if TYPE_CHECKING:
    from flightlog_viewer.checkpoints.kept import KnownSummaries


@dataclass(slots=True)
class _Database:
    target: str
    seen: Sequence[tuple[int, ...]] | None = None
    """What tells whether the files have changed; None when that cannot be told."""
    version: int = 0
    """Grows with every change that was seen."""
    read: dict[str, int] = field(default_factory=dict)
    """What was read of it, and in which version."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """What was read of it, and what of that could not be."""
    threads: "KnownSummaries | None" = None
    """What is known of its threads."""


class CheckpointDatabases:
    """Keeps the tables of checkpoint databases up to date. Only `refresh` may be called beside another call."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection], targets: Sequence[str]) -> None:
        self._cursor = cursor
        self._databases = [_Database(target) for target in dict.fromkeys(targets)]
        self._merged: tuple[int, ...] = ()
        """State of databases and spans that `interrupts` was made from."""
        self._merge_problems: list[str] = []
        self._look = False

    @property
    def problems(self) -> list[str]:
        """What could not be read and is missing in the tables, a sentence each."""
        found = [text for database in self._databases for texts in database.problems.values() for text in texts]
        return list(dict.fromkeys([*found, *self._merge_problems]))

    def load(self) -> None:
        """Read the threads. Raises UnreadableError for what is no checkpoint database."""
        for database in self._databases:
            database.seen = _files(database.target)
            self._read(database, "thread_states")

    def refresh(self) -> None:
        """From now on changes count: the next query looks for them, and reads again what it names. Never waits."""
        self._look = True

    def _look_again(self) -> None:
        self._look = False
        for database in self._databases:
            seen = _files(database.target)
            if seen is None or seen != database.seen:
                database.seen = seen
                database.version += 1

    def prepare(self, tables: Collection[str], rows: int, changes: int) -> None:
        """Bring the tables up to date that a query names; `rows` and `changes` tell the state of the spans."""
        if self._look:
            self._look_again()
        for database in self._databases:
            if "thread_states" in tables:
                self._again(database, "thread_states")
            if not HISTORY.isdisjoint(tables):
                self._again(database, "history")
        if "interrupts" in tables:
            self._merge(rows, changes)

    def _read(self, database: _Database, what: str) -> None:
        # Only now: it brings all that decodes checkpoints.
        from flightlog_viewer.checkpoints.kept import KnownSummaries
        from flightlog_viewer.store.checkpoint_ingest import ingest_history, ingest_threads

        with self._cursor() as cursor:
            if what == "thread_states":
                database.threads = database.threads or KnownSummaries()
                database.problems[what] = ingest_threads(cursor, database.target, database.threads)
            else:
                database.problems[what] = ingest_history(cursor, database.target)
        database.read[what] = database.version

    def _again(self, database: _Database, what: str) -> None:
        """Read what has changed; a database that cannot be read any more stays as it was."""
        if database.read.get(what) == database.version:
            return
        try:
            self._read(database, what)
        except UnreadableError as error:
            if not database.read:
                raise
            database.problems[what] = [f"{error}; what was read of it before is shown"]

    def _merge(self, rows: int, changes: int) -> None:
        state = (rows, changes, *(database.version for database in self._databases))
        if state == self._merged:
            return
        from flightlog_viewer.approvals.databases import whole_picture
        from flightlog_viewer.approvals.span_side import span_side
        from flightlog_viewer.store.checkpoint_ingest import ingest_interrupts

        with self._cursor() as cursor:
            try:
                spans = span_side(partial(_query, cursor))
                picture = whole_picture([database.target for database in self._databases], spans)
            except UnreadableError as error:
                self._merge_problems = [f"{error}; what was read of it before is shown"]
                return
            ingest_interrupts(cursor, picture)
        self._merged, self._merge_problems = state, picture.problems


def _query(cursor: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    result = cursor.execute(*statement(name, {}))
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _files(target: str) -> Sequence[tuple[int, ...]] | None:
    """Identity, size and time of a SQLite database's files; None where they do not tell, as of a server."""
    if "://" in target:
        return None
    found = []
    newest = 0
    for name in (target, f"{target}-wal"):
        with suppress(OSError):
            status = os.stat(name)
            if status.st_size == 0:  # a log that a reader has left behind
                continue
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
            newest = max(newest, status.st_mtime_ns)
    return found if time.time_ns() - newest > _SETTLED_NS else None
