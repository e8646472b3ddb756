"""``approvals``: what people were asked, what they answered and how long they took."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from flightlog.errors import UsageError
from flightlog_viewer.analysis.units import plural
from flightlog_viewer.cli import figures, output
from flightlog_viewer.cli.options import (
    Breakpoint,
    Checkpoints,
    Csv,
    Json,
    NoCache,
    Tz,
    form,
    statuses,
)
from flightlog_viewer.databases import neither_is_told, told_apart

if TYPE_CHECKING:
    from flightlog_viewer.approvals.approval import Approval
    from flightlog_viewer.approvals.calibration import Advice
    from flightlog_viewer.approvals.metrics import Agreement, ApprovalMetrics, Lag
    from flightlog_viewer.approvals.span_side import SpanSide

SpanPaths = Annotated[
    list[str] | None,
    typer.Argument(
        help="Checkpoint databases, and span files of the same runs: they give exact times.", show_default=False
    ),
]


def approvals(
    paths: SpanPaths = None,
    checkpoints: Checkpoints = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="List only these: pending, answered, abandoned, or some of them: pending,abandoned.",
        ),
    ] = None,
    filter: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="FILTER",
            help="Only questions that match, in the figures too: 'node:approve by:ann asked>7d lag>1h', or words.",
            show_default=False,
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl", metavar="LENGTH", help="Time limit of a question; what waits longer is counted: 30m, 4h, 2d."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="RISK", help="Today's risk threshold, for advice on it.", min=0, max=1),
    ] = None,
    regret_path: Annotated[
        str | None,
        typer.Option(
            "--regret-path",
            metavar="PATH",
            help="Where the state says that an approved action went wrong, like outcome.reverted.",
        ),
    ] = None,
    breakpoint: Breakpoint = None,
    tz: Tz = None,
    json: Json = False,
    csv: Csv = False,
    no_cache: NoCache = False,
) -> int:
    """List questions to humans with their answers, lags and agreement, from checkpoints, spans or both.

    From a database alone an answer lies between two checkpoints: its lag is a window. Spans and Postgres commit
    timestamps make it exact.

    \b
    Example:
      flightlog approvals checkpoints.sqlite --status pending --ttl 24h
      flightlog approvals checkpoints.sqlite --filter 'node:approve asked>7d lag>1h'
      flightlog approvals spans.jsonl --checkpoints checkpoints.sqlite --threshold 0.7 --json
    """
    from flightlog_viewer.analysis.question_filter import compile_question_filter, hint
    from flightlog_viewer.analysis.times import milliseconds, zone
    from flightlog_viewer.approvals.approval import QuestionStatus
    from flightlog_viewer.approvals.calibration import advise
    from flightlog_viewer.approvals.databases import whole_picture
    from flightlog_viewer.approvals.metrics import measure
    from flightlog_viewer.approvals.span_side import SpanSide

    shape, place = form(json, csv), zone(tz)
    paths, checkpoints = told_apart(paths, checkpoints)
    if not checkpoints and not paths:
        raise UsageError("give span files, a checkpoint database, or both")
    wanted = statuses(status, get_args(QuestionStatus))
    now = datetime.now(UTC)
    passes = compile_question_filter(filter or "", tz=place, now=now)
    limit = timedelta(milliseconds=milliseconds(ttl)) if ttl is not None else None
    spans, in_vain = _from_spans(paths, cache=not no_cache) if paths else (SpanSide(), [])
    picture = whole_picture(checkpoints, spans, breakpoints=breakpoint or (), regret_path=regret_path)
    asked = [approval for approval in picture.approvals if passes(approval)]
    if picture.approvals and not asked:
        output.note(f"none of {plural(len(picture.approvals), 'question')} matches{hint(filter or '')}")
    places = picture.databases
    rows = [
        row(approval, now) | {"database": places.get(approval.interrupt_id)}
        for approval in asked
        if not wanted or approval.status in wanted
    ]
    metrics = measure(asked, now, limit, place)
    advice = None if threshold is None else advise(asked, threshold, picture.regretted if regret_path else None)
    if shape == "json":
        output.json_value(
            {
                "approvals": rows,
                "in_vain": in_vain,
                "metrics": _metrics(metrics),
                "advice": None if advice is None else asdict(advice),
            }
        )
    elif shape == "csv":
        output.table([output.Column(name) for name in _COLUMNS], rows, shape)
    else:
        _show(rows, metrics, in_vain, advice, place)
    return output.missing(picture.problems)


def row(approval: "Approval", now: datetime) -> dict[str, Any]:
    """One approval as `--json` prints it; `waiting_ms` is the age of a pending question."""
    from flightlog_viewer.analysis.json_forms import approval_form

    return approval_form(approval) | {"waiting_ms": approval.waited_ms(now) if approval.status == "pending" else None}


_COLUMNS = (
    *("interrupt_id", "thread_id", "trace_id", "node", "agent", "checkpoint_ns", "checkpoint_id", "status"),
    *("question", "question_recorded", "response_schema", "refused", "proposed"),
    *("decision", "answer", "answer_recorded", "decided_by", "notes", "risk_score"),
    *("asked_at", "answered_at", "lag_min_ms", "lag_max_ms", "exact", "origin", "breakpoint"),
    *("inferred", "waiting_ms", "database"),
)


_IN_VAIN_SHOWN = 5
"""The newest of them."""


def _from_spans(paths: list[str], *, cache: bool) -> tuple["SpanSide", list[dict[str, Any]]]:
    """What spans tell, and the answers after which no node ran."""
    from flightlog_viewer.approvals.span_side import span_side
    from flightlog_viewer.cli.opening import opened
    from flightlog_viewer.cli.span_rows import json_text

    with neither_is_told(), opened(paths, cache=cache) as store:
        in_vain = [run | {"resumes": json_text(run["resumes"])} for run in store.query("in_vain")]
        return span_side(store.query), in_vain


def _metrics(metrics: "ApprovalMetrics") -> dict[str, Any]:
    found = asdict(metrics)
    for name in ("by_node", "by_week", "by_risk", "by_person"):
        found[name] = [_agreement(group) for group in getattr(metrics, name)]
    found["overall"] = _agreement(metrics.overall)
    return found


def _agreement(group: "Agreement") -> dict[str, Any]:
    return asdict(group) | {"n": group.n, "rate": group.rate}


def _show(
    rows: list[dict[str, Any]],
    metrics: "ApprovalMetrics",
    in_vain: list[dict[str, Any]],
    advice: "Advice | None",
    tz: tzinfo,
) -> None:
    from flightlog_viewer.analysis.question_line import asked, cut, proposed
    from flightlog_viewer.analysis.times import shown
    from flightlog_viewer.approvals.asker import asker

    waiting = metrics.waiting
    output.line(
        f"{plural(metrics.questions, 'question')}: {metrics.answered} answered, {waiting.count} waiting, "
        f"{metrics.abandoned} abandoned"
    )
    if waiting.count:
        past = "" if waiting.past_ttl is None else f", {waiting.past_ttl} past the time limit"
        output.line(f"the oldest waits for {figures.duration(waiting.oldest_ms)}{past}")
    _show_lag("lag", metrics.exact_lag, "exact")
    _show_lag("lag at most", metrics.window_lag_max, "windows")
    if metrics.exact_lag.slow or metrics.window_lag_min.slow:
        output.line("one answer in twenty takes over 4 h: what is asked waits for people")
    _show_agreement(metrics)
    _show_in_vain(in_vain, tz)
    output.line()
    columns = [
        output.Column("thread_id", "thread"),
        output.Column("asker", "node"),
        output.Column("status"),
        output.Column("decision"),
        output.Column("decided_by", "by", drop=2),
        output.Column("asked_at", "asked", right=True, drop=1, show=lambda value: shown(value, tz)[:19]),
        output.Column("lag", right=True),
        output.Column("asks", "question"),
    ]
    if len({item["database"] for item in rows} - {None}) > 1:
        columns.append(output.Column("database", drop=3))
    for item in rows:
        item["lag"], item["asker"] = _lag(item), asker(item["agent"], item["node"])
        kept, made = item["question_recorded"], item["proposed"]
        pause = f"(breakpoint) {cut(proposed(made))}" if made else "(breakpoint)"
        item["asks"] = cut(asked(item["question"])) if kept else pause if item["breakpoint"] else "(not kept)"
        item["decision"] = "(refused)" if item["refused"] else item["decision"]
    output.table(columns, rows)
    if advice is not None:
        _show_advice(advice)


def _show_lag(name: str, lag: "Lag", kind: str) -> None:
    if lag.n:
        p50, p95 = figures.duration(lag.p50_ms), figures.duration(lag.p95_ms)
        output.line(f"{name} p50 {p50}, p95 {p95} (n={lag.n}, {kind})")


def _show_agreement(metrics: "ApprovalMetrics") -> None:
    groups = [
        ("all", [metrics.overall]),
        ("node", metrics.by_node),
        ("week", metrics.by_week),
        ("risk", metrics.by_risk),
        ("by", metrics.by_person),
    ]
    for kind, members in groups:
        for group in members:
            if group.rate is not None:
                name = "agreement" if kind == "all" else f"  {kind} {group.key}"
                output.line(f"{name}: {group.rate:.0%} (n={group.n})")


def _show_in_vain(runs: list[dict[str, Any]], tz: tzinfo) -> None:
    if not runs:
        return
    from flightlog_viewer.cli.span_rows import remark

    output.line(f"{plural(len(runs), 'answer')} came and nothing ran: given twice, or the graph has that node no more")
    for run in runs[-_IN_VAIN_SHOWN:]:
        said = remark({"error": None, "interrupts": None, "resumes": run["resumes"]})
        output.line(f"  {run['thread_id'] or run['trace_id']}  {figures.moment(tz)(run['start_time'])}  {said}")


def _show_advice(advice: "Advice") -> None:
    output.line()
    change = "" if advice.suggested == advice.threshold else f" to {advice.suggested:g}"
    if advice.action == "automate":
        output.line(
            f"threshold {advice.threshold:g}: what is paused below {advice.suggested:g} may run by itself: "
            f"{advice.reason}"
        )
    else:
        output.line(f"threshold {advice.threshold:g}: {advice.action}{change}: {advice.reason}")
    for text in advice.unknown:
        output.line(f"  unknown: {text}")


def _lag(item: dict[str, Any]) -> str:
    if item["waiting_ms"] is not None:
        return f"waits {figures.duration(item['waiting_ms'])}"
    if item["lag_max_ms"] is None:
        return ""
    return figures.duration(item["lag_max_ms"]) if item["exact"] else f"<{figures.duration(item['lag_max_ms'])}"
