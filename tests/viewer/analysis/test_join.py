"""Which checkpoint a span belongs to, and when that is certain; with real recordings in tests/viewer/checkpoints."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flightlog_viewer.analysis.join import Link, SpanRef, join, message_run
from flightlog_viewer.checkpoints import Step, Task
from tests.viewer.checkpoints.steps import STEP

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
RUN = "0199aaaa-0000-7000-8000-000000000001"


def moment(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def task(name: str, node: str = "work", *messages: dict[str, Any]) -> Task:
    return Task(name, node, "pull", "finished", {"messages": list(messages)}, (), (), (), None, "")


def step(name: str, seconds: float, *tasks: Task, ns: str = "", number: int | None = 0) -> Step:
    """A checkpoint and the tasks that start from it."""
    told: dict[str, Any] = {
        "checkpoint_ns": ns,
        "checkpoint_id": name,
        "step": number,
        "ts": moment(seconds).isoformat(),
    }
    return replace(STEP, **told, next=(), tasks=tasks)


def span(row_id: int = 0, run_id: str = "r", seconds: float | None = None, **fields: Any) -> SpanRef:
    start_time = None if seconds is None else moment(seconds).replace(tzinfo=None)
    return SpanRef(**{"row_id": row_id, "run_id": run_id, "type": "llm", "start_time": start_time, **fields})


def said(identity: str) -> dict[str, Any]:
    return {"type": "ai", "content": "x", "id": identity}


def result(call: str) -> dict[str, Any]:
    return {"type": "tool", "content": "x", "id": None, "tool_call_id": call}


def told(links: Sequence[Link]) -> list[tuple[str, str, bool]]:
    return [(link.checkpoint_id, link.by, link.exact) for link in links]


@pytest.mark.parametrize(
    "fields",
    [{"task_id": "T"}, {"checkpoint_ns": "outer:O|work:T"}, {"checkpoint_ns": "outer:O|work:T|1"}],
    ids=["task id", "namespace", "second call in a task"],
)
def test_a_task_leads_to_its_checkpoint(fields: dict[str, Any]) -> None:
    """The task id itself, or the end of the namespace that holds it, is certain."""
    steps = [step("c1", 0, task("S"), ns="outer:O"), step("c2", 1, task("T"), ns="outer:O")]
    assert told(join(steps, [span(seconds=0, **fields)])) == [("c2", "task", True)]


@pytest.mark.parametrize(
    ("written", "spans", "expected"),
    [
        ((("c1", said("m1")),), [span(message_id="m1")], [("c1", "message", True)]),
        ((("c1", said("m1")), ("c2", said("m1"))), [span(message_id="m1")], [("c1", "message", False)]),
        ((("c1", said("m1")),), [span(message_id="m1"), span(message_id="m1")], [("c1", "message", False)] * 2),
        ((("c1", said(f"lc_run--{RUN}")),), [span(run_id=RUN, message_id=f"lc_run--{RUN}")], [("c1", "message", True)]),
        (
            (("c1", said(f"lc_run--{RUN}")),),
            [span(run_id=RUN, message_id=f"lc_run--{RUN}", cache_hit=True)],
            [("c1", "message", False)],
        ),
        ((("c1", said(f"lc_run--{RUN}")),), [span(message_id=f"lc_run--{RUN}")], [("c1", "message", False)]),
        ((("c1", result("k")),), [span(tool_call_id="k")], [("c1", "tool call", True)]),
        ((("c1", result("k")),), [span(tool_call_id="k"), span(tool_call_id="k")], [("c1", "tool call", False)] * 2),
        ((("c1", result("k")), ("c2", result("k"))), [span(seconds=9, tool_call_id="k")], [("c2", "tool call", False)]),
        ((("c1", result("k")), ("c2", result("k"))), [span(seconds=5, tool_call_id="k")], [("c1", "tool call", False)]),
        ((("c1", result("k")), ("c2", result("k"))), [span(tool_call_id="k")], [("c1", "tool call", False)]),
    ],
)
def test_an_id_is_certain_when_it_occurs_once(
    written: Sequence[tuple[str, dict[str, Any]]], spans: list[SpanRef], expected: list[tuple[str, str, bool]]
) -> None:
    """An id that several spans or checkpoints share, and a cached answer, leave a doubt: the nearest is taken."""
    steps = [step(name, 8 * index, task(name, "work", message)) for index, (name, message) in enumerate(written)]
    assert told(join(steps, spans)) == expected


def test_node_and_step_lead_to_the_newest_checkpoint_before() -> None:
    """The step that a span ran in is one more than its checkpoint's; of forks it is the newest that was there."""
    steps = [step(f"c{n}", 10 * n, task(f"t{n}", "pay"), number=3) for n in range(3)]
    assert told(join(steps, [span(seconds=15, node="pay", step=4)])) == [("c1", "step", False)]
    assert told(join(steps, [span(node="pay", step=3)])) == []


def test_time_leads_to_the_root_checkpoint_at_hand() -> None:
    """The newest checkpoint of the root graph that is not younger than the span."""
    steps = [step("c0", 0), step("c1", 10), step("inner", 12, ns="node:T")]
    found = {seconds: told(join(steps, [span(seconds=seconds)])) for seconds in (0, 9, 10, 20)}
    assert found == {
        0: [("c0", "time", False)],
        9: [("c0", "time", False)],
        10: [("c1", "time", False)],
        20: [("c1", "time", False)],
    }


def test_a_run_with_input_stands_at_the_step_that_holds_it() -> None:
    """A run leads to the input it began with, the first of several; one that only went on, to the step before it."""
    steps = [step("in", 0), step("c1", 1), step("in2", 10), step("c2", 11)]
    steps = [replace(s, source="input") if s.checkpoint_id.startswith("in") else s for s in steps]
    spans = [
        span(seconds=start, end_time=None if end is None else moment(end).replace(tzinfo=None))
        for start, end in ((-1, 5), (9, 12), (-1, 12), (9, None), (10.5, 12))
    ]
    assert [link.checkpoint_id for link in join(steps, spans)] == ["in", "in2", "in", "in2", "in2"]


@pytest.mark.parametrize(("end", "expected"), [(5, [("c0", "time", False)]), (None, [("c0", "time", False)]), (-1, [])])
def test_what_began_a_thread_stands_at_its_first_checkpoint(end: int | None, expected: list[Any]) -> None:
    """A run that was there before the first checkpoint and after it wrote it; one that ended before has no place."""
    ended = None if end is None else moment(end).replace(tzinfo=None)
    assert told(join([step("c0", 0), step("c1", 10)], [span(seconds=-2, end_time=ended)])) == expected


@pytest.mark.parametrize(
    ("message_id", "run_id"),
    [
        (f"lc_run--{RUN}", RUN),
        (f"lc_run--{RUN}-0", RUN),
        (f"run--{RUN}", RUN),
        (f"run-{RUN}-0", RUN),
        ("run-short", None),
        ("chatcmpl-1", None),
        (None, None),
    ],
)
def test_run_ids_in_message_ids(message_id: str | None, run_id: str | None) -> None:
    """LangChain's own message ids, of all its versions, hold the run's id; a provider's do not."""
    assert message_run(message_id) == run_id
