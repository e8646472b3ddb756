"""The files that a store has open: found, followed through renames, found again when there are new ones."""

import contextlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import duckdb

from flightlog.errors import UnreadableError
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.files.source_file import SourceFile, open_source_file
from flightlog_viewer.store.files.sources import resolve
from flightlog_viewer.store.files.spool import Spool
from flightlog_viewer.store.files.unpacking import PACKED

TABLE: Final = "CREATE TABLE sources (file_id INTEGER, path VARCHAR)"
_MOST_HELD: Final = 1024
DELETED_BYTES: Final = 1 << 30
"""Of deleted files that are held for their payloads, the newest first: until they are let go the disk is not free."""
_SPARE: Final = 64
"""Descriptors that are left in any case to DuckDB, the terminal and the rest of the process."""


class OpenedFiles:
    """Files by their id, and the table ``sources`` that says the same to SQL."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, paths: Sequence[str | Path], spool: Spool) -> None:
        self._connection = connection
        self._paths = list(paths)
        self._spool = spool
        self._may_hold = _may_hold()
        self.all: list[SourceFile] = []
        """By file id."""
        connection.execute(TABLE)

    def open(self, paths: Sequence[Path]) -> list[SourceFile]:
        """Open files. Raises UnreadableError, and then holds those before the one that cannot be read."""
        first = len(self.all)
        held = sum(source.held is not None for source in self.all)
        for path in paths:
            source = open_source_file(len(self.all), path, self._spool, hold=held < self._may_hold)
            held += source.held is not None
            self.all.append(source)
        opened = self.all[first:]
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO sources SELECT unnest(?), unnest(?)",
                [[source.file_id for source in opened], [name_text(source.path) for source in opened]],
            )
        for source in opened:
            source.rejects.write(self._connection)
        return opened

    def changed(self) -> list[SourceFile]:
        """The files that have something to load: grown ones, then new ones."""
        for source in self.all:
            change = source.change()
            if change == "truncated" or (change == "rewritten" and not self._renew(source)):
                source.followed = False
            if change == "truncated":
                source.close()  # it has its name: what is left of it is read by that
        # Before the next look, because a file that was rotated is still itself, under its new name.
        new = self._discover()
        grown: list[SourceFile] = []
        for source in self.all[: len(self.all) - len(new)]:
            change = source.change()
            if change == "grown":
                grown.append(source)
            elif change in ("replaced", "deleted"):
                source.followed = False
        self._let_go()
        if any(source.copy is not None for source in new):
            self._spool.prune()
        return grown + new

    def settle(self) -> None:
        """Note what the loaded parts begin and end with, so that another file in their place is seen."""
        for source in self.all:
            source.settle()

    def _let_go(self) -> None:
        room = DELETED_BYTES
        for source in reversed(self.all):
            room -= source.deleted_bytes()
            if room < 0 and source.deleted_bytes():
                source.close()
                self._spool.drop(source.copy)

    def keep(self, used: Collection[int]) -> list[int]:
        """Drop the files that cannot grow any more, but for those ``used``.

        Returns the new ids by the old ones, -1 for what was dropped.
        """
        kept = [source for source in self.all if source.followed or source.file_id in used]
        new_ids = [-1] * len(self.all)
        for file_id, source in enumerate(kept):
            new_ids[source.file_id] = file_id
        for source in self.all:
            if new_ids[source.file_id] < 0:
                source.close()
                self._spool.drop(source.copy)
            else:
                source.file_id = new_ids[source.file_id]
        self.all[:] = kept
        with self._connection.cursor() as cursor:
            cursor.execute(
                "CREATE OR REPLACE TABLE sources AS "
                "SELECT unnest(?::INTEGER[]) AS file_id, unnest(?::VARCHAR[]) AS path",
                [[source.file_id for source in kept], [name_text(source.path) for source in kept]],
            )
        return new_ids

    def forget(self) -> None:
        """Close all, as if none had been opened."""
        self.close()
        self.all.clear()
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM sources")

    def close(self) -> None:
        """Let go of the descriptors; harmless when repeated."""
        for source in self.all:
            source.close()

    def _renew(self, source: SourceFile) -> bool:
        try:
            renewed = source.renew(self._spool)
        except UnreadableError:
            # It is being written just now, or there is no room for it: the next time, perhaps.
            return True
        if renewed:
            # Of a file that was unpacked only the end may have been damaged, and may be whole now.
            which = "true" if source.converted else f"starts_with(reason, '{PACKED}')"
            with self._connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM reject_rows WHERE file_id = ? AND {which}", [source.file_id])
            source.rejects.write(self._connection)
        return renewed

    def _discover(self) -> list[SourceFile]:
        """Open the files that are meant and were not there before, or were replaced; learn new names of others."""
        known = {source.identity: source for source in self.all if source.followed}
        new: list[Path] = []
        try:
            paths = resolve(self._paths, known=known) if self._paths else []
        except UnreadableError:
            return []
        for path in paths:
            with contextlib.suppress(OSError):
                status = os.stat(path)
                source = known.get((status.st_dev, status.st_ino))
                if source is None:
                    new.append(path)
                elif source.path != path:
                    source.path = path
                    with self._connection.cursor() as cursor:
                        cursor.execute(
                            "UPDATE sources SET path = ? WHERE file_id = ?", [name_text(path), source.file_id]
                        )
        opened: list[SourceFile] = []
        for path in new:
            with contextlib.suppress(UnreadableError):
                opened += self.open([path])
        return opened


def _may_hold() -> int:
    """Files that may be held open: under half of the descriptors that the process may have."""
    try:
        import resource
    except ImportError:
        return _MOST_HELD
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_HELD if limit == resource.RLIM_INFINITY else max(0, min(_MOST_HELD, (limit - _SPARE) // 2))
