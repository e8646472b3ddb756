"""``flightlog threads``: the threads of checkpoint databases, without the graph's code."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from flightlog_viewer.analysis.times import shown, zone
from flightlog_viewer.analysis.units import plural
from flightlog_viewer.cli import output
from flightlog_viewer.cli.options import (
    Breakpoint,
    Checkpoints,
    Csv,
    Json,
    Limit,
    NoCache,
    Tz,
    at_most,
    form,
    statuses,
    targets,
)
from flightlog_viewer.databases import neither_is_told, told_apart

if TYPE_CHECKING:
    from flightlog_viewer.analysis.thread_status import NewestRun
    from flightlog_viewer.checkpoints import ThreadSummary

_KEYS = (
    *("thread_id", "status", "inferred", "checkpoints", "steps", "updated_at", "pending", "next", "error", "note"),
    *("source", "in_flight", "database"),
)

ThreadFilter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="Only threads that match, such as 'status:errored node:approve updated>2h', or words to look for.",
        show_default=False,
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Checkpoint databases, and span files of the same runs: they tell why a thread has not gone on.",
        show_default=False,
    ),
]


def threads(
    paths: Runs = None,
    checkpoints: Checkpoints = None,
    breakpoint: Breakpoint = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help="Only threads with this status, such as errored,interrupted."),
    ] = None,
    filter: ThreadFilter = None,
    limit: Limit = None,
    tz: Tz = None,
    json: Json = False,
    csv: Csv = False,
    no_cache: NoCache = False,
) -> int:
    """List the threads of checkpoint databases, newest first: status, steps, and the questions that wait for an answer.

    With span files the status tells a thread that runs, one whose process died and one that stopped at a breakpoint
    apart; from the database alone all three are `paused_or_running`.

    \b
    Example:
      flightlog threads checkpoints.sqlite
      flightlog threads spans.jsonl --checkpoints checkpoints.sqlite --filter status:errored
    """
    from flightlog_viewer.analysis.json_forms import thread_form
    from flightlog_viewer.analysis.thread_filter import compile_thread_filter, hint
    from flightlog_viewer.analysis.thread_status import refined
    from flightlog_viewer.checkpoints import ThreadSummary, open_source
    from flightlog_viewer.checkpoints.model import ThreadStatus

    shape, place = form(json, csv), zone(tz)
    paths, checkpoints = told_apart(paths, checkpoints)
    wanted = statuses(status, get_args(ThreadStatus))
    passes = compile_thread_filter(filter or "", tz=place)
    known = 0
    found: list[tuple[str, ThreadSummary]] = []
    runs = _newest_runs(paths, cache=not no_cache) if paths else {}
    problems: list[str] = []
    names: list[str] = []
    for target in targets(checkpoints):
        with open_source(target) as source:
            names.append(source.name)  # a URL without its password
            for summary in source.threads():
                known += 1
                thread = refined(summary, runs.get(summary.thread_id), breakpoint or ())
                if passes(thread) and (not wanted or thread.status in wanted):
                    found.append((source.name, thread))
            problems += source.problems
    if not known and not problems:
        output.note(f"no thread has been checkpointed in {', '.join(names)}")
    elif known and not found:
        output.note(f"none of {plural(known, 'thread')} matches{hint(filter or '')}")
    found.sort(key=lambda pair: pair[1].updated_at or "", reverse=True)
    rows = [{**thread_form(thread), "database": name} for name, thread in found[: at_most(limit, shape)]]
    if shape != "table":
        output.table([output.Column(key) for key in _KEYS], rows, shape)
        return output.missing(problems)
    columns = [
        output.Column("thread_id", "thread"),
        output.Column("status"),
        output.Column("steps", right=True, drop=1),
        output.Column("checkpoints", right=True, drop=3),
        output.Column("updated_at", "updated", right=True, drop=2, show=lambda value: shown(value, place)[:19]),
        output.Column("open", "what is open"),
    ]
    if len(names) > 1:
        columns.append(output.Column("database"))
    output.table(columns, [{**row, "open": _open(thread)} for row, (_, thread) in zip(rows, found, strict=False)])
    output.note_more(len(rows), len(found), "threads")
    return output.missing(problems)


def _newest_runs(paths: list[str], *, cache: bool) -> dict[str, "NewestRun"]:
    from flightlog_viewer.analysis.thread_status import newest_runs
    from flightlog_viewer.cli.opening import opened

    with neither_is_told(), opened(paths, cache=cache) as store:
        return newest_runs(store.query("newest_runs"))


def _open(thread: "ThreadSummary") -> str:
    from flightlog_viewer.analysis.question_line import asked, cut
    from flightlog_viewer.analysis.thread_line import left_open
    from flightlog_viewer.checkpoints.normal import normal_form

    asks = [f"{question.node} asks {cut(asked(normal_form(question.value)))}" for question in thread.pending]
    return "; ".join([*left_open(thread), *asks])
