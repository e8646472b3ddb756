"""Rows of a SQLite checkpoint database, read without changing a byte of it and without holding its writer up."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints.rows import CheckpointRow, Head, Key, WriteRow

_MAGIC = b"SQLite format 3\x00"
_BUSY_SECONDS = 5.0


class SqliteRows:
    """A database of LangGraph's `SqliteSaver` or `AsyncSqliteSaver`. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableError, in one sentence, for what is no such database."""
        self.name = str(path)
        self._path = path
        _check_header(path)
        self._connection = self._open()
        try:
            self._check_schema()
        except BaseException:
            self._connection.close()
            raise

    def heads(self) -> Iterator[Head]:
        """Every namespace of every thread, from the primary key's index alone."""
        after = ("", "")
        first = True
        while True:
            # In pages, so that no read transaction lasts and the writer's log is never pinned.
            rows = self._all(
                "SELECT thread_id, checkpoint_ns, count(*), max(checkpoint_id), min(checkpoint_id) FROM checkpoints "
                f"WHERE {'1 OR ' if first else ''}(thread_id, checkpoint_ns) > (?, ?) "
                "GROUP BY thread_id, checkpoint_ns ORDER BY thread_id, checkpoint_ns LIMIT 2000",
                after,
            )
            first = False
            for thread_id, checkpoint_ns, count, newest, oldest in rows:
                yield Head(Key(_text(thread_id), _text(checkpoint_ns), _text(newest)), count, _text(oldest))
            if len(rows) < 2000:
                return
            after = (rows[-1][0], rows[-1][1])

    def keys(self, thread_id: str) -> list[Key]:
        """The checkpoints of a thread; their ids begin with their time, so sorting by id is sorting by age."""
        try:
            rows = self._all("SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ?", (thread_id,))
        except UnicodeEncodeError:  # an argument that is no text in any encoding names no thread
            return []
        keys = [Key(thread_id, _text(checkpoint_ns), _text(checkpoint_id)) for checkpoint_ns, checkpoint_id in rows]
        return sorted(keys, key=lambda key: (key.checkpoint_id, key.checkpoint_ns))

    def asking_threads(self) -> list[str]:
        """Threads with rows of questions, answers or updates: one pass over the rows, their values untouched."""
        rows = self._all(
            "SELECT DISTINCT thread_id FROM writes WHERE channel IN ('__interrupt__', '__resume__') "
            f"OR {self._path_column} LIKE '~\\_\\_interrupt%' ESCAPE '\\' ORDER BY thread_id"
        )
        return [_text(thread_id) for (thread_id,) in rows]

    def fetch(self, keys: Sequence[Key]) -> list[CheckpointRow]:
        """The rows of a few checkpoints, all from one moment; a row on a damaged page says so."""
        self._all("BEGIN")
        try:
            return [row for key in keys if (row := self._checkpoint(key)) is not None]
        finally:
            self._connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _checkpoint(self, key: Key) -> CheckpointRow | None:
        try:
            found = self._connection.execute(
                "SELECT parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints "
                "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
                key,
            ).fetchone()
            if found is None:
                return None
            writes = self._connection.execute(self._writes_query, key).fetchall()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise UnreadableError(f"{self.name} is locked by another program: try again") from error
            return CheckpointRow(key, None, None, damage=str(error))
        parent, tag, blob, metadata = found
        return CheckpointRow(
            key,
            None if parent is None else _text(parent),
            metadata if isinstance(metadata, bytes | str) else None,
            type=None if tag is None else _text(tag),
            blob=_bytes(blob),
            writes=[
                WriteRow(
                    _text(task),
                    _text(path),
                    idx if isinstance(idx, int) else 0,
                    _text(channel),
                    None if tag is None else _text(tag),
                    _bytes(value),
                    order,
                )
                for task, path, idx, channel, tag, value, order in writes
            ],
        )

    def _all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect("mode=ro")
        except sqlite3.OperationalError as error:
            # A cleanly closed write-ahead-log database in a folder that we cannot write to: SQLite would have to make
            # its shared-memory file. Nobody has it open for writing, or a -wal file were there.
            if Path(f"{self._path}-wal").exists():
                raise self._unreadable(error) from error
            try:
                return self._connect("mode=ro&immutable=1")
            except sqlite3.DatabaseError as again:
                raise self._unreadable(again) from again
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def _connect(self, options: str) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path.absolute()))}?{options}"
        connection = sqlite3.connect(
            address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            # Text that is no UTF-8 must be shown, not raised.
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_schema(self) -> None:
        columns = {
            table: {str(row[1]) for row in self._all(f"PRAGMA table_info({table})")}
            for table in ("checkpoints", "writes")
        }
        wanted = {
            "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id", "checkpoint"},
            "writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "value"},
        }
        for table, names in wanted.items():
            if missing := sorted(names - columns[table]):
                what = f"its table {table} has no column {missing[0]}" if columns[table] else f"it has no table {table}"
                raise UnreadableError(f"{self.name} is not a LangGraph checkpoint database: {what}")
        path = self._path_column = (
            "task_path" if "task_path" in columns["writes"] else "''"
        )  # absent in databases of 2024
        self._writes_query = (
            f"SELECT task_id, {path}, idx, channel, type, value, rowid FROM writes "
            f"WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY {path}, task_id, idx"
        )

    def _unreadable(self, error: sqlite3.DatabaseError) -> UnreadableError:
        text = str(error)
        if "locked" in text:
            return UnreadableError(f"{self.name} is locked by another program: try again")
        if "malformed" in text or "not a database" in text or "disk I/O" in text:
            return UnreadableError(f"{self.name} is damaged: {text}")
        return UnreadableError(f"{self.name} cannot be read: {text}")


def _check_header(path: Path) -> None:
    try:
        if path.is_dir():
            raise UnreadableError(f"{path} is a folder: name the database file in it")
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise UnreadableError(f"{path} does not exist") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise UnreadableError(f"{path} is empty: no checkpoint has been written to it")
    if head != _MAGIC:
        raise UnreadableError(f"{path} is not a SQLite database")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "replace")
