"""``flightlog tail``: one line a span as it ends."""

import os
import select
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import tzinfo
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from flightlog.errors import UnreadableError
from flightlog_viewer.analysis.times import wall
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Filter, NoCache, Paths, Tz
from flightlog_viewer.cli.output import json_line, line, note
from flightlog_viewer.cli.span_rows import known, remark
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.files.sources import SUFFIXES

if TYPE_CHECKING:
    from flightlog_viewer import Store

_EVERY_SECONDS: Final = 0.25
_RESTS: Final = 7
"""A file that grows without end costs an eighth of one core: the wait for more, in times of what the last look used."""
_LONGEST_SECONDS: Final = 3.0
"""Of a wait: what comes so fast that it costs more is shown all the same."""
_AT_ONCE: Final = 16 << 20
"""Bytes that are read, and rows that are printed, before the next ones: what a pause has left may be anything."""
_ROWS_AT_ONCE: Final = 5_000
_KEPT: Final = 20_000
"""Spans that are kept for what asks about more than one: own times, whole traces. Up to twice as many are there."""
_MARKS: Final = {"ok": " ", "error": "x", "interrupted": "?", "handoff": ">", "cancelled": "-", "abandoned": "-"}


def tail(
    paths: Paths = None,
    filter: Filter = None,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="Finished spans to show first.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more, until Ctrl-C.")] = True,
    tz: Tz = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    no_cache: NoCache = False,
) -> None:
    """Watch spans end, one line each, through rotation and new files in a folder.

    A file that is empty, or is not there yet, is waited for; so is the first one of a folder or a pattern.

    Marks before the status: x failed, ? stopped to ask a human, > handed over, - given up.

    \b
    Example:
      flightlog tail trace.jsonl
      flightlog tail runs/ --filter 'type:llm dur>2s' --json
    """
    selection = Selection(filter, tz=tz)
    where, zone = selection.over("spans"), selection.zone
    try:
        if follow and paths is not None and len(paths) == 1:
            _wait_for(paths[0])
        with opened(paths, cache=not no_cache, allow_empty=follow, quiet=True) as store:
            _expect(store)
            shown = store.query("newest_spans", where=where, limit=lines)
            _print(reversed(shown), zone, json=json)
            after = store.span_count - 1
            used = 0.0
            while follow:
                if store.forget(_KEPT):
                    after = store.span_count - 1
                if not store.has_more:
                    _rest(used)
                began = time.process_time()
                if store.refresh(_AT_ONCE):
                    after = _print_new(store, after, selection, json=json)
                used = time.process_time() - began
    except KeyboardInterrupt:
        # Ctrl-C is the way out of following.
        return


def _rest(used: float) -> None:
    """Sleep as long as the last look, which ``used`` so many seconds, asks for.

    Raises BrokenPipeError when the reader (`| head`) has left, not only with the next span.
    """
    time.sleep(min(max(_EVERY_SECONDS, _RESTS * used), _LONGEST_SECONDS))
    if sys.stdout.isatty() or not hasattr(select, "poll"):
        return
    reader = select.poll()
    with suppress(OSError, ValueError):  # a stream in memory
        reader.register(sys.stdout.fileno(), 0)  # that it has left is told unasked
    if reader.poll(0):
        raise BrokenPipeError


def _wait_for(path: str) -> None:
    """Wait for a span file that is still to come; not for anything else that is missing or wrong."""
    said = False
    while True:
        began = time.process_time()
        if not _is_to_come(path):
            return
        if not said:
            _say_waiting(path)
            said = True
        _rest(time.process_time() - began)


def _is_to_come(path: str) -> bool:
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            return not any(name.endswith(SUFFIXES) for name in os.listdir(place))
        if os.path.lexists(place):
            return False
        if has_magic(path):
            folder = Path(*takewhile(lambda part: not has_magic(part), place.parts))
            return folder.is_dir() and not any(map(os.path.isfile, glob(str(place), recursive=True)))
        return place.parent.is_dir() and path.endswith(".jsonl")
    except OSError:
        return False


def _expect(store: "Store") -> None:
    """Say that there is nothing yet. Raises UnreadableError when what there is are not spans."""
    if store.span_count or store.in_flight:
        return
    # The first line of all may be half written.
    if store.sql("FROM rejects WHERE NOT contains(reason, 'unexpected end of data')").fetchall():
        raise UnreadableError(store.said_of_nothing())
    _say_waiting(", ".join(name_text(source.path) for source in store.sources[:3]))


def _say_waiting(names: str) -> None:
    note(f"waiting for spans in {names}")


def _print_new(store: "Store", after: int, selection: Selection, *, json: bool) -> int:
    """Print the spans behind row ``after``; returns the last row there is."""
    last = store.span_count - 1
    where = selection.over("spans")
    for first in range(after, last, _ROWS_AT_ONCE):
        until = min(first + _ROWS_AT_ONCE, last)
        _print(store.query("spans_between", after=first, last=until, where=where), selection.zone, json=json)
    return last


def _print(rows: Iterable[dict[str, Any]], zone: tzinfo, *, json: bool) -> None:
    for row in rows:
        if json:
            json_line(known(row))
        else:
            line(describe(row, zone))
    sys.stdout.flush()


def describe(row: dict[str, Any], zone: tzinfo) -> str:
    """One finished span as one line."""
    ended = row["end_time"]
    at = "" if ended is None else wall(ended, zone, "%H:%M:%S.%f")[:-3]
    model = f" [{row['model']}]" if row["model"] and row["model"] != row["name"] else ""
    tokens = (row["token_usage"] or {}).get("total_tokens")
    parts = [
        f"{at:12} {_MARKS.get(row['status'], ' ')} {row['status']:11} {figures.duration(row['duration_ms']):>9}",
        f"{row['kind'] or row['type']:9}",
        f"{row['name']}{model}",
        f"{tokens:,} tokens" if tokens else "",
        f"thread {row['thread_id']}" if row["thread_id"] else "",
        f"trace {row['trace_id']}" if row["parent_run_id"] is None else "",
        remark(row),
    ]
    return "  ".join(part for part in parts if part)
