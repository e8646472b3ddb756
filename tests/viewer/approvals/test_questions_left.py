"""What became of questions that nobody answered in the plain way: by the checkpoints that followed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.func import entrypoint, task
from langgraph.types import Command, interrupt

from flightlog_viewer.approvals.checkpoint_side import exchanges
from flightlog_viewer.checkpoints.model import Interrupt, Step, Task, TaskStatus
from flightlog_viewer.checkpoints.tasks import question_id
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.approvals.test_approvals import NO_PATHS, found, record
from tests.viewer.checkpoints.graphs import payments, refunds, thread
from tests.viewer.checkpoints.steps import STEP


def test_a_question_in_a_subgraph_waits(tmp_path: Path) -> None:
    """It is pending as long as the thread stands there, and abandoned once the thread got new input."""

    def work(saver: Any) -> None:
        graph = around(asking("ok?").compile()).compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("waits"))
        graph.invoke({"count": 1}, thread("left"))
        graph.invoke({"count": 2}, thread("left"))

    approvals = found(record(tmp_path / "x.sqlite", work))
    assert sorted((approval.thread_id, approval.status, approval.node) for approval in approvals) == [
        ("left", "abandoned", "ask"),
        ("left", "pending", "ask"),
        ("waits", "pending", "ask"),
    ]


@pytest.mark.parametrize("older", ["", NO_PATHS])
def test_a_question_in_a_subgraph_answered_around_it(tmp_path: Path, older: str) -> None:
    """An update in the name of the subgraph's node answers the question inside, at the time of the update."""

    def work(saver: Any) -> None:
        graph = around(asking("ok?").compile()).compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        graph.update_state(thread("t"), {"log": ["by hand"]}, as_node="inner")
        saver.conn.execute(older)

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.node, approval.status, approval.answer) == ("ask", "answered", {"log": ["by hand"]})
    assert approval.answered.exact


def test_a_question_of_a_task_counts_once(tmp_path: Path) -> None:
    """What a `@task` asks is asked of the entrypoint that called it."""

    @task
    def check(amount: int) -> Any:
        return interrupt({"amount": amount})

    def work(saver: Any) -> None:
        @entrypoint(checkpointer=saver)
        def refund(amount: int) -> Any:
            return check(amount).result()

        refund.invoke(3, thread("t"))

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.node, approval.status, approval.question) == ("refund", "pending", {"amount": 3})


def test_the_questions_of_tasks_whose_caller_asks_too(tmp_path: Path) -> None:
    """The caller's own question takes the place of theirs in its row; their own rows keep them."""

    @task
    def check(number: int) -> Any:
        return interrupt(f"task {number}?")

    def work(saver: Any) -> None:
        @entrypoint(checkpointer=saver)
        def refund(amount: int) -> Any:
            checks = [check(number) for number in range(2)]
            return [one.result() for one in checks], interrupt("sure?")

        refund.invoke(3, thread("t"))
        while asked := refund.get_state(thread("t")).interrupts:
            refund.invoke(Command(resume={asked[0].id: asked[0].value.upper()}), thread("t"))
            if asked[0].value == "task 1?":
                break

    approvals = found(record(tmp_path / "x.sqlite", work))
    assert [(approval.node, approval.status, approval.question, approval.answer) for approval in approvals] == [
        ("(task)", "answered", "task 0?", "TASK 0?"),
        ("(task)", "answered", "task 1?", "TASK 1?"),
        ("refund", "pending", "sure?", None),
    ]


def test_a_question_tells_its_own_risk(tmp_path: Path) -> None:
    """What the question says of its risk comes before what the state says."""

    def work(saver: Any) -> None:
        graph = refunds()
        graph.add_node("risky", lambda state: {"decision": interrupt({"risk_score": 0.3})})
        graph.add_edge("plan", "risky")
        graph.compile(checkpointer=saver).invoke({"amount": 3, "risk_score": 0.8}, thread("t"))

    approvals = found(record(tmp_path / "x.sqlite", work))
    assert {approval.node: approval.risk for approval in approvals} == {"approve": 0.8, "risky": 0.3}


@pytest.mark.parametrize("run_on", [False, True])
def test_an_update_that_leaves_the_question_open(run_on: bool, tmp_path: Path) -> None:
    """After an update the node is due again: nobody is asked until it runs, and the first question got no answer."""
    asked: list[Any] = []

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        graph.update_state(thread("t"), {"amount": 9, "approved": False})
        if run_on:
            graph.invoke(None, thread("t"))
        asked.extend(graph.get_state(thread("t")).interrupts)

    approvals = found(record(tmp_path / "x.sqlite", work))
    statuses = [(approval.status, approval.answer) for approval in approvals]
    assert statuses == [("abandoned", None), ("pending", None)][: 1 + run_on]
    assert [approval.interrupt_id for approval in approvals[1:]] == [question.id for question in asked]


@pytest.mark.parametrize("as_node", [None, "before"])
def test_an_update_of_a_subgraph_that_leaves_its_question_open(as_node: str | None, tmp_path: Path) -> None:
    """The graph around it still waits for the answer, as LangGraph says."""
    asked: list[Any] = []

    def work(saver: Any) -> None:
        graph = around(asking("ok?").compile()).compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        inside: Any = graph.get_state(thread("t"), subgraphs=True).tasks[0].state
        graph.update_state(inside.config, {"log": ["by hand"]}, as_node=as_node)
        asked.extend(graph.get_state(thread("t"), subgraphs=True).interrupts)

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.answer, approval.interrupt_id) == ("pending", None, asked[0].id)


def test_of_two_updates_the_later_one_answers(tmp_path: Path) -> None:
    """A step that was updated twice, past the node that asked, is answered by what was said last."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        asked = graph.get_state(thread("t")).config
        graph.update_state(asked, {"amount": 8}, as_node="pay")
        graph.update_state(asked, {"amount": 9}, as_node="pay")

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.answer) == ("answered", {"amount": 9})


@pytest.mark.parametrize("update", [None, {"amount": 9}])
def test_who_decided_at_a_breakpoint(update: Any, tmp_path: Path) -> None:
    """The metadata of the run that goes on says what was decided, beside what an update changed."""
    said = {"decision": "reject", "decided_by": "ana", "notes": "late"}

    def work(saver: Any) -> None:
        graph = payments().compile(checkpointer=saver, interrupt_before=["pay"])
        graph.invoke({"amount": 3}, thread("t"))
        if update:
            graph.update_state(thread("t"), update)
        graph.invoke(None, {**thread("t"), "metadata": dict(said)})

    [approval] = found(record(tmp_path / "x.sqlite", work), breakpoints=["pay"])
    assert (approval.answer, approval.decision, approval.decided_by) == ({**(update or {}), **said}, "reject", "ana")


def test_a_breakpoint_before_a_node_that_asks(tmp_path: Path) -> None:
    """It was let through, and what followed answers the node's own question."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver, interrupt_before=["approve"])
        graph.invoke({"amount": 3}, thread("t"))
        graph.invoke(None, thread("t"))
        graph.invoke(Command(resume="no"), thread("t"))

    path = record(tmp_path / "x.sqlite", work)
    [paused_at] = {approval.checkpoint_id for approval in found(path)}
    approvals = found(path, pauses={"t": {paused_at}})
    assert sorted((approval.breakpoint, approval.status, approval.answer) for approval in approvals) == [
        (False, "answered", "no"),
        (True, "answered", None),
    ]


def test_time_travel_is_no_breakpoint(tmp_path: Path) -> None:
    """A checkpoint that was copied, changed and gone on from asked nobody."""

    def work(saver: Any) -> None:
        graph = payments().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        before_pay = next(state for state in graph.get_state_history(thread("t")) if state.next == ("pay",))
        copied = graph.update_state(before_pay.config, None, as_node="__copy__")
        graph.invoke(None, graph.update_state(copied, {"amount": 9}))

    assert found(record(tmp_path / "x.sqlite", work)) == []


def step_of(null_resume: Any = None) -> Step:
    """A step in which a node asks; ``null_resume`` was answered at noon."""
    return replace(STEP, null_resume=null_resume, null_resume_at=null_resume and "2026-11-20T12:00:00+00:00")


def asked_last(status: TaskStatus, interrupt_id: str, resumes: list[Any]) -> Task:
    """A task whose last question is "second?"."""
    return Task("k", "ask", "pull", status, {}, (), [Interrupt(interrupt_id, "second?")], resumes, None, "")


FIRST, SECOND = (question_id("", "ask", "k", answers) for answers in (0, 1))


@pytest.mark.parametrize(
    ("task", "null_resume", "expected"),
    [
        (asked_last("interrupted", SECOND, ["yes"]), None, [("answered", "yes"), ("pending", None)]),
        (asked_last("interrupted", FIRST, ["yes"]), None, [("answered", "yes"), ("pending", None)]),
        (asked_last("finished", SECOND, ["yes", "no"]), None, [("answered", "yes"), ("answered", "no")]),
        (asked_last("finished", "of another kind", ["yes", "no"]), None, [("answered", "yes"), ("answered", "no")]),
        (asked_last("finished", SECOND, ["yes"]), "no", [("answered", "yes"), ("answered", "no")]),
        (asked_last("errored", SECOND, ["yes"]), "yes", [("answered", "yes"), ("pending", None)]),
        (asked_last("errored", SECOND, ["yes"]), "no", [("answered", "yes"), ("answered", "no")]),
    ],
    ids=[
        "waits",
        "one id for all",
        "both by id",
        "unknown id",
        "the last unscoped",
        "the first unscoped",
        "died with it",
    ],
)
def test_which_answer_is_whose(task: Task, null_resume: Any, expected: list[tuple[str, Any]]) -> None:
    """LangGraph keeps the last question and all answers; ids and the answer given to no question tell them apart."""
    approvals = list(exchanges(step_of(null_resume), task))
    assert [(approval.status, approval.answer) for approval in approvals] == expected
    assert [approval.question for approval in approvals] == [None, "second?"]


@pytest.mark.parametrize(("null_resume", "exact"), [("yes", True), ("no", False)])
def test_whose_time_is_known(null_resume: str, exact: bool) -> None:
    """The time of an answer given to no question is that of the question it answered, and of no other."""
    [approval] = exchanges(step_of(null_resume), asked_last("finished", FIRST, ["yes"]))
    assert (approval.answer, approval.answered.exact) == ("yes", exact)
