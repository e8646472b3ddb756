"""``flightlog sql``: one SELECT over the tables of docs/sql.md, in the locked session."""

import io
import itertools
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flightlog.errors import UnreadableError, UsageError
from flightlog_viewer.analysis.cell_text import plain_cell, unique_names
from flightlog_viewer.cli.opening import opened
from flightlog_viewer.cli.options import (
    Checkpoints,
    Csv,
    Json,
    NoCache,
    OutFileOrStdout,
    Overwrite,
    Paths,
    Tables,
    form,
    own_tables,
)
from flightlog_viewer.cli.output import csv_rows, grid, json_rows, lines, missing, note
from flightlog_viewer.cli.parquet_answer import write_parquet
from flightlog_viewer.cli.span_rows import json_text
from flightlog_viewer.databases import told_apart
from flightlog_viewer.safe_text import is_text

if TYPE_CHECKING:
    from flightlog_viewer.store.session import Result

_FORMATS = ("table", "json", "csv", "parquet")
_SHOWN = 1000
_BATCH = 2000
_EXPLAINED = ("explain_key", "explain_value")
_OF_DATABASES = {"checkpoints", "writes", "state_changes"}
"""Tables that are empty without a checkpoint database."""


def sql(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One SELECT or EXPLAIN; `-` reads it from standard input.")
    ],
    paths: Paths = None,
    checkpoints: Checkpoints = None,
    table: Tables = None,
    json: Json = False,
    csv: Csv = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="table, json, csv or parquet. Default: as FILE ends, else table."
        ),
    ] = None,
    output: OutFileOrStdout = None,
    overwrite: Overwrite = False,
    no_cache: NoCache = False,
) -> int:
    """Ask the spans (and the checkpoints) in SQL. `flightlog schema` lists the tables.

    The session is locked: it reads what was loaded and nothing else. A table shows at most 1,000 rows and says so.
    A path may be a checkpoint database as well. `--table` loads a list of your own, customers say, to be joined.

    \b
    Example:
      flightlog sql "SELECT name, count(*) FROM spans GROUP BY ALL" flightlog-demo/spans.jsonl
      flightlog sql "FROM threads" flightlog-demo/checkpoints.sqlite --json
      flightlog sql "FROM llm_calls" flightlog-demo -o calls.parquet
      flightlog sql "FROM traces JOIN customers USING (thread_id)" flightlog-demo --table customers=customers.csv
    """
    wanted, tables = _form(json, csv, format, output), own_tables(table)
    if query.endswith((".jsonl", ".gz", ".zst")) and " " not in query:
        raise UsageError(f'the query comes before the files: flightlog sql "FROM traces" {query}')
    if query == "-":
        text = sys.stdin.read()
        sys.stdin = io.StringIO(text)  # to be read again, should the command start over
    else:
        text = query
    if not is_text(text):
        raise UsageError("the query is not UTF-8")
    paths, checkpoints = told_apart(paths, checkpoints)
    with opened(paths, checkpoints=checkpoints, tables=tables, cache=not no_cache) as store:
        result = store.sql(text)
        if output is None:
            asks_databases = not checkpoints and not _OF_DATABASES.isdisjoint(store.tables_of(text))
            _print(result, wanted, ": no checkpoint database was given" if asks_databases else "")
        else:
            _write(result, wanted, output, overwrite=overwrite)
        return missing(store.problems)


def _form(json: bool, csv: bool, format: str | None, output: Path | None) -> str:
    if format is None:
        named = form(json, csv)
        suffix = output.suffix[1:].lower() if output is not None else ""
        if named != "table" or suffix in ("", "txt"):
            return named
        if suffix not in _FORMATS:
            raise UsageError(
                f"no format for a name that ends in .{suffix}: .csv (which spreadsheets open), .json, .parquet, .txt "
                "have one, or say --format"
            )
        return suffix
    if format not in _FORMATS:
        raise UsageError(f"no format {format!r}: choose one of {', '.join(_FORMATS)}")
    if (json and format != "json") or (csv and format != "csv"):
        raise UsageError(f"--format {format} and --{'json' if json else 'csv'} exclude each other")
    return format


def _print(result: "Result", wanted: str, hint: str = "") -> None:
    if wanted == "json":
        json_rows(unique_names(result.columns), _with_json(result))
    elif wanted == "csv":
        csv_rows(result.columns, _rows(result))
    elif wanted == "table":
        _table(result, hint)
    elif sys.stdout.isatty():
        raise UsageError("parquet is not for a terminal: give -o FILE or redirect")
    else:
        write_parquet(result, sys.stdout.buffer)


def _write(result: "Result", wanted: str, output: Path, *, overwrite: bool) -> None:
    from flightlog_exporters.new_file import new_file

    try:
        with new_file(output, overwrite=overwrite) as file:
            if wanted == "parquet":
                write_parquet(result, file)
            else:
                text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
                with redirect_stdout(text):
                    _print(result, wanted)
                text.detach()
    except OSError as error:
        raise UnreadableError(f"{output} cannot be written: {error.strerror or error}") from None
    note(f"the answer is in {output}")


def _rows(result: "Result") -> Iterator[tuple[Any, ...]]:
    while batch := result.fetchmany(_BATCH):
        yield from batch


def _with_json(result: "Result") -> Iterator[tuple[Any, ...]]:
    """The rows with columns of JSON, and of lists of it, as values, so that they nest instead of being text in text."""
    places = [place for place, kind in enumerate(result.types) if kind in ("JSON", "JSON[]")]
    for row in _rows(result):
        if not places:
            yield row
            continue
        values = list(row)
        for place in places:
            value = values[place]
            values[place] = [json_text(item) for item in value] if isinstance(value, list) else json_text(value)
        yield tuple(values)


def _table(result: "Result", hint: str) -> None:
    rows = list(itertools.islice(_rows(result), _SHOWN + 1))
    result.close()
    if tuple(result.columns) == _EXPLAINED:  # a drawing of many lines, which no cell shows
        for _, plan in rows:
            lines(str(plan))
        return
    cells = [[plain_cell(value) for value in row] for row in rows[:_SHOWN]]
    numbers = [
        bool(cells) and all(isinstance(row[i], int | float | None) and not isinstance(row[i], bool) for row in rows)
        for i in range(len(result.columns))
    ]
    # Of a wide answer a narrow terminal shows the first columns.
    grid(result.columns, cells, right=numbers, drop=range(len(result.columns)))
    if len(rows) > _SHOWN:
        note(f"{_SHOWN:,} rows shown, more exist: --csv gives all")
    if not rows:
        note(f"no rows{hint}")
