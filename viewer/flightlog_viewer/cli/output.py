"""What commands print: a table for people, JSON and CSV for programs, all of it safe on a terminal.

Nothing in ``cli/`` writes to stdout or stderr but through this module, so that no control character of the data passes.
"""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import orjson

from flightlog_viewer.safe_text import safe_json, safe_text

Form = Literal["table", "json", "csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a printed table."""

    key: str
    title: str | None = None
    """Heading; the key when None."""
    show: Callable[[Any], str] | None = None
    """How a value looks in a table for people; JSON and CSV get the value itself."""
    right: bool = False


def line(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(safe_text(text) + "\n")


def lines(text: str) -> None:
    """Several lines on stdout, as they stand."""
    sys.stdout.write(safe_text(text, keep_newlines=True) + "\n")


def note(text: str) -> None:
    """One sentence on stderr, beside the answer: rejects, an empty result, a guess that was made."""
    sys.stdout.flush()
    sys.stderr.write(f"flightlog: {safe_text(text)}\n")


def json_value(value: Any) -> None:
    """The value as JSON on stdout, indented, dates in UTC with a Z."""
    sys.stdout.write(_json(value, orjson.OPT_INDENT_2) + "\n")


def json_line(value: Any) -> None:
    """The value as one line of JSON on stdout."""
    sys.stdout.write(_json(value, 0) + "\n")


def json_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows as a JSON array of objects on stdout, one a line, written as they come."""
    first = True
    for row in rows:
        text = _json(dict(zip(names, row, strict=True)), 0)
        sys.stdout.write(("[\n " if first else ",\n ") + text)
        first = False
    sys.stdout.write("[]\n" if first else "\n]\n")


def csv_rows(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows as CSV on stdout (RFC 4180, LF); text that a spreadsheet would run as a formula gets a ``'`` in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in header])
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
        if buffer.tell() > 65536:
            sys.stdout.write(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    sys.stdout.write(buffer.getvalue())


def csv_cell(value: Any) -> Any:
    """A value as it stands in a CSV cell. Numbers stay numbers; text is made safe for terminals and spreadsheets."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return value
    if isinstance(value, str):
        text = safe_text(value, keep_newlines=True)
        return f"'{text}" if value.startswith(_FORMULA) or text.startswith(_FORMULA) else text
    if isinstance(value, datetime | date | timedelta):
        return _plain(value)
    return safe_text(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode())


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], form: Form = "table") -> None:
    """Rows in one of the forms. A terminal gets a table that fits its width, anything else aligned plain text."""
    if form == "json":
        json_value(rows)
    elif form == "csv":
        csv_rows([column.key for column in columns], ([row.get(column.key) for column in columns] for row in rows))
    else:
        titles = [column.title if column.title is not None else column.key for column in columns]
        cells = [[_cell(column, row.get(column.key)) for column in columns] for row in rows]
        grid(titles, cells, right=[column.right for column in columns])


def grid(titles: Sequence[str], cells: Sequence[Sequence[str]], *, right: Sequence[bool]) -> None:
    """A table of finished texts. The first column keeps its width longest on a narrow terminal."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _rich_grid(titles, cells, right)
        return
    from rich.cells import cell_len

    safe = [[safe_text(text) for text in row] for row in (titles, *cells)]
    widths = [max(cell_len(row[index]) for row in safe) for index in range(len(titles))]
    for row in safe:
        padded = (
            " " * (width - cell_len(text)) + text if to_right else text + " " * (width - cell_len(text))
            for text, width, to_right in zip(row, widths, right, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def _rich_grid(titles: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for title, to_right in zip(titles, right, strict=True):
        # Numbers are never cut: a cut number is a wrong number.
        drawn.add_column(
            Text(safe_text(title)),
            justify="right" if to_right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if not to_right else 4,
        )
    for row in cells:
        drawn.add_row(*(Text(safe_text(text)) for text in row))
    Console(highlight=False, markup=False, emoji=False, soft_wrap=False).print(drawn)


def _json(value: Any, option: int) -> str:
    option |= orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return safe_json(orjson.dumps(value, default=_plain, option=option).decode())


def _cell(column: Column, value: Any) -> str:
    if column.show is not None:
        return column.show(value)
    return plain_cell(value)


def plain_cell(value: Any) -> str:
    """Any value as one short text; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1 else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime | date | timedelta | Decimal):
        return str(_plain(value))
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    """What orjson cannot write: DuckDB's times (UTC, naive), decimals, bytes, sets."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z" if value.tzinfo is None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)
