"""The approvals of whole databases, alone or together with what spans tell of them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.checkpoint_side import thread_questions
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import SpanSide
from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.source import CheckpointSource, open_source


@dataclass(slots=True)
class Picture:
    """Every question of databases and spans."""

    approvals: list[Approval]
    """Oldest first, one a question."""
    databases: dict[str, str] = field(default_factory=dict)
    """Interrupt id to the name of the database that has it."""
    regretted: set[str] = field(default_factory=set)
    """Interrupt ids whose approved action went wrong, as the state says."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""


def whole_picture(
    targets: Collection[str],
    spans: SpanSide,
    *,
    breakpoints: Collection[str] = (),
    regret_path: str | None = None,
) -> Picture:
    """The questions of databases and spans, merged by interrupt id. Raises what `open_source` raises."""
    paused = spans.paused
    picture = Picture([])
    for target in targets:
        with open_source(target) as source:
            for approval, regret in database_approvals(
                source, breakpoints=breakpoints, pauses=paused, regret_path=regret_path
            ):
                picture.approvals.append(approval)
                picture.databases[approval.interrupt_id] = source.name
                if regret:
                    picture.regretted.add(approval.interrupt_id)
            picture.problems += source.problems
    picture.approvals = merge(picture.approvals, spans)
    return picture


def database_approvals(
    source: CheckpointSource,
    *,
    breakpoints: Collection[str] = (),
    pauses: Mapping[str, Collection[str]] | None = None,
    regret_path: str | None = None,
) -> Iterator[tuple[Approval, bool]]:
    """Every question that the rows still hold, with whether the state says that its action went wrong.

    A pause at a static breakpoint is one before a node of `breakpoints`, at a checkpoint that `pauses` gives for the
    thread (spans tell), or one that an update_state ended.

    With a `regret_path` (`outcome.reverted`) a thread whose newest root state holds something true there regrets what
    was approved in it.
    """
    known = pauses or {}
    threads = dict.fromkeys(source.threads_with_questions(anywhere=bool(breakpoints)))
    threads |= dict.fromkeys(thread_id for thread_id in known if source.has_thread(thread_id))
    for thread_id in threads:
        yield from thread_approvals(source, thread_id, breakpoints, known.get(thread_id, ()), regret_path)


def thread_approvals(
    source: CheckpointSource,
    thread_id: str,
    breakpoints: Collection[str] = (),
    pauses: Collection[str] = (),
    regret_path: str | None = None,
) -> Iterator[tuple[Approval, bool]]:
    """The questions of one thread, as `database_approvals` gives those of all."""
    last: list[Step] = []
    questions = thread_questions(_watched(source, thread_id, last), breakpoints, pauses)
    regretted = bool(last and regret_path and _lookup(last[0].values, regret_path))
    for approval in questions:
        yield approval, regretted and approval.decision == "approve"


def _watched(source: CheckpointSource, thread_id: str, last: list[Step]) -> Iterator[Step]:
    """The thread's steps; leaves the newest root step in `last`."""
    for step in source.history(thread_id).steps:
        if step.checkpoint_ns == "":
            last[:] = [step]
        yield step


def _lookup(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values
