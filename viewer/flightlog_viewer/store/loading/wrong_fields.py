"""Which optional fields of which lines have unusable values. The store makes NULL of them as it loads, without a trace.

DuckDB reads the light fields as JSON and tells the lines whose fields are usable beyond doubt, which are nearly all;
the others are judged one by one.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from flightlog.reader import MAX_LINE_BYTES
from flightlog.span_line import HUGE
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.columns import LIGHT, REQUIRED
from flightlog_viewer.store.files.source_file import SourceFile
from flightlog_viewer.store.instance import connect
from flightlog_viewer.store.loading.lines import read_lines
from flightlog_viewer.store.loading.read_json import read_json
from flightlog_viewer.store.loading.sieve import look
from flightlog_viewer.store.loading.stretch import Piece, stretches
from flightlog_viewer.store.watch import Progress, Watch

EXAMPLES: Final = 3
_TOLD_EVERY: Final = 10_000
"""Lines between two calls of the progress."""
_ROOMY_BYTES: Final = 16 << 20
"""Less than this fits into any memory: there is nothing to make room for on the disk."""
_OPTIONAL: Final = tuple(column for column in LIGHT if column.name not in REQUIRED and column.type != "JSON")
_FLAT: Final = """left($, 1) = '{' AND NOT contains($, '":{') AND NOT contains($, '":[')"""
_COUNTS: Final = '("[^"]*":[0-9]{1,15},?)*'
# Conditions over the compact JSON text `$` of a value, true only if it is usable. No IN: see `json_types`.
_BY_TYPE: Final = {
    "VARCHAR": "left($, 1) <> '{' AND left($, 1) <> '['",
    "BIGINT": "regexp_full_match($, '-?[0-9]{1,18}')",
    "DOUBLE": f"abs(TRY_CAST($ AS DOUBLE)) < {HUGE}",
    "BOOLEAN": "$ = 'true' OR $ = 'false'",
    "VARCHAR[]": "left($, 1) = '[' AND NOT contains($, '{') AND NOT contains(substr($, 2), '[')",
}
_BY_NAME: Final = {
    "error": _FLAT,
    "otel": _FLAT,
    "token_usage": (
        f"""regexp_full_match($, '\\{{("[^"]*":([0-9]{{1,15}}|null|\\{{{_COUNTS}\\}}),?)*\\}}') """
        """AND NOT contains($, '_tokens":{') AND NOT regexp_matches($, '_details":[0-9]')"""
    ),
}


class WrongFields:
    """What was found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """How often each field is unusable."""
        self.examples: list[str] = []
        """Where the first are."""

    def note(self, source: SourceFile, start: int, names: Sequence[str]) -> None:
        """Unusable fields of the line at a byte offset."""
        for name in names:
            self.counts[name] += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{name_text(source.path)} at byte {start:,}: {name}")


def find_wrong_fields(sources: Sequence[SourceFile], new_file: Callable[[], Path], progress: Progress) -> WrongFields:
    """Examine what is loaded of each file. The progress cannot cancel it, Ctrl-C can."""
    found = WrongFields()
    pieces = [Piece(source, 0, source.end) for source in sources]
    total = sum(piece.stop for piece in pieces)
    # The store's own instance is locked and opens no file any more.
    spill = str(new_file().with_suffix(".spill")) if total > _ROOMY_BYTES else ""
    with connect(temp_directory=spill) as connection, Watch(connection, total, progress) as watch:
        for stretch in stretches(pieces, new_file):
            watch.file(stretch.size)
            with contextlib.suppress(FileNotFoundError), stretch.reading() as descriptor:
                lines = stretch.lines(descriptor)
                doubtful = _doubtful(connection, stretch.path, len(lines))
                for number, (_, at, line) in enumerate(read_lines(descriptor, lines, doubtful, MAX_LINE_BYTES + 1)):
                    if dropped := look(line).dropped:
                        piece, start = stretch.place(at)
                        found.note(piece.source, start, dropped)
                    if number % _TOLD_EVERY == 0:
                        progress(watch.done + at, total, watch.rows)
                watch.file_done(watch.rows + len(lines))
    return found


def _doubtful(connection: duckdb.DuckDBPyConnection, path: Path, count: int) -> NDArray[np.int64]:
    """The indices of lines that may have an unusable field: all, when DuckDB cannot read the file as it was."""
    columns = "{" + ", ".join(f"'{column.name}': 'JSON'" for column in _OPTIONAL) + "}"
    usable = " AND ".join(_usable(column.name, column.type) for column in _OPTIONAL)
    try:
        select = f"NOT ({usable}) AS doubtful"
        rows = read_json(connection, path, columns, select, into="CREATE OR REPLACE TEMP TABLE doubts AS")
    except duckdb.IOException:
        rows = None
    if rows is None or rows < count:
        return np.arange(count)
    found = connection.execute("SELECT rowid AS id FROM doubts WHERE doubtful ORDER BY rowid").fetchnumpy()
    indices = np.asarray(found["id"], np.int64)
    return indices[indices < count]


def _usable(name: str, type: str) -> str:
    condition = _BY_NAME.get(name) or _BY_TYPE[type]
    return f"({name} IS NULL OR coalesce({condition.replace('$', f'{name}::VARCHAR')}, false))"
