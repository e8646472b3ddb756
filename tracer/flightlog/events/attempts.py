"""Which attempt of its task a run is."""

from flightlog.events.kinds import has_a_node
from flightlog.events.runs import OpenRun


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
        record["attempt"] = seen[task] = seen.get(task, 0) + 1
    elif (tag := tags[-1]).startswith("retry:attempt:") and tag[14:].isdecimal():
        record["attempt"] = int(tag[14:])
