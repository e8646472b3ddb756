"""The closer look at lines that DuckDB cannot vouch for: which they are, and what becomes of each.

A few are judged one by one (``sieve``). Of a file that is full of them, DuckDB reads the JSON types first, and only
what those leave open is judged one by one.
"""

from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from flightlog.reader import MAX_LINE_BYTES
from flightlog_viewer.store.columns import REQUIRED, suspicious_kinds, suspicious_values
from flightlog_viewer.store.files.rejects import Rejects
from flightlog_viewer.store.loading.json_types import OPTIONAL_TEXTS, REASONS, SPAN, UNREAD, JsonTypes, read_types
from flightlog_viewer.store.loading.lines import Lines, read_line, read_lines
from flightlog_viewer.store.loading.sieve import encode, look
from flightlog_viewer.store.loading.stretch import Stretch

MANY_LINES: Final = 1000
"""Suspects of a file from which on a second pass over it may be worth its while."""
MANY_SHARE: Final = 0.15
"""Share of the lines, likewise: one look takes as long as about seven lines of that pass."""
_DEPTH_BYTES: Final = 2 * 1000
"""A shorter line cannot be nested too deep."""
_DEPTH: Final = 1000


class Batch(NamedTuple):
    """The lines of a stretch and the rows that were made of them."""

    stretch: Stretch
    descriptor: int
    """Of what the stretch is read from."""
    lines: Lines
    first: int
    """The row of the first line."""
    rows: int
    """How many: one for each of the first lines."""
    unfinished: frozenset[int]
    """Indices of lines that may still be being written."""


class Repaired(NamedTuple):
    """A span that DuckDB could not read, as the JSON of its usable light fields."""

    file_id: int
    start: int
    size: int
    record: bytes


class CloserLook:
    """Collects over all files of a load what has to be done to the rows; ``Loader.finish`` does it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        self._connection = connection
        self._table = table
        self.rejects = Rejects()
        self.out: list[NDArray[np.int64]] = []
        """Rows that must go."""
        self.cleared: dict[str, list[NDArray[np.int64]]] = {}
        """Rows of which a field must become NULL, by the field."""
        self.again: list[Repaired] = []

    def all_lines(self, batch: Batch) -> None:
        """Judge every line of a batch without rows."""
        self._one_by_one(batch, np.arange(len(batch.lines)))

    def suspects(self, batch: Batch) -> None:
        """Judge what needs it among the lines with rows."""
        found = self._find(batch, "rowid AS id")
        left, deep = np.asarray(found["id"], np.int64) - batch.first, _deep(batch)
        if len(left) > max(MANY_LINES, batch.rows * MANY_SHARE):
            types = read_types(self._connection, batch.stretch.path)
            if types is not None and len(types.verdicts) >= batch.rows:
                left = self._by_types(batch, deep, types)
        # Sorting is faster than a union, and hardly any file has deep lines.
        self._one_by_one(batch, np.union1d(left, deep) if len(deep) else np.sort(left))

    def _find(self, batch: Batch, columns: str) -> "dict[str, NDArray[Any]]":
        """Columns of the rows that need a closer look."""
        return self._connection.execute(
            f"SELECT {columns} FROM {self._table} WHERE {f'rowid >= {batch.first} AND ' if batch.first else ''}"
            f"({suspicious_kinds()} OR {suspicious_values()})"
        ).fetchnumpy()

    def _by_types(self, batch: Batch, deep: NDArray[np.int64], types: JsonTypes) -> NDArray[np.int64]:
        """Judge by the JSON types of the fields; the lines that they leave open."""
        # What is odd is asked for here alone: to plan for it takes half as long as to read a small file.
        odd_too = f"rowid AS id, coalesce({suspicious_values()}, false) AS odd, run_id IS NOT NULL AS was_read"
        found = self._find(batch, odd_too)
        indices = np.asarray(found["id"], np.int64) - batch.first
        verdicts, containers = types.verdicts[indices], types.containers[indices]
        if np.any(np.asarray(found["was_read"]) & (verdicts == UNREAD)):
            # The two passes do not line up: the file is being changed.
            return indices
        left: NDArray[np.bool_] = (verdicts == UNREAD) | ((verdicts == SPAN) & np.asarray(found["odd"]))
        left |= np.isin(indices, deep) | np.isin(indices, list(batch.unfinished))
        for verdict, reason in REASONS.items():
            faulty = np.sort(indices[~left & (verdicts == verdict)])
            if len(faulty):
                self.rejects.add_alike(*batch.stretch.places(batch.lines.starts[faulty]), reason)
                self.out.append(batch.first + faulty)
        for bit, name in enumerate(OPTIONAL_TEXTS):
            found = indices[~left & (verdicts == SPAN) & (containers >> bit & 1 == 1)]
            if len(found):
                self.cleared.setdefault(name, []).append(batch.first + found)
        return np.asarray(indices[left])

    def _one_by_one(self, batch: Batch, indices: NDArray[np.int64]) -> None:
        if len(indices) == 0:
            return
        first = batch.first
        whole = self.whole_rows(first + indices) if batch.rows else set()
        out: list[int] = []
        cleared: dict[str, list[int]] = {}
        file_ids, starts = (places.tolist() for places in batch.stretch.places(batch.lines.starts[indices]))
        texts = read_lines(batch.descriptor, batch.lines, indices, MAX_LINE_BYTES + 1)
        for (index, at, line), file_id, start in zip(texts, file_ids, starts, strict=True):
            verdict = look(line)
            if verdict.reason is None and first + index in whole:
                for name in verdict.dropped:
                    cleared.setdefault(name, []).append(first + index)
                continue
            if batch.rows:
                out.append(first + index)
            if verdict.reason is None:
                self.again.append(Repaired(file_id, start, len(line), encode(verdict.record)))
            elif index in batch.unfinished:
                self.rejects.add(file_id, start, f"unfinished line: {verdict.reason}")
                batch.stretch.place(at)[0].source.end = start
            else:
                self.rejects.add(file_id, start, verdict.reason)
        self.out.append(np.asarray(out, np.int64))
        for name, rows in cleared.items():
            self.cleared.setdefault(name, []).append(np.asarray(rows, np.int64))

    def whole_rows(self, rows: NDArray[np.int64]) -> set[int]:
        """Those of ``rows`` where every required value was read."""
        present = " AND ".join(f"{name} IS NOT NULL" for name in REQUIRED)
        # As an array: a list of a million numbers takes seconds on its way into a query.
        self._connection.register("chosen_rows", {"id": rows})
        found = self._connection.execute(
            f"SELECT rowid FROM {self._table} WHERE rowid IN (SELECT id FROM chosen_rows) AND {present}"
        ).fetchnumpy()
        self._connection.unregister("chosen_rows")
        return set(np.asarray(found["rowid"]).tolist())


def _deep(batch: Batch) -> NDArray[np.int64]:
    """Indices of lines with rows that may be nested too deep, or are too long."""
    long = np.flatnonzero(batch.lines.sizes[: batch.rows] > _DEPTH_BYTES).tolist()
    return np.asarray([index for index in long if _may_be_deep(batch, index)], np.int64)


def _may_be_deep(batch: Batch, index: int) -> bool:
    if batch.lines.sizes[index] > MAX_LINE_BYTES:
        return True
    line = read_line(batch.descriptor, batch.lines, index, MAX_LINE_BYTES)
    return line.count(b"{") + line.count(b"[") > _DEPTH
