"""``flightlog summary``: how many, how long, how much, by a key of choice."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.filter import EVERYTHING
from flightlog_viewer.analysis.filter_fields import status_hint
from flightlog_viewer.analysis.filter_syntax import words_hint
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Csv, Filter, Json, NoCache, Paths, Since, Tz, Until, form
from flightlog_viewer.cli.output import Column, json_value, line, note, table

if TYPE_CHECKING:
    from flightlog_viewer import Store

_KEYS = (
    "key", "type", "count", "errors", "interrupted", "p50_ms", "p95_ms", "p99_ms", "total_ms", "input_tokens",
    "output_tokens", "total_tokens", "cost_usd", "unknown_costs",
)  # fmt: skip


def summary(
    paths: Paths = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="KEY",
            help="name, type, model, tool, node (spans); thread, day, week, status, service, version, environment, "
            "metadata.KEY (whole runs); waste (where work was lost).",
        ),
    ] = "name",
    filter: Filter = None,
    since: Since = None,
    until: Until = None,
    tz: Tz = None,
    json: Json = False,
    csv: Csv = False,
    no_cache: NoCache = False,
) -> None:
    """Show counts, errors, percentiles, tokens and cost of the spans, by a key.

    Percentiles leave out what waited for a human or never ended. Tokens and cost come from the model calls alone;
    `+` behind a cost means that some calls' is unknown: no price is known, or they told no usage.

    \b
    Example:
      flightlog summary flightlog-demo/spans.jsonl --by model
      flightlog summary runs/ --by node --since 2h --json
    """
    shape = form(json, csv)
    selection = Selection(filter, since, tz, until)
    where = selection.over("spans")
    with opened(paths, cache=not no_cache) as store:
        groups = store.query("summary", by=by, where=where, tz=selection.zone)
        if shape == "json":
            prices = [row["source"] for row in store.query("price_sources")]
            found = {"prices": prices, "by": by, "groups": [_only(group) for group in groups]}
            json_value(totals(store, selection) | found)
            return
        if shape == "table":
            for text in headline(totals(store, selection)):
                line(text)
            line()
        table(columns(by) if shape == "table" else [Column(key) for key in _KEYS], groups, shape)
        if not groups and where != EVERYTHING:
            note(f"no span matches{words_hint(filter or '') or status_hint(filter or '')}")
        if by.startswith("metadata.") and groups and all(group["key"] is None for group in groups):
            note(f"no run was started with {by}")


def totals(store: "Store", selection: Selection) -> dict[str, Any]:
    """What all the spans come to, with the rejects."""
    row = store.query("overview", where=selection.over("spans"))[0]
    return {
        name: row[name]
        for name in (
            "spans", "traces", "errors", "failed_traces", "interrupted", "interrupted_traces", "unfinished",
            "llm_calls", "missing_usage", "input_tokens", "output_tokens", "total_tokens", "cost_usd",
            "unknown_costs", "first_start", "last_end",
        )
    } | {"rejects": store.reject_count}  # fmt: skip


def headline(row: dict[str, Any]) -> list[str]:
    """The totals in a few lines of words."""
    first = f"{units.plural(row['spans'], 'span')} in {units.plural(row['traces'], 'trace')}"
    if row["errors"]:
        first += f", {row['errors']:,} failed (in {units.plural(row['failed_traces'], 'trace')})"
    if row["interrupted"]:
        first += f", {units.plural(row['interrupted_traces'], 'trace')} stopped to ask a human"
    if row["unfinished"]:
        first += f", {units.plural(row['unfinished'], 'span')} never ended or still running"
    if row["rejects"]:
        first += f", {units.plural(row['rejects'], 'line')} rejected"
    if not row["llm_calls"]:
        return [first]
    tokens = figures.count(row["total_tokens"])
    second = f"{units.plural(row['llm_calls'], 'model call')}, {tokens} tokens"
    second += f" ({figures.count(row['input_tokens'])} in, {figures.count(row['output_tokens'])} out)"
    second += f", {figures.money(row['cost_usd']) or 'cost unknown'}"
    if row["cost_usd"] is not None and row["unknown_costs"]:
        second += f" and {units.plural(row['unknown_costs'], 'call')} of unknown cost"
    if row["missing_usage"]:
        second += f"; {units.plural(row['missing_usage'], 'call')} without usage (see flightlog doctor)"
    return [first, second]


def columns(by: str) -> list[Column]:
    """The columns of a summary."""
    kind = [Column("type", drop=8)] if by == "name" else []
    # Spans of every kind are wasted, some inside others: percentiles over them would say nothing.
    timed = (
        []
        if by == "waste"
        else [
            Column(f"{name}_ms", name, right=True, show=figures.duration, drop=drop)
            for name, drop in (("p50", 0), ("p95", 2), ("p99", 5))
        ]
    )
    return [
        Column("key", by),
        *kind,
        Column("count", right=True, show=figures.count),
        Column("errors", right=True, show=figures.some),
        *timed,
        Column("total_ms", "total", right=True, show=figures.duration, drop=3),
        Column("input_tokens", "in", right=True, show=figures.some, drop=6),
        Column("output_tokens", "out", right=True, show=figures.some, drop=7),
        Column("total_tokens", "tokens", right=True, show=figures.some, drop=4),
        Column("cost_usd", "cost", right=True, show_row=figures.cost, drop=1),
    ]


def _only(group: dict[str, Any]) -> dict[str, Any]:
    return {key: group[key] for key in _KEYS if key in group}
