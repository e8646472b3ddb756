"""``flightlog show``: one trace as a tree."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.tree import Outline, SpanRow, build
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Json, NoCache, Paths, Tz
from flightlog_viewer.cli.output import grid, json_value, line, lines, unicode
from flightlog_viewer.cli.span_rows import known, microseconds, remark
from flightlog_viewer.cli.trace_argument import TRACE, check_trace, find

if TYPE_CHECKING:
    from flightlog_viewer import Store

_PAYLOADS = ("inputs", "output", "metadata")
_PAYLOAD_LINES = 40
_DRAWN_LEVELS = 100
"""Deeper spans stand below one another with a number: the lines of 100,000 levels would be 30 GB."""


def show(
    trace: Annotated[str, typer.Argument(metavar="TRACE", help=TRACE)],
    paths: Paths = None,
    payloads: Annotated[bool, typer.Option("--payloads", help="Show inputs, output and metadata too.")] = False,
    tz: Tz = None,
    json: Json = False,
    no_cache: NoCache = False,
) -> None:
    """Show one trace as a tree: what ran inside what, how long, how it ended, tokens and cost.

    \b
    Example:
      flightlog show last flightlog-demo/spans.jsonl
      flightlog show 01a1f87b-af24 flightlog-demo/spans.jsonl --payloads --json
    """
    zone = Selection(tz=tz).zone
    check_trace(trace, "show")
    with opened(paths, cache=not no_cache) as store:
        trace_id = find(store, trace)
        spans = store.query("trace_spans", trace_id=trace_id)
        outline = build([_row(span) for span in spans])
        bodies = {span["row_id"]: store.payload(span["row_id"], span["run_id"]) for span in spans} if payloads else {}
        if json:
            json_value(_record(store, trace_id, spans, outline, bodies))
        else:
            _print(trace_id, spans, outline, bodies, zone)


def _row(span: dict[str, Any]) -> SpanRow:
    usage = span["token_usage"] or {}
    return SpanRow(
        span["row_id"], span["run_id"], span["parent_run_id"], span["type"], span["kind"], span["name"], span["status"],
        microseconds(span["start_time"]), span["duration_ms"], span["node"], span["step"],
        usage.get("total_tokens"), span.get("cost_usd"),
    )  # fmt: skip


def walk(outline: Outline) -> Iterator[tuple[int, int, str]]:
    """Every span depth first with its depth and the lines that draw the tree, down to where a number says it; groups
    are opened.
    """
    fork, last_fork, passing = ("├─ ", "└─ ", "│  ") if unicode() else ("|- ", "`- ", "|  ")
    tops: list[int] = []
    for root in outline.roots:
        tops.extend([root] if outline.is_span(root) else outline.span_children(root))
    stack = [(node, 0, "", "") for node in reversed(tops)]
    while stack:
        node, depth, lead, branch = stack.pop()
        yield node, depth, lead + branch
        children = outline.span_children(node)
        if depth >= _DRAWN_LEVELS:
            stack.extend((child, depth + 1, lead, f"{depth + 1} ") for child in reversed(children))
            continue
        under = lead + ("" if not branch else "   " if branch == last_fork else passing)
        last = children[-1] if children else None
        stack.extend((child, depth + 1, under, last_fork if child == last else fork) for child in reversed(children))


def _record(
    store: "Store", trace_id: str, spans: list[dict[str, Any]], outline: Outline, bodies: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    ordered = []
    for node, depth, _ in walk(outline):
        span = spans[node]
        ordered.append({"depth": depth, **known(span), **bodies.get(span["row_id"], {})})
    found = store.query("trace_row", trace_id=trace_id)
    about = known(found[0]) if found else {"trace_id": trace_id}
    return about | {"spans": ordered}


def _print(
    trace_id: str, spans: list[dict[str, Any]], outline: Outline, bodies: dict[int, dict[str, Any]], zone: tzinfo
) -> None:
    first = min((span["start_time"] for span in spans), default=None)
    thread = next((span["thread_id"] for span in spans if span["thread_id"] is not None), None)
    about = f"trace {trace_id}  {figures.moment(zone)(first)}  {units.plural(len(spans), 'span')}"
    line(about + (f"  thread {thread}" if thread is not None else ""))
    if outline.orphans is not None:
        orphans = units.plural(len(outline.children[outline.orphans]), "span at the end has", "spans at the end have")
        line(f"{orphans} no parent in the files")
    if outline.cut:
        line(f"{units.plural(len(outline.cut), 'span')} had a parent below themselves; the circle is cut")
    cells = []
    for node, _, lead in walk(outline):
        span, row = spans[node], outline.rows[node]
        cells.append(
            [
                lead + _label(span),
                span["kind"] or span["type"],
                figures.duration(row.duration_ms),
                span["status"],
                figures.some(row.total_tokens),
                figures.money(row.cost),
                remark(span, alone=len(spans) == 1),
            ]
        )
    grid(
        ["span", "type", "duration", "status", "tokens", "cost", ""],
        cells,
        right=[False, False, True, False, True, True, False],
    )
    for node, _, _ in walk(outline):
        if bodies:
            _print_payloads(spans[node], bodies[spans[node]["row_id"]])


def _label(span: dict[str, Any]) -> str:
    attempt = units.attempt(span["attempt"])
    model = span["model"]
    return f"{span['name']}{f' [{model}]' if model and model != span['name'] else ''}{attempt}"


def _print_payloads(span: dict[str, Any], body: dict[str, Any]) -> None:
    import json as encoder

    line()
    line(f"== {span['name']} {span['run_id']}")
    if body.get("payload_gone"):
        line("its line is no longer in the file")
    for name in _PAYLOADS:
        if body.get(name) is None:
            continue
        text = encoder.dumps(body[name], indent=2, ensure_ascii=False)
        whole = text.splitlines()
        lines(f"{name}: " + "\n".join(whole[:_PAYLOAD_LINES]))
        if len(whole) > _PAYLOAD_LINES:
            line(f"... {len(whole) - _PAYLOAD_LINES:,} more lines (--json has all)")
