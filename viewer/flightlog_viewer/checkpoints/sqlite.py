"""Rows of a SQLite checkpoint database, read without changing a byte of it and without holding its writer up."""

import contextlib
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.decode import MAX_BLOB_BYTES, OVERSIZE
from flightlog_viewer.checkpoints.freed_memory import keep_freed_memory
from flightlog_viewer.checkpoints.rows import CheckpointRow, Head, Key, WriteRow
from flightlog_viewer.checkpoints.salvage import readable_rows
from flightlog_viewer.checkpoints.sqlite_file import DamagedError, SqliteFile

_PAGE = 2000
_WORTH_A_QUERY = 4
"""Checkpoints of one namespace from which on one query for all of them is faster."""


def _bounded(column: str) -> str:
    """The type tag and the value of a packed column; what is too large to be decoded is not read."""
    size = f"length({column})"
    tag = f"CASE WHEN {size} > {MAX_BLOB_BYTES} THEN '{OVERSIZE}' || {size} ELSE type END"
    return f"{tag}, CASE WHEN {size} <= {MAX_BLOB_BYTES} THEN {column} END"


_STATE = (
    f"parent_checkpoint_id, {_bounded('checkpoint')}, CASE WHEN length(metadata) <= {MAX_BLOB_BYTES} THEN metadata END"
)
_IN = "IN (SELECT value FROM json_each(?))"


class SqliteRows:
    """A database of LangGraph's `SqliteSaver` or `AsyncSqliteSaver`. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableError, in one sentence, for what is no such database."""
        keep_freed_memory()
        self._file = SqliteFile(path)
        self.name = self._file.name
        self.problems: list[str] = []
        self._salvaged: dict[Key, int] | None = None
        if self._file.damage is not None:
            self._lost(self._file.damage)
        try:
            self._check_schema()
        except BaseException:
            self._file.close()
            raise

    def heads(self) -> Iterator[Head]:
        """Every namespace of every thread, from the primary key's index alone."""
        after: tuple[Any, ...] = ()
        behind: tuple[str, tuple[Any, ...]] = ("", ())
        while True:
            where, parameters = behind
            try:
                # In pages, so that no read transaction lasts and the writer's log is never pinned.
                rows = self._file.all(
                    "SELECT thread_id, checkpoint_ns, count(*), max(checkpoint_id), min(checkpoint_id), rowid "
                    f"FROM checkpoints {where} "
                    f"GROUP BY thread_id, checkpoint_ns ORDER BY thread_id, checkpoint_ns LIMIT {_PAGE}",
                    parameters,
                )
            except DamagedError as error:
                yield from self._salvaged_heads(error, after)
                return
            for thread_id, checkpoint_ns, count, newest, oldest, _ in rows:
                yield Head(Key(_text(thread_id), _text(checkpoint_ns), _text(newest)), count, _text(oldest))
            if len(rows) < _PAGE:
                return
            after = rows[-1][:2]
            behind = _behind(after, rows[-1][-1])

    def keys(self, thread_id: str) -> list[Key]:
        """The checkpoints of a thread; their ids begin with their time, so sorting by id is sorting by age."""
        try:
            rows = self._file.all(
                "SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ?", (thread_id,)
            )
        except UnicodeEncodeError:  # an argument that is not text in any encoding names no thread
            return []
        except DamagedError as error:
            keys = [key for key in self._salvage(error) if key.thread_id == thread_id]
        else:
            keys = [Key(thread_id, _text(checkpoint_ns), _text(checkpoint_id)) for checkpoint_ns, checkpoint_id in rows]
        return sorted(keys, key=lambda key: (key.checkpoint_id, key.checkpoint_ns))

    def versions(self, thread_id: str | None = None) -> Mapping[str, Hashable]:
        """From the primary keys' indexes alone. LangGraph replaces rows, which gives them new row numbers.

        The numbers of deleted rows come again when they were the last ones; then the checkpoint ids are others. A row
        that somebody has changed in place (``UPDATE``) keeps its number, and is not noticed.
        """
        found: dict[str, tuple[object, ...]] = {}
        where = "" if thread_id is None else "WHERE thread_id = ?"
        try:
            for table in ("checkpoints", "writes"):
                for name, *numbers in self._file.all(
                    "SELECT thread_id, count(*), max(rowid), sum(rowid), max(checkpoint_id) "
                    f"FROM {table} {where} GROUP BY thread_id",
                    () if thread_id is None else (thread_id,),
                ):
                    found[_text(name)] = (*found.get(_text(name), ()), table, *numbers)
        except (UnreadableError, UnicodeEncodeError):  # damaged, without row numbers, an id that is not text
            return {}
        return found

    def stamp(self) -> None:
        """The files tell."""

    def asking_threads(self, among: Collection[str] | None = None) -> list[str]:
        """Threads with rows of questions, answers or updates: one pass over the rows, their values untouched."""
        where, parameters = ("", ()) if among is None else (f"thread_id {_IN} AND ", (orjson.dumps([*among]).decode(),))
        try:
            rows = self._file.all(
                f"SELECT DISTINCT thread_id FROM writes WHERE {where}(channel IN ('__interrupt__', '__resume__') "
                f"OR {self._path_column} LIKE '~\\_\\_interrupt%' ESCAPE '\\' "
                # An older LangGraph writes updates without a path.
                f"OR ({self._path_column} = '' AND task_id <> '{channels.NULL_TASK}')) ORDER BY thread_id",
                parameters,
            )
        except DamagedError as error:
            return sorted({key.thread_id for key in self._salvage(error)})
        return [_text(thread_id) for (thread_id,) in rows]

    def fetch(self, keys: Sequence[Key]) -> list[CheckpointRow]:
        """The rows of a few checkpoints, all from one moment; a row on a damaged page says so."""
        with self._file.moment():
            together: dict[tuple[str, str], list[str]] = {}
            for key in keys:
                together.setdefault((key.thread_id, key.checkpoint_ns), []).append(key.checkpoint_id)
            found: dict[Key, CheckpointRow] = {}
            for place, names in together.items():
                if len(names) >= _WORTH_A_QUERY:
                    found |= self._several(place, names)
            return [row for key in keys if (row := found.get(key) or self._checkpoint(key)) is not None]

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def _several(self, place: tuple[str, str], names: list[str]) -> dict[Key, CheckpointRow]:
        """Several checkpoints of one namespace at once; none when a page is damaged, so that each is tried alone."""
        parameters = (*place, orjson.dumps(names).decode())
        try:
            rows = self._file.all(
                f"SELECT checkpoint_id, {_STATE} FROM checkpoints "
                f"WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id {_IN}",
                parameters,
            )
            written = self._file.all(self._many_writes_query, parameters)
        except DamagedError:
            return {}
        writes: dict[str, list[WriteRow]] = {}
        for row in written:
            writes.setdefault(row[0], []).append(_write_row(row[1:]))
        return {
            (key := Key(*place, _text(row[0]))): _checkpoint_row(key, row[1:], writes.get(row[0], ())) for row in rows
        }

    def _checkpoint(self, key: Key) -> CheckpointRow | None:
        damage = writes_damage = None
        found, writes = None, []
        try:
            found = self._file.one(
                f"SELECT {_STATE} FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
                key,
            )
        except DamagedError as error:
            damage, found = error.detail, self._salvaged_row(key)
            if found is None:
                self._lost(error)
        if found is None:
            return None if damage is None else CheckpointRow(key, None, None, damage=damage)
        try:
            writes = self._file.all(self._writes_query, key)
        except DamagedError as error:
            writes_damage = error.detail
            self._lost(error)
        return _checkpoint_row(key, found, [_write_row(row) for row in writes], writes_damage)

    def _lost(self, error: DamagedError) -> None:
        """Note, once, that rows could not be read."""
        if not self.problems:
            self.problems.append(f"{error}; what can be read is shown")

    def _salvage(self, error: DamagedError) -> dict[Key, int]:
        """Checkpoints that can be read although the index cannot, with their row numbers."""
        if self._salvaged is None:
            self._lost(error)
            self._file.read_any_text()
            rows = readable_rows(self._file.connection)
            self._salvaged = {Key(*(_text(part) for part in row)): number for number, row in rows.items()}
        return self._salvaged

    def _salvaged_heads(self, error: DamagedError, after: tuple[Any, ...]) -> Iterator[Head]:
        groups: dict[tuple[str, str], list[str]] = {}
        for key in self._salvage(error):
            groups.setdefault((key.thread_id, key.checkpoint_ns), []).append(key.checkpoint_id)
        for group, names in sorted(groups.items()):
            if group > after:
                yield Head(Key(*group, max(names)), len(names), min(names))

    def _salvaged_row(self, key: Key) -> tuple[Any, ...] | None:
        number = (self._salvaged or {}).get(key)
        with contextlib.suppress(DamagedError):
            return self._file.one(f"SELECT {_STATE} FROM checkpoints NOT INDEXED WHERE rowid = ?", (number,))
        return None

    def _check_schema(self) -> None:
        # With pages of its own, so no view and no virtual table, whatever its row says: what those compute could take
        # for ever.
        stored = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        tables = {row[0] for row in self._file.all(stored)}
        # Computed columns are not in this list: a small file could have any amount of data in them.
        columns = {
            table: {str(row[1]) for row in self._file.all(f"PRAGMA table_info({table})")} if table in tables else set()
            for table in ("checkpoints", "writes")
        }
        place = ("thread_id", "checkpoint_ns", "checkpoint_id")
        wanted = {
            "checkpoints": {*place, "parent_checkpoint_id", "type", "checkpoint", "metadata"},
            "writes": {*place, "task_id", "idx", "channel", "type", "value"},
        }
        for table, names in wanted.items():
            if missing := sorted(names - columns[table]):
                if self._file.damage is not None:  # what is missing is in the part that is broken
                    raise self._file.damage
                what = f"its table {table} has no column {missing[0]}" if columns[table] else f"it has no table {table}"
                raise UnreadableError(f"{self.name} is not a LangGraph checkpoint database: {what}")
        # Databases of 2024 have no such column.
        path = self._path_column = "task_path" if "task_path" in columns["writes"] else "''"
        columns_read = f"task_id, {path}, idx, channel, {_bounded('value')}, rowid"
        self._many_writes_query = (
            f"SELECT checkpoint_id, {columns_read} FROM writes WHERE thread_id = ? AND checkpoint_ns = ? "
            f"AND checkpoint_id {_IN} ORDER BY {path}, task_id, idx"
        )
        self._writes_query = (
            f"SELECT {columns_read} FROM writes "
            f"WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY {path}, task_id, idx"
        )


def _behind(place: tuple[Any, ...], number: int) -> tuple[str, tuple[Any, ...]]:
    """The condition for what comes after a namespace of a thread, of which one row has this number."""
    if any(isinstance(name, str) and "\ufffd" in name for name in place):
        # It may stand for text that is no UTF-8: then the name that we have is before the one in the database.
        one = "SELECT thread_id, checkpoint_ns FROM checkpoints WHERE rowid = ?"
        return f"WHERE (thread_id, checkpoint_ns) > ({one})", (number,)
    return "WHERE (thread_id, checkpoint_ns) > (?, ?)", place


def _checkpoint_row(
    key: Key, row: tuple[Any, ...], writes: Sequence[WriteRow], writes_damage: str | None = None
) -> CheckpointRow:
    parent, tag, blob, metadata = row
    return CheckpointRow(
        key,
        None if parent is None else _text(parent),
        metadata if isinstance(metadata, bytes | str) else None,
        type=None if tag is None else _text(tag),
        blob=_bytes(blob),
        writes=writes,
        writes_damage=writes_damage,
    )


def _write_row(row: tuple[Any, ...]) -> WriteRow:
    task, path, idx, channel, tag, value, order = row
    number = idx if isinstance(idx, int) else 0
    packed = None if tag is None else _text(tag)
    return WriteRow(_text(task), _text(path), number, _text(channel), packed, _bytes(value), order)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "replace")
