"""``flightlog tail``: one line a span as it ends."""

import sys
import time
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from flightlog_viewer.analysis.times import wall
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Filter, NoCache, Paths, Tz
from flightlog_viewer.cli.output import json_line, line
from flightlog_viewer.cli.span_rows import known, remark

if TYPE_CHECKING:
    from flightlog_viewer import Store

_EVERY_SECONDS: Final = 0.25
_MARKS: Final = {"ok": " ", "error": "x", "interrupted": "?", "handoff": ">", "cancelled": "-", "abandoned": "-"}


def tail(
    paths: Paths = None,
    filter: Filter = None,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="Finished spans to begin with.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more until Ctrl-C.")] = True,
    tz: Tz = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    no_cache: NoCache = False,
) -> None:
    """Watch spans end, one line each. An empty file is waited for; rotation and new files in a folder are followed.

    Marks before the status: x failed, ? waits for a human, > handed over, - given up.

    \b
    Example:
      flightlog tail trace.jsonl
      flightlog tail runs/ --filter 'type:llm dur>2s' --json
    """
    selection = Selection(filter, tz=tz)
    where, zone = selection.over("spans"), selection.zone
    try:
        with opened(paths, cache=not no_cache, allow_empty=True, quiet=True) as store:
            shown = store.query("newest_spans", where=where, limit=lines)
            _print(reversed(shown), zone, json=json)
            after = store.span_count - 1
            while follow:
                time.sleep(_EVERY_SECONDS)
                if store.refresh():
                    after = _print_new(store, after, selection, json=json)
    except KeyboardInterrupt:
        # Ctrl-C is the way out of following.
        return


def _print_new(store: "Store", after: int, selection: Selection, *, json: bool) -> int:
    """Print the spans behind row ``after``; returns the last row there is."""
    last = store.span_count - 1
    rows = store.query("spans_between", after=after, last=last, where=selection.over("spans"))
    _print(rows, selection.zone, json=json)
    return last


def _print(rows: Any, zone: tzinfo, *, json: bool) -> None:
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
