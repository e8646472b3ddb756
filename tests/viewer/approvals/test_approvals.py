"""Questions and answers out of real databases: what was decided, by whom, and how long it took."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog_viewer.approvals.approval import Approval, parse_time
from flightlog_viewer.approvals.databases import database_approvals, whole_picture
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import SpanAnswer, SpanQuestion, SpanSide
from flightlog_viewer.checkpoints import open_source
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.checkpoints.graphs import payments, refunds, thread

NO_PATHS = "ALTER TABLE writes DROP COLUMN task_path"
"""Makes a database as SQLite savers did before 3.1."""
Record = Callable[[Any], None]


def found(target: str | Path, **options: Any) -> list[Approval]:
    with open_source(target) as source:
        return [approval for approval, _ in database_approvals(source, **options)]


def record(path: Path, work: Record) -> Path:
    with SqliteSaver.from_conn_string(str(path)) as saver:
        work(saver)
    return path


def test_an_answer_with_name_and_notes(tmp_path: Path) -> None:
    """A resumed question is answered, with decision, decider, notes, and a window for its lag."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3, "risk_score": 0.8}, thread("t"))
        time.sleep(0.05)
        graph.invoke(Command(resume={"approved": True, "decided_by": "ana", "notes": "fine"}), thread("t"))

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.decision, approval.decided_by, approval.notes) == (
        "answered", "approve", "ana", "fine",
    )  # fmt: skip
    assert approval.question == {"question": "refund?", "amount": 6}
    assert (approval.node, approval.checkpoint_ns, approval.risk) == ("approve", "", 0.8)
    assert not approval.exact
    assert approval.lag_min_ms == 0
    assert approval.lag_max_ms is not None
    assert approval.lag_max_ms >= 50


def test_a_waiting_question(tmp_path: Path) -> None:
    """A question without an answer is pending, and has no lag."""
    work: Record = lambda saver: refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("t"))  # noqa: E731
    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.decision, approval.lag_max_ms) == ("pending", None, None)


def test_a_question_left_behind(tmp_path: Path) -> None:
    """A thread that got new input without an answer has abandoned its question."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        graph.invoke({"amount": 5}, thread("t"))

    statuses = [approval.status for approval in found(record(tmp_path / "x.sqlite", work))]
    assert statuses == ["abandoned", "pending"]


def test_a_later_question_takes_the_row(tmp_path: Path) -> None:
    """Of two questions of one task the database keeps the last, but both answers."""

    def work(saver: Any) -> None:
        graph = asking("first?", "second?").compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        graph.invoke(Command(resume="yes"), thread("t"))
        graph.invoke(Command(resume="no"), thread("t"))

    first, second = found(record(tmp_path / "x.sqlite", work))
    assert (first.question_recorded, first.answer, first.decision) == (False, "yes", "approve")
    assert (second.question, second.answer, second.decision) == ("second?", "no", "reject")


def test_a_question_in_a_subgraph_counts_once(tmp_path: Path) -> None:
    """The same interrupt at every graph around it is one record, where it was asked."""

    def work(saver: Any) -> None:
        graph = around(around(asking("ok?").compile(), "deep").compile()).compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        graph.invoke(Command(resume="ok"), thread("t"))

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.node, approval.decision) == ("ask", "approve")
    assert approval.checkpoint_ns.count("|") == 1


@pytest.mark.parametrize("older", [False, True])
def test_an_update_before_going_on_is_the_answer(tmp_path: Path, older: bool) -> None:
    """At a static breakpoint the update_state is the decision, and its time is exact; whatever wrote its rows."""

    def work(saver: Any) -> None:
        graph = payments().compile(checkpointer=saver, interrupt_before=["pay"])
        graph.invoke({"amount": 3}, thread("t"))
        graph.update_state(thread("t"), {"approved": False})
        graph.invoke(None, thread("t"))
        if older:  # LangGraph 1.2.2 wrote no path, and an id made from the checkpoint's
            [(stopped,)] = saver.conn.execute("SELECT checkpoint_id FROM writes WHERE channel = 'approved'").fetchall()
            saver.conn.execute(
                "UPDATE writes SET task_path = '', task_id = ? WHERE task_path LIKE '~%interrupt%'",
                [str(uuid5(UUID(stopped), "__interrupt__"))],
            )
            saver.conn.commit()

    with open_source(record(tmp_path / "x.sqlite", work)) as source:
        [task] = [task for step in source.history("t").steps for task in step.tasks if "approved" in task.writes]
    assert (task.by_update, task.kind) == (True, "update")
    [approval] = found(tmp_path / "x.sqlite")
    assert (approval.node, approval.decision, approval.breakpoint, approval.exact) == ("pay", "reject", True, True)
    assert approval.lag_min_ms == approval.lag_max_ms


def test_a_named_breakpoint(tmp_path: Path) -> None:
    """A pause before a named node waits for a human; going on unchanged is consent; a run without a pause is none."""

    def work(saver: Any) -> None:
        stopping = payments().compile(checkpointer=saver, interrupt_before=["pay"])
        stopping.invoke({"amount": 3}, thread("waits"))
        stopping.invoke({"amount": 3}, thread("went on"))
        stopping.invoke(None, thread("went on"))
        payments().compile(checkpointer=saver).invoke({"amount": 3}, thread("never stopped"))

    path = record(tmp_path / "x.sqlite", work)
    assert found(path) == []
    approvals = {approval.thread_id: approval for approval in found(path, breakpoints=["pay"])}
    assert {name: approval.status for name, approval in approvals.items()} == {
        "waits": "pending",
        "went on": "answered",
    }
    assert approvals["went on"].decision == "approve"


@pytest.mark.parametrize(
    "older", ["", "UPDATE writes SET task_path = '' WHERE task_path LIKE '~%interrupt%'", NO_PATHS]
)
def test_an_answer_by_update_of_the_asking_node(tmp_path: Path, older: str) -> None:
    """An update_state in the name of the asking node answers its question, whatever wrote its rows."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        graph.update_state(thread("t"), {"decision": "rejected"}, as_node="approve")
        graph.invoke(None, thread("t"))
        saver.conn.execute(older)
        saver.conn.commit()

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.decision) == ("answered", "reject")


@pytest.mark.parametrize("also", [{}, {"update": {"amount": 4}}])
def test_exit_durability_loses_the_answer(also: dict[str, Any], tmp_path: Path) -> None:
    """With exit durability the answer is not stored: it is answered, also by who changes the state as well."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"), durability="exit")
        graph.invoke(Command(resume="yes", **also), thread("t"), durability="exit")

    [approval] = found(record(tmp_path / "x.sqlite", work))
    assert (approval.status, approval.decision) == ("answered", None)


def test_new_input_with_exit_durability_leaves_the_question(tmp_path: Path) -> None:
    """Where no rows of the run between are kept either, a question that was not answered is still abandoned."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"), durability="exit")
        graph.invoke({"amount": 4}, thread("t"), durability="exit")

    assert [approval.status for approval in found(record(tmp_path / "x.sqlite", work))] == ["abandoned", "pending"]


def test_commit_timestamps_make_times_exact(postgres_database: str) -> None:
    """Where Postgres keeps commit times, the lag of an answer is exact."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        time.sleep(0.1)
        graph.invoke(Command(resume="yes"), thread("t"))
    [approval] = found(postgres_database)
    assert approval.exact
    assert approval.lag_min_ms is not None
    assert approval.lag_min_ms == approval.lag_max_ms
    assert approval.lag_min_ms >= 100


def test_spans_bring_exact_times_and_lost_questions(tmp_path: Path) -> None:
    """Merging by interrupt id takes times and overwritten questions from spans, and counts each question once."""

    def work(saver: Any) -> None:
        graph = asking("first?", "second?").compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        graph.invoke(Command(resume="yes"), thread("t"))

    recorded = found(record(tmp_path / "x.sqlite", work))
    start = parse_time("2026-01-01T00:00:00Z")
    assert start is not None
    asked = [
        SpanQuestion(approval.interrupt_id, "t", "ask", "", text, start + timedelta(seconds=seconds))
        for approval, text, seconds in zip(recorded, ("first?", "second?"), (0, 9), strict=True)
    ]
    answers = [SpanAnswer(None, "t", "yes", start + timedelta(seconds=7))]
    first, second = merge(recorded, SpanSide([*asked, *asked], answers))
    assert (first.question, first.origin, first.exact, first.lag_min_ms) == ("first?", "both", True, 7000)
    assert (second.question, second.status, second.exact) == ("second?", "pending", True)


def test_regret_is_read_from_the_state(tmp_path: Path) -> None:
    """With a regret path, an approved question of a thread whose state holds something true there is regretted."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        for name, answer in (("a", "yes"), ("b", "no")):
            graph.invoke({"amount": 3}, thread(name))
            graph.invoke(Command(resume=answer), thread(name))
            graph.update_state(thread(name), {"outcome": {"reverted": True}})

    path = record(tmp_path / "x.sqlite", work)
    with open_source(path) as source:
        both = database_approvals(source, regret_path="outcome.reverted")
        regrets = {approval.thread_id: regret for approval, regret in both}
    assert regrets == {"a": True, "b": False}
    picture = whole_picture([str(path)], SpanSide(), regret_path="outcome.reverted")
    names = {approval.thread_id: approval.interrupt_id for approval in picture.approvals}
    assert picture.regretted == {names["a"]}
    assert picture.databases.keys() == set(names.values())
    assert not whole_picture([str(path)], SpanSide()).regretted


def test_a_question_that_was_left_for_another_branch_is_abandoned(tmp_path: Path) -> None:
    """Who goes back to an earlier step, from where the graph asks anew, is waited for there alone."""

    def work(saver: Any) -> None:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        *_, first = graph.get_state_history(thread("t"))
        graph.invoke(None, first.config)

    approvals = found(record(tmp_path / "x.sqlite", work))
    assert [(approval.node, approval.status) for approval in approvals] == [
        ("approve", "abandoned"),
        ("approve", "pending"),
    ]


@pytest.mark.parametrize("unscoped", [True, False])
def test_an_answer_without_a_name_goes_to_the_newest_question(unscoped: bool) -> None:
    """A resume that names no question answers the thread's newest one before it."""
    start = parse_time("2026-01-01T00:00:00Z")
    assert start is not None
    asked = [
        SpanQuestion(name, "t", "ask", "", name, start + timedelta(seconds=second))
        for name, second in (("one", 0), ("two", 5))
    ]
    answer = SpanAnswer(None if unscoped else "one", "t", "yes", start + timedelta(seconds=8))
    statuses = {approval.interrupt_id: approval.status for approval in merge([], SpanSide(asked, [answer]))}
    assert statuses == ({"one": "pending", "two": "answered"} if unscoped else {"one": "answered", "two": "pending"})
