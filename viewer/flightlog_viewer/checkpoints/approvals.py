"""The approvals of a whole database."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flightlog_viewer.analysis.approvals import Approval
from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.questions import thread_questions
from flightlog_viewer.checkpoints.source import CheckpointSource


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
        last: list[Step] = []
        questions = thread_questions(_watched(source, thread_id, last), breakpoints, known.get(thread_id, ()))
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
