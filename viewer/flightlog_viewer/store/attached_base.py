"""Which base a store has attached: where it lies, whom it belongs to, and what it has of answers."""

import contextlib
from pathlib import Path

import duckdb

from flightlog_viewer.store import base
from flightlog_viewer.store.answers import kept_answers
from flightlog_viewer.store.files.spool import Spool


class AttachedBase:
    """The base of one store, or that there is none."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, spool: Spool) -> None:
        self._connection = connection
        self._spool = spool
        self._kept: tuple[Path, tuple[int, int]] | None = None
        """The one in the cache, with its device and inode."""
        self._private: Path | None = None
        """The store's own, when there is no cache to have it."""
        self.was_damaged = False
        """Whether it was, and has been deleted."""
        self._answers: frozenset[str] = frozenset()
        self._answered_rows = 0

    def is_kept(self, path: Path) -> None:
        """It is the one at this place of the cache."""
        with contextlib.suppress(OSError):
            status = path.stat()
            self._kept = path, (status.st_dev, status.st_ino)

    def is_private(self, path: Path) -> None:
        """It is one that nobody else knows."""
        self._private = path

    def has_answers(self, rows: int) -> None:
        """It may have answers, which are of so many rows."""
        self._answers, self._answered_rows = kept_answers(self._connection), rows

    def answers(self, rows: int) -> frozenset[str]:
        """What it has of answers (``store.answers``) when there are so many rows: none once it does not know all."""
        return self._answers if rows == self._answered_rows else frozenset()

    def drop_damaged(self, error: Exception) -> bool:
        """Delete it from the cache if ``error`` says that it is damaged; whether it does.

        Rows that were not read yet cannot be read any more.
        """
        if self._kept is None or not base.is_damage(error):
            return False
        path, identity = self._kept
        with contextlib.suppress(OSError):
            status = path.stat()
            # Another process may have built a new one in its place.
            if (status.st_dev, status.st_ino) == identity:
                path.unlink()
        self.was_damaged = True
        return True

    def let_go(self) -> None:
        """Have none any more; the one in the cache stays there."""
        base.detach(self._connection)
        self._spool.drop(self._private)
        self._kept, self._private, self._answers = None, None, frozenset()
