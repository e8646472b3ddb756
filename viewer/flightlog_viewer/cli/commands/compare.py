"""``flightlog compare``: two traces or two files, group by group."""

from collections.abc import Callable
from contextlib import ExitStack
from glob import has_magic
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from flightlog.errors import UsageError
from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.filter import EVERYTHING
from flightlog_viewer.analysis.filter import Filter as Condition
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Csv, Json, NoCache, Paths, Tz, form
from flightlog_viewer.cli.output import csv_rows, grid, json_value, line
from flightlog_viewer.cli.trace_argument import find

_BY: Final = ("name", "type", "model", "tool", "node")
_MEASURES: Final = ("count", "errors", "p50_ms", "p95_ms", "total_ms", "total_tokens", "cost_usd", "unknown_costs")
_TOTALS: Final = ("spans", "traces", "errors", "total_tokens", "cost_usd", "unknown_costs")


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A trace (id, its beginning, last, slowest, failed, interrupted), file, folder, glob, or filter.",
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="What to compare it with, of the same sort.")],
    paths: Paths = None,
    by: Annotated[str, typer.Option("--by", metavar="KEY", help="name, type, model, tool or node.")] = "name",
    tz: Tz = None,
    json: Json = False,
    csv: Csv = False,
    no_cache: NoCache = False,
) -> None:
    """Compare two traces, two files, or what two filters leave: p50, p95, tokens and cost of each group, and B to A.

    When A and B are files, all their spans are compared; else they are traces of PATHS, or filters over the spans of
    PATHS: what was before and after a time, two versions, two customers.

    \b
    Example:
      flightlog compare yesterday.jsonl today.jsonl --by node
      flightlog compare version:1.4.2 version:1.5.0 runs/ --by tool
      flightlog compare last slowest flightlog-demo/spans.jsonl --json
    """
    shape = form(json, csv)
    if by not in _BY:
        raise UsageError(f"cannot compare by {by!r}: choose one of {', '.join(_BY)}")
    files = [_is_file(side) for side in (a, b)]
    if files[0] != files[1]:
        wrong = b if files[0] else a
        raise UsageError(f"give two files or two traces: {wrong!r} is not a file")
    if files[0] and paths:
        raise UsageError("PATHS are for two traces or two filters; files are compared whole")
    filters = [not files[0] and _is_filter(side) for side in (a, b)]
    if filters[0] != filters[1]:
        raise UsageError(f"give two filters or two traces: {b if filters[0] else a!r} is no filter")
    with ExitStack() as stack:
        if files[0]:
            stores = [stack.enter_context(opened([side], cache=not no_cache)) for side in (a, b)]
            names, where = [a, b], [EVERYTHING] * 2
        elif filters[0]:
            names, where = [a, b], [Selection(side, tz=tz).over("spans") for side in (a, b)]
            stores = [stack.enter_context(opened(paths, cache=not no_cache))] * 2
        else:
            stores = [stack.enter_context(opened(paths, cache=not no_cache))] * 2
            names = [find(stores[0], side) for side in (a, b)]
            where = [Condition("trace_id = ?", [name]) for name in names]
        totals = [store.query("overview", where=w)[0] for store, w in zip(stores, where, strict=True)]
        sides = [store.query("summary", by=by, where=w) for store, w in zip(stores, where, strict=True)]
    groups = pair(*sides)
    if shape == "csv":
        _print_csv(by, groups)
        return
    if shape == "json":
        about = [
            {"name": name} | {key: total[key] for key in _TOTALS} for name, total in zip(names, totals, strict=True)
        ]
        json_value({"a": about[0], "b": about[1], "by": by, "groups": groups})
        return
    for letter, name, total in zip("AB", names, totals, strict=True):
        spent = f"{figures.count(total['total_tokens'])} tokens, cost {figures.cost(total) or 'unknown'}"
        line(
            f"{letter}: {name}  {units.plural(total['spans'], 'span')}, {total['errors']:,} failed, "
            f"{spent if total['llm_calls'] else 'no model call'}"
        )
    line()
    _print(by, groups)


def _is_file(side: str) -> bool:
    return Path(side).exists() or has_magic(side) or side.endswith((".jsonl", ".gz", ".zst"))


def _is_filter(side: str) -> bool:
    return any(mark in side for mark in ":<>")


def pair(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of both sides by key and type: each side's figures (None where it has no such group) and B minus A.

    Groups come in the order of A, then those that only B has.
    """
    sides = [{(row["key"], row["type"]): row for row in side} for side in (a, b)]
    result = []
    for key, kind in dict.fromkeys([*sides[0], *sides[1]]):
        rows = [side.get((key, kind)) for side in sides]
        picked = [None if row is None else {name: row[name] for name in _MEASURES} for row in rows]
        first, second = ({} if row is None else row for row in picked)
        difference = {
            name: second[name] - first[name]
            for name in _MEASURES
            if first.get(name) is not None
            and second.get(name) is not None
            and not (name == "cost_usd" and _is_partial(first, second))
        }
        result.append({"key": key, "type": kind, "a": picked[0], "b": picked[1], "difference": difference})
    return result


def _print(by: str, groups: list[dict[str, Any]]) -> None:
    shows = {
        "count": figures.count,
        "errors": figures.count,
        "p50_ms": figures.duration,
        "p95_ms": figures.duration,
        "total_tokens": figures.count,
    }
    cells = []
    for group in groups:
        row = [str(group["key"]), group["type"]] if by == "name" else [str(group["key"])]
        for name, show in shows.items():
            first, second = ((group[side] or {}).get(name) for side in "ab")
            row.append("" if name == "errors" and not (first or second) else _change(first, second, show))
        row.append(_cost_change(group["a"] or {}, group["b"] or {}))
        cells.append(row)
    titles = [by, *(["type"] if by == "name" else []), "count A -> B", "errors", "p50", "p95", "tokens", "cost"]
    names = len(titles) - len(shows) - 1
    # Figures are never cut; on a narrow terminal the last ones go.
    grid(titles, cells, right=[False] * names + [True] * (len(titles) - names), drop=[0] * names + [5, 2, 4, 0, 3, 1])


def _print_csv(by: str, groups: list[dict[str, Any]]) -> None:
    header = [
        by,
        *([] if by == "type" else ["type"]),
        *(f"{side}_{name}" for name in _MEASURES for side in ("a", "b", "difference")),
    ]
    rows = [
        [group["key"], *([] if by == "type" else [group["type"]])]
        + [(group[side] or {}).get(name) for name in _MEASURES for side in ("a", "b", "difference")]
        for group in groups
    ]
    csv_rows(header, rows)


def _change(first: float | None, second: float | None, show: Callable[[Any], str]) -> str:
    """``12 ms -> 20 ms (+67%)``; one figure when nothing changed, a dash for a side that has none."""
    if first is None and second is None:
        return ""
    if first == second:
        return show(first)
    shown = " -> ".join("-" if value is None else show(value) for value in (first, second))
    if first and second is not None:
        shown += f" ({(second - first) / first:+.0%})"
    return shown


def _cost_change(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The same of costs. ``$4.20+ -> $5.00`` has no percentage: as a part is unknown, so is by how much they differ."""
    if not _is_partial(first, second):
        return _change(first.get("cost_usd"), second.get("cost_usd"), figures.money)
    shown = [(figures.cost(side) if side else "") or "-" for side in (first, second)]
    return shown[0] if shown[0] == shown[1] else " -> ".join(shown)


def _is_partial(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(first.get("unknown_costs") or second.get("unknown_costs"))
