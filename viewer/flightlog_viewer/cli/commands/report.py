"""``flightlog report``: a page of Markdown about span files, for an incident, a review or a weekly mail."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flightlog_viewer.analysis.filter import Filter as Condition
from flightlog_viewer.analysis.question_line import asked as line_of
from flightlog_viewer.analysis.question_line import cut
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import span_side
from flightlog_viewer.cli import figures
from flightlog_viewer.cli.commands.doctor import examine
from flightlog_viewer.cli.commands.summary import headline, totals
from flightlog_viewer.cli.opening import Selection, opened
from flightlog_viewer.cli.options import Filter, NoCache, OutFileOrStdout, Overwrite, Paths, Since, Tz, Until
from flightlog_viewer.cli.output import lines, note
from flightlog_viewer.safe_text import safe_text

if TYPE_CHECKING:
    from flightlog_viewer import Store

_ROWS: Final = 10
_STOPPED: Final = Condition("status = 'interrupted'", [])
_MARKUP: Final = re.compile(r"([\\`*_\[\]|~#])")


def report(
    paths: Paths = None,
    output: OutFileOrStdout = None,
    overwrite: Overwrite = False,
    filter: Filter = None,
    since: Since = None,
    until: Until = None,
    tz: Tz = None,
    no_cache: NoCache = False,
) -> None:
    """Write a page of Markdown: totals, models, nodes, tools, where errors began, lost work, what humans were
    asked, what is wrong.

    Names and messages from the data are escaped, so that they stay text wherever the page is shown.

    \b
    Example:
      flightlog report runs/ --since today -o report.md
    """
    selection = Selection(filter, since, tz, until)
    with opened(paths, cache=not no_cache, quiet=True) as store:
        page = "\n".join(_page(store, selection))
    if output is None:
        lines(page)
        return
    from flightlog_exporters.new_file import new_file

    with new_file(output, overwrite=overwrite) as file:
        file.write(f"{page}\n".encode(errors="backslashreplace"))
    note(f"the report is in {output}")


def _page(store: "Store", selection: Selection) -> list[str]:
    where = selection.over("spans")
    about = totals(store, selection)
    page = ["# Agent runs", "", *(f"{_text(text)}.\n" for text in headline(about))]
    if about["first_start"] is not None:
        at = figures.moment(selection.zone)
        until = f" to {at(about['last_end'])}" if about["last_end"] is not None else ""
        page.append(f"From {at(about['first_start'])}{until} ({selection.tz or 'UTC'}).\n")
    for title, by in (("Models", "model"), ("Slowest nodes", "node"), ("Tools", "tool")):
        groups = store.query("summary", by=by, where=where, tz=selection.zone)
        if groups:
            page += [f"## {title}", "", *_groups(by, groups[:_ROWS]), *_more(len(groups)), ""]
    errors = store.query("error_origins", where=where, limit=_ROWS)
    if errors:
        page += ["## Where errors began", "", *_errors(errors, selection), ""]
    lost = [group for group in store.query("summary", by="waste", where=where) if group["key"] != "useful"]
    if lost:
        page += ["## Lost work", "", *_waste(lost), ""]
    stopped = store.query("trace_rows", where=replace(selection, more=[_STOPPED]).over("traces"))
    if stopped:
        page += ["## Stopped to ask a human", "", *_asked(store, stopped[:_ROWS], selection), *_more(len(stopped)), ""]
    found = examine(store)
    if found:
        page += ["## What to look after", ""]
        page += [f"- {_text(finding.what)}. {_text(finding.advice)}" for finding in found]
    return page


def _groups(by: str, groups: Sequence[dict[str, Any]]) -> list[str]:
    return _table(
        (by, "count", "errors", "p50", "p95", "total", "tokens", "cost"),
        [
            (
                group["key"],
                figures.count(group["count"]),
                figures.some(group["errors"]),
                figures.duration(group["p50_ms"]),
                figures.duration(group["p95_ms"]),
                figures.duration(group["total_ms"]),
                figures.some(group["total_tokens"]),
                figures.cost(group),
            )
            for group in groups
        ],
    )


def _errors(errors: Sequence[dict[str, Any]], selection: Selection) -> list[str]:
    at = figures.moment(selection.zone)
    rows = [
        (row["name"], row["type"], str(row["message"] or "")[:120], row["times"], at(row["last_seen"]), row["trace_id"])
        for row in errors
    ]
    return _table(("where", "error", "message", "times", "last", "trace"), rows)


def _waste(groups: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        (
            group["key"],
            figures.count(group["count"]),
            figures.duration(group["total_ms"]),
            figures.some(group["total_tokens"]),
            figures.cost(group),
        )
        for group in groups
    ]
    return _table(("why", "spans", "time", "tokens", "cost"), rows)


def _asked(store: "Store", stopped: Sequence[dict[str, Any]], selection: Selection) -> list[str]:
    """A row for each question of these traces, and for a trace of which no question is known."""
    at = figures.moment(selection.zone)
    now = datetime.now(UTC)
    asked: dict[str | None, list[Approval]] = {}
    for question in merge([], span_side(store.query)):
        asked.setdefault(question.trace_id, []).append(question)
    rows = [
        (trace["thread_id"], trace["name"], *_became(question, now), at(trace["end_time"]), trace["trace_id"])
        for trace in stopped
        for question in asked.get(trace["trace_id"], [None])
    ]
    return _table(("thread", "name", "question", "answer", "asked", "trace"), rows)


def _became(question: Approval | None, now: datetime) -> tuple[str, str]:
    """What was asked, and what became of that: ``reject by ana after 2 h``."""
    if question is None:
        return "", ""
    asked = cut(line_of(question.question)) if question.question_recorded else "(breakpoint)"
    if question.status == "pending":
        return asked, f"waits {figures.duration(question.waited_ms(now))}"
    if question.status == "abandoned":
        return asked, "abandoned"
    by = f" by {question.decided_by}" if question.decided_by else ""
    after = f" after {figures.duration(question.lag_max_ms)}" if question.lag_max_ms is not None else ""
    return asked, f"{question.decision or 'answered'}{by}{after}"


def _more(count: int) -> list[str]:
    return [f"\n{count - _ROWS:,} more."] if count > _ROWS else []


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    drawn = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    drawn += [f"| {' | '.join(_text('' if cell is None else str(cell)) for cell in row)} |" for row in rows]
    return drawn


def _text(text: str) -> str:
    """Text as Markdown that shows just that text: no markup, no HTML, no line break."""
    return _MARKUP.sub(r"\\\1", safe_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
