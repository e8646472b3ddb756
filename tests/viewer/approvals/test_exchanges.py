"""Questions and answers of steps as rows can leave them, some of which only Postgres or older writers do."""

from dataclasses import replace
from typing import Any

import pytest

from flightlog_viewer.approvals.approval import Approval, Moment, parse_time
from flightlog_viewer.approvals.checkpoint_side import exchanges, thread_questions
from flightlog_viewer.checkpoints.model import Interrupt, Step, Task
from flightlog_viewer.checkpoints.tasks import question_id
from tests.viewer.checkpoints.steps import STEP

FIRST, SECOND = (question_id("", "ask", "k", answers) for answers in (0, 1))
ASKING = Task("k", "ask", "pull", "interrupted", {}, (), [Interrupt(FIRST, "sure?")], (), None, "", due=True)
START, HALF_PAST, NOON = (parse_time(f"2026-11-20T{time}:00+00:00") for time in ("11:00", "11:30", "12:00"))


def asked(task: Task, *later: Step, **step: Any) -> list[Approval]:
    """The questions of a thread whose first step has this task."""
    return thread_questions([replace(STEP, tasks=(task,), **step), *later])


def follower(**changes: Any) -> Step:
    """A step at noon that came of the first one."""
    default = {"checkpoint_id": "2", "parent_checkpoint_id": "1", "step": 2, "ts": "2026-11-20T12:00:00+00:00"}
    return replace(STEP, **{**default, "next": (), **changes})


def test_an_answer_whose_question_is_lost() -> None:
    """Rows that hold an answer and no question are one answered question without its text."""
    [approval] = asked(replace(ASKING, status="finished", interrupts=(), resumes=["yes"]))
    assert (approval.interrupt_id, approval.status, approval.answer) == (FIRST, "answered", "yes")
    assert not approval.question_recorded


def test_times_that_the_database_keeps() -> None:
    """The question was asked when its row was committed; the one before it was answered by then."""
    task = replace(ASKING, interrupts=[Interrupt(SECOND, "really?")], resumes=["yes"])
    first, second = asked(replace(task, asked_at="2026-11-20T11:30:00+00:00"), follower())
    assert (first.status, first.answered) == ("answered", Moment(START, HALF_PAST))
    assert (second.status, second.asked) == ("abandoned", Moment(HALF_PAST, HALF_PAST))


def test_times_that_no_row_keeps() -> None:
    """Question and answer lie between the step that asked and the next."""
    [approval] = asked(replace(ASKING, status="finished", resumes=["yes"]), follower())
    assert (approval.asked, approval.answered) == (Moment(START, NOON), Moment(START, NOON))


@pytest.mark.parametrize(
    ("by_update", "answer", "answered"),
    [(False, None, Moment(START, NOON)), (True, {"ok": True}, Moment(NOON, NOON))],
)
def test_a_task_that_ended_was_answered(by_update: bool, answer: Any, answered: Moment) -> None:
    """Without the answer's row it is not known what was said; an update says it, at its own time."""
    [approval] = asked(replace(ASKING, status="finished", by_update=by_update, writes={"ok": True}), follower())
    assert (approval.status, approval.answer, approval.answer_recorded) == ("answered", answer, by_update)
    assert approval.answered == answered


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"resumed_from_parent": True}, "answered"), ({}, "abandoned"), ({"source": "fork"}, "abandoned")],
)
def test_a_step_whose_rows_were_never_written(changes: dict[str, Any], status: str) -> None:
    """A resume that went on answered its question; a thread that went on otherwise left it, in subgraphs as well."""
    for namespace in ("", "inner:k"):
        [approval] = asked(ASKING, follower(checkpoint_ns=namespace, **changes), checkpoint_ns=namespace)
        assert approval.status == status
        assert approval.answered == (Moment(START, NOON) if status == "answered" else Moment())


def test_a_copy_answers_nothing() -> None:
    """A checkpoint copied from a resumed one is no going on."""
    [approval] = asked(ASKING, follower(source="fork", resumed_from_parent=True))
    assert approval.status == "abandoned"


def test_the_answer_to_no_question_has_its_own_time() -> None:
    """It is that of the last question, and exact where the database keeps it."""
    step = replace(STEP, null_resume="yes", null_resume_at="2026-11-20T11:30:00+00:00")
    [approval] = exchanges(step, replace(ASKING, status="finished"))
    assert (approval.answer, approval.answered) == ("yes", Moment(HALF_PAST, HALF_PAST))


def test_an_answer_to_another_question_leaves_this_one_open() -> None:
    """What was said without a name in a step is not the answer to a question that its task still waits with."""
    [approval] = asked(ASKING, null_resume="yes")
    assert (approval.status, approval.answer, approval.answer_recorded) == ("pending", None, False)
    assert (approval.question, approval.question_recorded) == ("sure?", True)


def test_the_same_answer_twice() -> None:
    """Of a task that ended, the second answer counts although the first was in the same words."""
    task = replace(ASKING, status="finished", interrupts=[Interrupt(SECOND, "really?")], resumes=["yes"])
    first, second = exchanges(replace(STEP, null_resume="yes"), task)
    assert [(one.interrupt_id, one.status, one.answer) for one in (first, second)] == [
        (FIRST, "answered", "yes"),
        (SECOND, "answered", "yes"),
    ]


def test_an_update_that_followed_is_the_answer() -> None:
    """What an update changed answers the question, at its own time; one that changed nothing leaves it."""
    [approval] = asked(ASKING, follower(source="update", values={"ok": True}))
    assert (approval.status, approval.answer, approval.answer_recorded) == ("answered", {"ok": True}, True)
    assert approval.answered == Moment(NOON, NOON)
    [approval] = asked(ASKING, follower(source="update"))
    assert (approval.status, approval.answer_recorded) == ("abandoned", False)


def test_the_answer_to_no_question_is_not_that_of_a_task_that_had_ended() -> None:
    """Of two questions of a step the one that was answered by its id keeps its own answer, and that one's time."""
    ended = replace(ASKING, status="finished", answer_is_anothers=True)
    [approval] = asked(ended, follower(), null_resume="no", null_resume_at="2026-11-20T11:30:00+00:00")
    assert (approval.status, approval.answer, approval.answer_recorded) == ("answered", None, False)
    assert approval.answered == Moment(START, NOON)


@pytest.mark.parametrize(("status", "exact"), [("interrupted", True), ("finished", False)])
def test_a_question_that_a_run_for_another_asked_again(status: Any, exact: bool) -> None:
    """Its row is of the last time it was asked: once one of several questions is answered, only the oldest is sure."""
    other = replace(ASKING, task_id="o", interrupts=[Interrupt("o", "really?")], asked_at="2026-11-20T11:30:00+00:00")
    first = replace(ASKING, status=status, asked_at="2026-11-20T11:00:00+00:00")
    one, two = thread_questions([replace(STEP, tasks=(first, other))])
    assert (one.asked, two.asked) == (Moment(START, START), Moment(HALF_PAST if exact else START, HALF_PAST))


def test_no_row_is_the_oldest_where_one_has_been_replaced() -> None:
    """Beside a task that asks for the second time, every question may have been asked before the time of its row."""
    other = replace(ASKING, task_id="o", interrupts=[Interrupt("o", "really?")], asked_at="2026-11-20T11:30:00+00:00")
    again = [Interrupt(SECOND, "and now?")]
    second = replace(ASKING, interrupts=again, resumes=["yes"], asked_at="2026-11-20T12:00:00+00:00")
    found = {one.question: one.asked for one in thread_questions([replace(STEP, tasks=(second, other))])}
    assert found["really?"] == Moment(START, HALF_PAST)
    assert found["and now?"] == Moment(START, NOON)
