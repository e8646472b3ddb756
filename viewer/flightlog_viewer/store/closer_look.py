"""The closer look at lines that DuckDB cannot vouch for: which they are, and what becomes of each.

A few are judged one by one (``sieve``). Of a file that is full of them, DuckDB reads the JSON types first, and only
what those leave open is judged one by one.
"""

from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from flightlog_viewer.store.columns import REQUIRED, suspicious_kinds, suspicious_values
from flightlog_viewer.store.json_types import OPTIONAL_TEXTS, REASONS, SPAN, UNREAD, JsonTypes, read_types
from flightlog_viewer.store.lines import Lines, read_line, read_lines
from flightlog_viewer.store.rejects import Rejects
from flightlog_viewer.store.sieve import LINE_LIMIT, encode, look
from flightlog_viewer.store.source_file import SourceFile

MANY_LINES: Final = 1000
"""Suspects of a file from which on a second pass over it may be worth its while."""
MANY_SHARE: Final = 0.15
"""Share of the lines, likewise: one look takes as long as about seven lines of that pass."""
_DEPTH_BYTES: Final = 2 * 1000
"""A shorter line cannot be nested too deep."""
_DEPTH: Final = 1000


class Stretch(NamedTuple):
    """Lines of a file and the rows that were made of them."""

    source: SourceFile
    read_path: Path
    lines: Lines
    first: int | None
    """The row of the first line; None when there are no rows."""
    unfinished: int
    """Index of the line that may be unfinished, else -1."""


class Repaired(NamedTuple):
    """A span that DuckDB could not read, as the JSON of its usable light fields."""

    file_id: int
    start: int
    size: int
    record: bytes


class _Suspects(NamedTuple):
    """Indices of lines that need a closer look, in any order, and what is known of them."""

    indices: NDArray[np.int64]
    odd: NDArray[np.bool_]
    """Whether a value is missing or beyond what a record may have."""
    was_read: NDArray[np.bool_]
    """Whether there is anything in the row."""
    deep: NDArray[np.int64]
    """Indices, some of the above among them, of lines that may be nested too deep, or are too long."""


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

    def all_lines(self, stretch: Stretch) -> None:
        """Judge every line of a stretch."""
        self._one_by_one(stretch, np.arange(len(stretch.lines)))

    def suspects(self, stretch: Stretch, first: int, seen: int) -> None:
        """Judge what needs it among the first ``seen`` lines, whose rows begin at ``first``."""
        suspects = self._find(stretch, first, seen)
        left = suspects.indices
        if len(left) > max(MANY_LINES, seen * MANY_SHARE):
            types = read_types(self._connection, stretch.read_path)
            if types is not None and len(types.verdicts) >= seen:
                left = self._by_types(stretch, first, suspects, types)
        self._one_by_one(stretch, np.union1d(left, suspects.deep))

    def _find(self, stretch: Stretch, first: int, seen: int) -> "_Suspects":
        found = self._connection.execute(
            f"SELECT rowid AS id, coalesce({suspicious_values()}, false) AS odd_value, run_id IS NOT NULL AS was_read "
            f"FROM {self._table} "
            f"WHERE {f'rowid >= {first} AND ' if first else ''}({suspicious_kinds()} OR {suspicious_values()})"
        ).fetchnumpy()
        ids = np.asarray(found["id"], np.int64) - first
        long = np.flatnonzero(stretch.lines.sizes[:seen] > _DEPTH_BYTES).tolist()
        deep = np.asarray([index for index in long if _may_be_deep(stretch, index)], np.int64)
        return _Suspects(ids, np.asarray(found["odd_value"]), np.asarray(found["was_read"]), deep)

    def _by_types(self, stretch: Stretch, first: int, suspects: "_Suspects", types: JsonTypes) -> NDArray[np.int64]:
        """Judge by the JSON types of the fields; the lines that they leave open."""
        indices = suspects.indices
        verdicts, containers = types.verdicts[indices], types.containers[indices]
        if np.any(suspects.was_read & (verdicts == UNREAD)):
            # The two passes do not line up: the file is being changed.
            return indices
        left = (verdicts == UNREAD) | ((verdicts == SPAN) & suspects.odd) | (indices == stretch.unfinished)
        left |= np.isin(indices, suspects.deep)
        for verdict, reason in REASONS.items():
            faulty = np.sort(indices[~left & (verdicts == verdict)])
            if len(faulty):
                self.rejects.add_alike(stretch.source.file_id, stretch.lines.starts[faulty], reason)
                self.out.append(first + faulty)
        for bit, name in enumerate(OPTIONAL_TEXTS):
            found = indices[~left & (verdicts == SPAN) & (containers >> bit & 1 == 1)]
            if len(found):
                self.cleared.setdefault(name, []).append(first + found)
        return np.asarray(indices[left])

    def _one_by_one(self, stretch: Stretch, indices: NDArray[np.int64]) -> None:
        if len(indices) == 0:
            return
        source, lines, first = stretch.source, stretch.lines, stretch.first
        whole = set() if first is None else self.whole_rows(first + indices)
        out: list[int] = []
        cleared: dict[str, list[int]] = {}
        for index, start, line in read_lines(source.descriptor, lines, indices, LINE_LIMIT + 1):
            verdict = look(line)
            if verdict.reason is None:
                if first is not None and first + index in whole:
                    for name in verdict.dropped:
                        cleared.setdefault(name, []).append(first + index)
                    continue
                self.again.append(Repaired(source.file_id, start, int(lines.sizes[index]), encode(verdict.record)))
            elif index == stretch.unfinished:
                self.rejects.add(source.file_id, start, f"unfinished line: {verdict.reason}")
                source.end = start
            else:
                self.rejects.add(source.file_id, start, verdict.reason)
            if first is not None:
                out.append(first + index)
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


def _may_be_deep(stretch: Stretch, index: int) -> bool:
    if stretch.lines.sizes[index] > LINE_LIMIT:
        return True
    line = read_line(stretch.source.descriptor, stretch.lines, index, LINE_LIMIT)
    return line.count(b"{") + line.count(b"[") > _DEPTH
