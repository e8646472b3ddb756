"""The arguments that many commands share, so that they mean the same in each."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from flightlog.errors import UsageError
from flightlog_viewer.cli.output import Form

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATHS",
        help="Span files, folders or globs. Without them: the newest span file here.",
        show_default=False,
    ),
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoints",
        metavar="DB",
        help="Checkpoint database: a SQLite file or postgresql:// URL; repeatable.",
        show_default=False,
    ),
]
Breakpoint = Annotated[
    list[str] | None,
    typer.Option(
        "--breakpoint",
        metavar="NODE",
        help="Count a pause before this node as waiting for a human; repeatable.",
        show_default=False,
    ),
]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="NAME=FILE",
        help="A table of your own beside ours: CSV, TSV, Parquet, JSON or JSONL; repeatable.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Read the files anew, without the index cache.")]
Tz = Annotated[
    str | None,
    typer.Option(
        "--tz",
        metavar="ZONE",
        help="Time zone of times that are shown or given: Europe/Paris, or local for this machine's. Default: UTC.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only what started since: 2026-11-20, 12:00, today, 2h (ago)."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only what started before that.")]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="Only what matches, such as 'status:error dur>2s model:gpt*'; `flightlog help filter` explains.",
    ),
]

Limit = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--limit",
        metavar="N",
        min=0,
        help="At most this many; 0 means all. Default: 50 in a table, otherwise all.",
    ),
]
_SHOWN = 50

_STDOUT: Final = Path("-")


def not_stdout(out: Path) -> Path:
    """The output of a command that needs a file. Raises UsageError for ``-``, after which nobody looks for a file."""
    if out == _STDOUT:
        raise UsageError("this command does not write to standard output: name a file")
    return out


def _file(out: Path | None) -> Path | None:
    return None if out == _STDOUT else out


OutFile = Annotated[
    Path,
    typer.Option(
        "-o", "--out", "--output", metavar="FILE", help="File to write.", show_default=False, callback=not_stdout
    ),
]
OutFileOrStdout = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        "--output",
        metavar="FILE",
        help="File to write; without it, or with -, standard output.",
        callback=_file,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")]


def form(json: bool, csv: bool) -> Form:
    """The output form that the two flags name. Raises UsageError when both are given."""
    if json and csv:
        raise UsageError("--json and --csv exclude each other")
    return "json" if json else "csv" if csv else "table"


def at_most(limit: int | None, shape: Form) -> int | None:
    """How many rows ``-n`` means; None is all."""
    return (limit if limit is not None else _SHOWN if shape == "table" else 0) or None


def statuses(given: str | None, known: Sequence[str]) -> list[str]:
    """The statuses of a list like ``error,interrupted``; none is all. Raises UsageError for one that is not known."""
    wanted = [word.strip().lower() for word in given.split(",")] if given is not None else []
    if unknown := [word for word in wanted if word not in known]:
        raise UsageError(f"no status {unknown[0]!r}: there are {', '.join(known)}")
    return wanted


def own_tables(given: list[str] | None) -> dict[str, str]:
    """The files behind ``--table`` by the names of their tables. Raises UsageError for what is no pair, or twice."""
    found: dict[str, str] = {}
    for pair in given or ():
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--table takes NAME=FILE, as in customers=customers.csv, not {pair!r}")
        if name in found:
            raise UsageError(f"--table names {name} twice")
        found[name] = os.path.expanduser(file)  # a shell leaves ~ behind = alone
    return found


def targets(checkpoints: list[str] | None) -> list[str]:
    """The databases that are given. Raises UsageError when there is none."""
    if not checkpoints:
        raise UsageError("name the checkpoint database: a SQLite file or a postgresql:// URL")
    return checkpoints
