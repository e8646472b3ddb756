"""Breakpoints, tool review, dynamic interrupts, time travel and the task executor."""

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from flightlog_samples import breakpoints, dynamic_interrupt, task_executor, time_travel, tool_review

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.mark.parametrize(("pause", "following"), [("before", ("execute",)), ("after", ("execute",))])
def test_a_breakpoint_stops_and_the_answer_decides(pause: Any, following: tuple[str, ...]) -> None:
    """Nothing is executed before the answer; a yes executes, a no declines."""
    for approved, result in ((True, "done: x"), (False, "declined: too late")):
        graph = breakpoints.build(InMemorySaver(), pause)
        assert breakpoints.start(graph, "x", CONFIG) == following
        assert "result" not in graph.get_state(CONFIG).values
        assert breakpoints.answer(graph, approved, CONFIG, "too late") == result
        with pytest.raises(ValueError, match="breakpoint"):
            breakpoints.answer(graph, True, CONFIG)


def test_only_the_named_calls_run() -> None:
    """Approved calls give their results, the others a message that they were skipped."""
    graph = tool_review.build(InMemorySaver())
    calls = tool_review.start(graph, "python basics", CONFIG)
    assert [call["tool"] for call in calls] == ["search", "summarize", "post"]
    tool_review.answer(graph, [calls[1]["id"]], CONFIG)
    results = [m for m in graph.get_state(CONFIG).values["messages"] if isinstance(m, ToolMessage)]
    skipped = "skipped by the reviewer"
    assert [m.text for m in results] == [skipped, "in short: python basics", skipped]
    with pytest.raises(ValueError, match="no review"):
        tool_review.answer(graph, [], CONFIG)


@pytest.mark.parametrize(
    ("amount", "decision", "asked", "result"),
    [
        (1000.0, None, False, "paid 1000.00"),
        (1000.01, "approve", True, "paid 1000.01"),
        (5000.0, "no", True, "not paid"),
    ],
)
def test_only_amounts_above_the_limit_ask(amount: float, decision: str | None, asked: bool, result: str) -> None:
    """At the limit nobody is asked; above it the answer decides."""
    graph = dynamic_interrupt.build(InMemorySaver())
    state = dynamic_interrupt.request(graph, amount, CONFIG)
    assert ("__interrupt__" in state) == asked
    if decision is not None:
        state = dynamic_interrupt.decide(graph, decision, CONFIG)
    assert state["result"] == result
    with pytest.raises(ValueError, match="no decision"):
        dynamic_interrupt.decide(graph, "approve", CONFIG)


def test_the_past_can_be_replayed_reverted_and_forked() -> None:
    """A replay repeats, a revert turns the thread back without running, a fork goes another way; nothing is lost."""
    graph = time_travel.build(InMemorySaver())
    whole = graph.invoke({"origin": "Zurich", "hours": 0.0}, CONFIG)["legs"]
    kept = {snapshot.config["configurable"]["checkpoint_id"] for snapshot in time_travel.history(graph, CONFIG)}
    assert time_travel.replay(graph, time_travel.before(graph, "third_leg", CONFIG), CONFIG)["legs"] == whole
    back = time_travel.revert(graph, time_travel.before(graph, "second_leg", CONFIG), CONFIG)
    assert (back.values["legs"], back.next) == (whole[:1], ("second_leg",))
    other: time_travel.Route = {"legs": ["by sea"], "hours": 90.0}
    forked = time_travel.fork(graph, back, other, "second_leg", CONFIG)
    assert forked["legs"][:2] == [whole[0], "by sea"]
    assert kept < {s.config["configurable"]["checkpoint_id"] for s in time_travel.history(graph, CONFIG)}
    with pytest.raises(LookupError):
        time_travel.before(graph, "fourth_leg", CONFIG)


class Hands:
    """Does steps and remembers them; can be made to fail once."""

    def __init__(self, fails_at: str = "") -> None:
        self.done: list[str] = []
        self.fails_at = fails_at

    def __call__(self, title: str) -> str:
        if title == self.fails_at:
            self.fails_at = ""
            raise ConnectionError("the line is down")
        self.done.append(title)
        return title


def test_only_approved_steps_of_the_edited_plan_are_carried_out() -> None:
    """The person's titles and ticks count; a plan that cannot be read is asked about again, with the reason."""
    hands = Hands()
    graph = task_executor.build(InMemorySaver(), hands)
    steps = task_executor.start(graph, "the report", CONFIG)
    assert len(steps) >= 3
    for broken in ({"decision": "edit"}, {"decision": "edit", "steps": [{"title": ""}]}):
        question = task_executor.answer(graph, broken, CONFIG)["__interrupt__"][0].value
        assert question["problem"]
        assert question["steps"] == steps
    steps[0]["title"], steps[1]["approved"] = "something shorter", False
    state = task_executor.answer(graph, {"decision": "edit", "steps": steps}, CONFIG)
    assert state["status"] == "completed"
    assert hands.done == state["done"] == ["something shorter", steps[2]["title"], steps[3]["title"]]


def test_a_rejected_plan_does_nothing() -> None:
    """An answer that is neither approve nor edit rejects."""
    hands = Hands()
    graph = task_executor.build(InMemorySaver(), hands)
    task_executor.start(graph, "the report", CONFIG)
    assert task_executor.answer(graph, {"decision": "later"}, CONFIG)["status"] == "rejected"
    assert hands.done == []
    with pytest.raises(ValueError, match="no answer"):
        task_executor.answer(graph, "approve", CONFIG)


def test_a_plan_that_died_goes_on_after_the_last_step_done() -> None:
    """A failing step ends the run; going on repeats that step only."""
    hands = Hands()
    graph = task_executor.build(InMemorySaver(), hands)
    titles = [step["title"] for step in task_executor.start(graph, "the report", CONFIG)]
    hands.fails_at = titles[2]
    with pytest.raises(ConnectionError):
        task_executor.answer(graph, True, CONFIG)
    assert graph.invoke(None, CONFIG)["status"] == "completed"
    assert hands.done == titles
