"""Which attempt of its task a run is."""

from typing import Final

from flightlog.events.kinds import has_a_node
from flightlog.events.runs import OpenRun

_HANDED_OVER: Final = -1


def number_attempt(run: OpenRun, tags: list[str]) -> None:
    """Number the attempts of a task: a retry policy starts siblings, ``with_retry`` leaves a tag."""
    parent, record = run.parent, run.record
    if run.kind == "node" or run.kind == "task":
        if parent is None:
            return
        if run.kind == "node":
            has_a_node(parent)
        place = run.place.fields
        step, task = place.get("step"), place.get("checkpoint_ns")
        if parent.attempts is None or parent.attempts[0] != step:
            parent.attempts = (step, {})
        seen = parent.attempts[1]
        before = seen.get(task, 0)
        if before == _HANDED_OVER:
            run.kind = record["kind"] = "edge"
        else:
            record["attempt"] = seen[task] = before + 1
    elif (tag := tags[-1]).startswith("retry:attempt:") and tag[14:].isdecimal():
        record["attempt"] = int(tag[14:])


def hand_over(run: OpenRun) -> None:
    """A node hands over to another one of its graph: what still runs of its task is no attempt.

    LangGraph then calls the routing functions of the node as it calls the node, by its name and with its tag
    (``run_with_retry`` in ``langgraph.pregel._retry``).
    """
    parent = run.parent
    if run.kind == "node" and parent is not None and parent.attempts is not None:
        parent.attempts[1][run.place.fields.get("checkpoint_ns")] = _HANDED_OVER
