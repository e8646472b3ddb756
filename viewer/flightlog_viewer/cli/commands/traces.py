"""``flightlog traces``: one line a trace."""

from datetime import tzinfo
from typing import Annotated, Any

import typer

from flightlog_viewer.analysis.filter import EVERYTHING
from flightlog_viewer.analysis.filter import Filter as Condition
from flightlog_viewer.analysis.filter_fields import STATUSES, hint
from flightlog_viewer.analysis.times import milliseconds
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import (
    Csv,
    Filter,
    Json,
    Limit,
    NoCache,
    Paths,
    Since,
    Tz,
    Until,
    at_most,
    form,
    statuses,
)
from flightlog_viewer.cli.output import Column, Form, json_value, note, note_more, table
from flightlog_viewer.cli.span_rows import decoded


def traces(
    paths: Paths = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status", metavar="STATUS", help="Only runs with this status, such as error or interrupted,error."
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    min_duration: Annotated[
        str | None,
        typer.Option("--min-duration", metavar="LENGTH", help="Only runs at least this long: 250ms, 2s, 1m30s."),
    ] = None,
    filter: Filter = None,
    sort: Annotated[str, typer.Option("--sort", metavar="ORDER", help="newest, oldest or slowest first.")] = "newest",
    limit: Limit = None,
    tz: Tz = None,
    json: Json = False,
    csv: Csv = False,
    no_cache: NoCache = False,
) -> None:
    """List the traces, one line for each run of a graph, chain or agent.

    \b
    Example:
      flightlog traces flightlog-demo/spans.jsonl --status interrupted
      flightlog traces runs/ --since 2h --filter 'status:error model:gpt*' --json
    """
    shape = form(json, csv)
    more = []
    if wanted := statuses(status, STATUSES):
        more.append(Condition(f"status IN ({', '.join('?' * len(wanted))})", wanted))
    if min_duration is not None:
        more.append(Condition("duration_ms >= ?", [milliseconds(min_duration)]))
    selection = Selection(filter, since, tz, until, more)
    where = selection.over("traces")
    shown = at_most(limit, shape)
    with opened(paths, cache=not no_cache) as store:
        rows = store.query("trace_rows", where=where, limit=shown, order=sort)
        if shape == "json":
            json_value([{name: decoded(name, value) for name, value in row.items()} for row in rows])
        else:
            table(_columns(rows, selection.zone, shape), rows, shape)
        if not rows:
            note(f"no trace matches{hint(filter or '')}" if where != EVERYTHING else "no trace has a root span yet")
        elif shape == "table" and len(rows) == shown:
            note_more(len(rows), store.query("trace_count", where=where)[0]["traces"], "traces")


def _columns(rows: list[dict[str, Any]], tz: tzinfo, shape: Form) -> list[Column]:
    return [
        Column("trace_id", "trace"),
        _start(rows, tz),
        Column("name"),
        Column("status"),
        Column("duration_ms", "duration", right=True, show=figures.duration),
        Column("span_count", "spans", right=True, show=figures.count, drop=1),
        Column("error_count", "errors", right=True, show=figures.some, drop=2),
        Column("total_tokens", "tokens", right=True, show=figures.some, drop=3),
        Column("cost_usd", "cost", right=True, show_row=figures.cost, drop=5),
        *([Column("unknown_costs")] if shape == "csv" else []),  # a table says it by the `+` behind the cost
        Column("thread_id", "thread", drop=4),
    ]


def _start(rows: list[dict[str, Any]], tz: tzinfo) -> Column:
    """The start; when all are of one day, the day stands in the heading."""
    show = figures.moment(tz)
    days = {show(row["start_time"])[:10] for row in rows}
    if len(days) == 1:
        return Column("start_time", days.pop(), show=lambda moment: show(moment)[11:], right=True)
    return Column("start_time", "start", show=show, right=True)
