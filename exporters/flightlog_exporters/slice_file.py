"""Slices of a timeline in a temporary file: put in as they come, read in order of time, found by their run.

SQLite keeps the file: private, without a name, gone with the process however that ends. What fits into a few megabytes
never reaches the disk.
"""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from flightlog.errors import UsageError

_CACHE_KB: Final = 32 * 1024
_KNOWN: Final = 20_000
"""Runs that are remembered without asking the file."""
_BATCH: Final = 1000
_HALF: Final = 1 << 95
"""Times are up to 2.6e20 ns: more than SQLite's integers hold, so they are bytes that sort as they do."""
_TIME_BYTES: Final = 12
_NUMBER_BYTES: Final = 6


@dataclass(slots=True)
class Slice:
    """One span as it is drawn."""

    number: int
    """In the order in which they came, from 1."""
    run_id: str
    parent: str | None
    start_ns: int
    end_ns: int
    pid: int = 0
    tid: int = 0


class Pause(NamedTuple):
    """What a root has to do with questions."""

    asked: list[str]
    """Ids of the interrupts it ended with."""
    answered: list[str | None]
    """Ids of the interrupts it answers; None for one that is not named."""
    thread_id: str | None


@dataclass(slots=True)
class Run:
    """Where a run is drawn."""

    number: int
    parent: str | None
    pid: int
    """0 before it is placed."""
    tid: int


class SliceFile:
    """A context manager. Raises UsageError when there is no room for the file."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # an empty name is a temporary file
        self._known: OrderedDict[str, Run | None] = OrderedDict()
        self._placed: dict[int, tuple[int, int, int]] = {}
        self._rows: list[tuple[object, ...]] = []
        self._contents: list[tuple[int, bytes]] = []
        self._pauses: list[tuple[int, str]] = []
        self.count = 0
        """Slices so far."""
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA temp_store = FILE",
            f"PRAGMA cache_size = -{_CACHE_KB}",
            "CREATE TABLE slices (number INTEGER PRIMARY KEY, key BLOB, run BLOB, parent BLOB, trace BLOB, "
            "thread BLOB, pid INTEGER, tid INTEGER, cut_ns INTEGER)",
            "CREATE TABLE contents (number INTEGER PRIMARY KEY, content BLOB)",
            "CREATE TABLE pauses (number INTEGER PRIMARY KEY, pause TEXT)",
        ):
            self._db.execute(statement)

    def add(self, one: Slice, trace_id: str, thread_id: str | None, content: bytes, pause: Pause | None) -> None:
        """Put one in; ``content`` comes back when it is drawn."""
        self.count += 1
        key = _key(one.start_ns, one.end_ns, self.count)
        names = (_packed(one.run_id), _packed(one.parent), _packed(trace_id), _packed(thread_id))
        self._rows.append((self.count, key, *names))
        self._contents.append((self.count, content))
        if pause is not None:
            self._pauses.append((self.count, json.dumps(pause)))
        if len(self._rows) >= _BATCH:
            self._write_rows()

    def sort(self) -> None:
        """To be called once, when all are in."""
        self._write_rows()
        with _room():
            self._db.execute("CREATE INDEX by_key ON slices (key)")
            self._db.execute("CREATE INDEX by_run ON slices (run, key)")
            # Of the columns beside max() SQLite takes those of the row that has it.
            self._db.execute(
                "CREATE TABLE threads AS SELECT trace, thread, max(key) FROM slices "
                "WHERE thread IS NOT NULL GROUP BY trace"
            )
            self._db.execute("CREATE INDEX by_trace ON threads (trace)")

    def in_order(self) -> Iterator[tuple[Slice, str, str | None]]:
        """Each slice with its trace and the thread of that, by start, the longest first."""
        rows = self._select(
            "SELECT number, key, run, parent, pid, tid, cut_ns, s.trace, t.thread "
            "FROM slices s LEFT JOIN threads t ON t.trace = s.trace ORDER BY key"
        )
        for *row, trace, thread in rows:
            yield _slice(row), _text(trace) or "", _text(thread)

    def contents(self) -> Iterator[tuple[Slice, bytes]]:
        """Each slice with its content, in order."""
        self._write_places()
        rows = self._select(
            "SELECT s.number, key, run, parent, pid, tid, cut_ns, content "
            "FROM slices s JOIN contents c ON c.number = s.number ORDER BY key"
        )
        for *row, content in rows:
            yield _slice(row), content

    def pauses(self) -> Iterator[tuple[Slice, Pause]]:
        """Each slice that has to do with questions, in order."""
        self._write_places()
        rows = self._select(
            "SELECT s.number, key, run, parent, pid, tid, cut_ns, pause "
            "FROM pauses p JOIN slices s ON s.number = p.number ORDER BY key"
        )
        for *row, pause in rows:
            yield _slice(row), Pause(*json.loads(pause))

    def place(self, one: Slice, end_ns: int) -> None:
        """Say where a slice is drawn, and that it is drawn to ``end_ns``."""
        self._placed[one.number] = (one.pid, one.tid, one.end_ns - end_ns)
        if (run := self._known.get(one.run_id)) is not None and run.number == one.number:
            run.pid, run.tid = one.pid, one.tid
        if len(self._placed) >= _BATCH:
            self._write_places()

    def run(self, run_id: str) -> Run | None:
        """The last slice of a run; None when there is none."""
        if run_id in self._known:
            self._known.move_to_end(run_id)
            return self._known[run_id]
        query = "SELECT number, parent, pid, tid FROM slices WHERE run = ? ORDER BY key DESC LIMIT 1"
        with _room():  # what is read takes the place of what is to be written
            found = self._db.execute(query, (_packed(run_id),)).fetchone()
        run = None
        if found is not None:
            pid, tid, _ = self._placed.get(found[0], (found[2], found[3], 0))
            run = Run(found[0], _text(found[1]), pid or 0, tid or 0)
        self._known[run_id] = run
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return run

    def _select(self, query: str) -> Iterator[tuple[Any, ...]]:
        with _room():
            for row in self._db.execute(query):  # noqa: UP028 - it would close the cursor, of a closed database too
                yield row

    def _write_rows(self) -> None:
        with _room():
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO slices (number, key, run, parent, trace, thread) VALUES (?, ?, ?, ?, ?, ?)", self._rows
            )
            self._db.executemany("INSERT INTO contents VALUES (?, ?)", self._contents)
            self._db.executemany("INSERT INTO pauses VALUES (?, ?)", self._pauses)
            self._db.execute("COMMIT")
        self._rows.clear()
        self._contents.clear()
        self._pauses.clear()

    def _write_places(self) -> None:
        with _room():
            self._db.execute("BEGIN")
            self._db.executemany(
                "UPDATE slices SET pid = ?, tid = ?, cut_ns = ? WHERE number = ?",
                ((*place, number) for number, place in self._placed.items()),
            )
            self._db.execute("COMMIT")
        self._placed.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:  # the disk is full, or the temporary folder cannot be written to
        raise UsageError(f"no room to sort the timeline: {error} (TMPDIR names another folder)") from None


def _key(start_ns: int, end_ns: int, number: int) -> bytes:
    first, then = start_ns + _HALF, _HALF - end_ns
    return first.to_bytes(_TIME_BYTES) + then.to_bytes(_TIME_BYTES) + number.to_bytes(_NUMBER_BYTES)


def _slice(row: list[Any]) -> Slice:
    number, key, run, parent, pid, tid, cut_ns = row
    start_ns = int.from_bytes(key[:_TIME_BYTES]) - _HALF
    end_ns = _HALF - int.from_bytes(key[_TIME_BYTES : 2 * _TIME_BYTES])
    return Slice(number, _text(run) or "", _text(parent), start_ns, end_ns - (cut_ns or 0), pid or 0, tid or 0)


def _packed(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogatepass")
