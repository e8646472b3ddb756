"""What commands print: a table for people, JSON and CSV for programs, all of it safe on a terminal.

No command writes to stdout or stderr but through this module, so that no control character of the data passes.
"""

import csv
import io
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Any, Literal

import orjson

from flightlog_viewer.analysis.cell_text import csv_cell, dumps, plain_cell
from flightlog_viewer.cli.column_widths import TEXT_MINIMUM, fit
from flightlog_viewer.cli.terminal import is_terminal
from flightlog_viewer.safe_text import safe_json, safe_text

Form = Literal["table", "json", "csv"]

_NAMED = 6
"""Columns without room that are named; of more the number is said."""
_ALIGNED = 400
"""Characters to which the columns of a pipe are aligned: one cell of a megabyte would add as much to every row."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a printed table."""

    key: str
    title: str | None = None
    """Heading; the key when None."""
    show: Callable[[Any], str] | None = None
    """How a value looks in a table for people; JSON and CSV get the value itself."""
    show_row: Callable[[Mapping[str, Any]], str] | None = None
    """The same where other values of the row say more of it."""
    right: bool = False
    drop: int = 0
    """On a narrow terminal the column with the highest goes first; 0 stays."""


def unicode() -> bool:
    """Whether stdout can show line drawing and ellipses."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def printed() -> int:
    """How many pieces have been written to stdout so far."""
    return _Out.pieces


class _Out:
    pieces = 0


def _write(text: str) -> None:
    _Out.pieces += 1
    sys.stdout.write(text)


def line(text: str = "") -> None:
    """One line on stdout."""
    _write(safe_text(text) + "\n")


def lines(text: str) -> None:
    """Several lines on stdout, as they stand."""
    _write(safe_text(text, keep_newlines=True) + "\n")


def wrapped(text: str, lead: str) -> str:
    """A sentence behind ``lead``, in lines as wide as the terminal; one line for anything else."""
    if not is_terminal(sys.stdout):
        return lead + text
    width = max(TEXT_MINIMUM * 2, get_terminal_size().columns)
    return textwrap.fill(
        text,
        width,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )


def note(text: str) -> None:
    """One sentence on stderr, beside the answer: rejects, an empty result, a guess that was made."""
    sys.stdout.flush()
    sys.stderr.write(f"flightlog: {safe_text(text)}\n")


def note_more(shown: int, total: int, of: str) -> None:
    """Say that a table has only the first rows of all that there are."""
    if shown < total:
        note(f"{shown:,} of {total:,} {of} shown: -n 0 shows all")


def missing(problems: Sequence[str]) -> int:
    """Say what could not be read, after what could; the exit status."""
    for problem in problems:
        note(problem)
    return 2 if problems else 0


def json_value(value: Any) -> None:
    """The value as JSON on stdout, indented, dates in UTC with a Z."""
    _write_json(_json(value, orjson.OPT_INDENT_2) + "\n")


def json_line(value: Any) -> None:
    """The value as one line of JSON on stdout."""
    _write_json(_json(value, 0) + "\n")


def json_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows as a JSON array of objects on stdout, one a line, written as they come."""
    first = True
    for row in rows:
        text = _json(dict(zip(names, row, strict=True)), 0)
        _write_json(("[\n " if first else ",\n ") + text)
        first = False
    _write("[]\n" if first else "\n]\n")


def json_parts(parts: Iterable[str]) -> None:
    """The pieces of a JSON document on stdout, written as they come."""
    for part in parts:
        _write_json(part)


def csv_rows(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows as CSV on stdout (RFC 4180, LF); text that a spreadsheet would run as a formula gets a ``'`` in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in header])
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
        if buffer.tell() > 65536:
            _write(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    _write(buffer.getvalue())


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], form: Form = "table") -> None:
    """Rows in one of the forms. A terminal gets a table that fits its width, anything else aligned plain text."""
    if form == "json":
        json_value(rows)
    elif form == "csv":
        csv_rows([column.key for column in columns], ([row.get(column.key) for column in columns] for row in rows))
    else:
        titles = [column.title if column.title is not None else column.key for column in columns]
        cells = [[_cell(column, row) for column in columns] for row in rows]
        grid(titles, cells, right=[c.right for c in columns], drop=[c.drop for c in columns])


def grid(
    titles: Sequence[str], cells: Sequence[Sequence[str]], *, right: Sequence[bool], drop: Sequence[int] | None = None
) -> None:
    """A table of finished texts. In a pipe nothing is cut, and what is wider than _ALIGNED stands out; a terminal gets
    what fits its width (``fit``).
    """
    from rich.cells import cell_len, set_cell_size

    safe = [[safe_text(text) for text in row] for row in (titles, *cells)]
    widths = [max(cell_len(row[index]) for row in safe) for index in range(len(titles))]
    terminal = is_terminal(sys.stdout)
    left_out: list[int] = []
    if terminal:
        room = get_terminal_size().columns
        spare = list(drop or [0] * len(titles))
        if sum(widths) + 2 * (len(widths) - 1) > room:
            # What is empty in all rows goes without a word.
            empty = [bool(spare[i]) and not any(row[i] for row in safe[1:]) for i in range(len(titles))]
            widths = [-1 if gone else width for width, gone in zip(widths, empty, strict=True)]
        widths, left_out = fit(widths, right, spare, room)
    else:
        widths = [min(width, _ALIGNED) for width in widths]
    for number, row in enumerate(safe):
        padded = []
        for text, width, to_right in zip(row, widths, right, strict=True):
            if width < 0:
                continue
            room = width - cell_len(text)
            if room < 0 and terminal:
                text, room = set_cell_size(text, width - 1) + ("…" if unicode() else "~"), 0
            padded.append(" " * room + text if to_right else text + " " * room)
        shown = "  ".join(padded).rstrip()
        _write(f"\x1b[1m{shown}\x1b[0m\n" if terminal and number == 0 else f"{shown}\n")
    if left_out:
        names = [safe[0][index] for index in left_out]
        more = f" and {len(names) - _NAMED} more columns" if len(names) > _NAMED else ""
        note(f"no room for {', '.join(names[:_NAMED])}{more}: widen the terminal, or take JSON or CSV")


def _json(value: Any, option: int) -> str:
    option |= orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return dumps(value, option)


def _write_json(text: str) -> None:
    """Where stdout is not UTF-8, as JSON is, what is beyond ASCII is escaped: the same value to every program."""
    _write(safe_json(text, ascii_only=not unicode()))


def _cell(column: Column, row: Mapping[str, Any]) -> str:
    if column.show_row is not None:
        return column.show_row(row)
    value = row.get(column.key)
    return column.show(value) if column.show is not None else plain_cell(value)
