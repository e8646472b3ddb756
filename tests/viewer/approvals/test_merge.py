"""The questions of a database and of spans as one list: which answer belongs to which question."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flightlog_viewer.approvals.approval import Approval, Moment, at, breakpoint_id
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import SpanAnswer, SpanPause, SpanQuestion, SpanSide

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def moment(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def question(name: str, seconds: int, ns: str = "", thread: str = "t", stop: str | None = None) -> SpanQuestion:
    return SpanQuestion(name, thread, "review", ns, f"{name}?", moment(seconds), stop)


def answer(name: str | None, seconds: int, said: Any, thread: str = "t", stop: str | None = None) -> SpanAnswer:
    return SpanAnswer(name, thread, said, moment(seconds), stop)


def recorded(name: str, **fields: Any) -> Approval:
    given = {
        "interrupt_id": name,
        "thread_id": "t",
        "node": "review",
        "checkpoint_ns": "",
        "checkpoint_id": "c",
        "question": f"{name} in the database",
        "question_recorded": True,
        "status": "pending",
        "asked": Moment(NOON, None),
        "answered": Moment(),
        **fields,
    }
    return Approval(**given)


@pytest.mark.parametrize("ended", [0, 1], ids=["before", "with"])
def test_a_question_is_of_its_node(ended: int) -> None:
    """The node asks and not the graph around it, also where the times of a file are too coarse to tell."""
    whole = replace(question("q", ended), node=None)
    (found,) = merge([], SpanSide([whole, question("q", 1)]))
    assert (found.node, found.asked) == ("review", at(moment(1)))


def test_a_question_counts_where_it_was_asked() -> None:
    """Of the graphs that end with one question the innermost asked it, in whatever order they come."""
    around = [question("q", 3, ""), question("q", 1, "outer:1|inner:2"), question("q", 2, "outer:1")]
    for spans in (around, around[::-1]):
        [merged] = merge([], SpanSide(spans))
        assert (merged.checkpoint_ns, merged.asked) == ("outer:1|inner:2", at(moment(1)))


def test_a_node_that_no_row_names_is_named_by_its_span() -> None:
    """A call of a task has its name in the database only when the entrypoint has finished."""
    [merged] = merge([recorded("q", node="(task)")], SpanSide([question("q", 1)]))
    assert merged.node == "review"


@pytest.mark.parametrize(
    ("known", "risk"),
    [
        ([], 0.8),
        ([recorded("q", question=None, question_recorded=False, risk=0.3)], 0.8),  # the state's score then
        ([recorded("q", risk=0.3)], 0.3),
    ],
)
def test_the_risk_is_that_of_the_question_wherever_it_is_recorded(known: list[Approval], risk: float) -> None:
    """A question that only spans hold has its risk score too."""
    asked = replace(question("q", 1), question={"action": "pay", "risk_score": 0.8})
    [merged] = merge(known, SpanSide([asked]))
    assert merged.risk == risk


def test_spans_tell_what_is_closed_in_the_database() -> None:
    """An encrypted question and its answer are taken from spans, with the risk that the question names."""
    closed = {"__type__": "__encrypted__", "cipher": "aes", "inner": "msgpack", "nbytes": 40}
    known = recorded("q", question=closed, answer=closed, answer_recorded=True, status="answered")
    asked = replace(question("q", 0), question={"pay": 5, "risk_score": 0.7})
    for database in ([known], []):
        [merged] = merge(database, SpanSide([asked], [answer("q", 10, "yes")]))
        assert (merged.question, merged.answer, merged.risk) == (asked.question, "yes", 0.7)
    [readable] = merge([recorded("q", answer="no", answer_recorded=True)], SpanSide([asked], [answer("q", 10, "yes")]))
    assert (readable.question, readable.answer) == ("q in the database", "no")


def test_the_first_answer_counts() -> None:
    """A question that was answered twice by its id has the answer of the first, in whatever order they come."""
    answers = [answer("q", 20, "no"), answer("q", 10, "yes")]
    for given in (answers, answers[::-1]):
        [merged] = merge([], SpanSide([question("q", 0)], given))
        assert (merged.answer, merged.answered) == ("yes", at(moment(10)))


@pytest.mark.parametrize("seconds", [30, -5], ids=["after both", "by a clock that is behind"])
def test_an_unnamed_answer_goes_to_the_checkpoint_where_it_was_asked(seconds: int) -> None:
    """Not to what another thread of the same name, in another database, has asked since."""
    asked = [question("q1", 0, stop="c1"), question("q2", 10, stop="c2")]
    merged = merge([], SpanSide(asked, [answer(None, seconds, "yes", stop="c1")]))
    assert [(one.interrupt_id, one.status) for one in merged] == [("q1", "answered"), ("q2", "pending")]


@pytest.mark.parametrize("name", ["q", None], ids=["by id", "unnamed"])
def test_an_answer_by_a_clock_that_is_behind_is_that_of_one_question(name: str | None) -> None:
    """The graphs around a question that ended with it do not ask it again after such an answer."""
    asked = [question("q", 10, "outer:1"), question("q", 11, stop="c")]
    [merged] = merge([], SpanSide(asked, [answer(name, 0, "yes", stop="c")]))
    assert (merged.status, merged.answer, merged.checkpoint_ns) == ("answered", "yes", "outer:1")


def test_an_unnamed_answer_is_one_of_its_thread_and_after_its_question() -> None:
    """Answers of other threads and of earlier times answer nothing, and the first that fits counts."""
    answers = [
        answer(None, 5, "too early"),
        answer(None, 15, "elsewhere", "u"),
        answer(None, 30, "second"),
        answer(None, 20, "first"),
    ]
    [merged] = merge([], SpanSide([question("q", 10)], answers))
    assert (merged.status, merged.answer) == ("answered", "first")
    assert merge([], SpanSide([question("q", 40)], answers))[0].status == "pending"


def test_an_unnamed_answer_is_that_of_the_newest_question_before_it() -> None:
    """Of two questions of one thread the older one, passed over, stays without the answer of the newer."""
    answers = [answer(None, 30, "to the newer"), answer(None, 50, "to the third")]
    questions = [question("third", 40), question("older", 10), question("newer", 20), question("other", 25, "", "u")]
    merged = {item.interrupt_id: item.answer for item in merge([], SpanSide(questions, answers))}
    assert merged == {"older": None, "newer": "to the newer", "third": "to the third", "other": None}


def test_spans_bring_times_and_the_database_keeps_what_it_knows() -> None:
    """Times come from spans; a question and an answer that the database holds are not replaced."""
    known = recorded("q", status="answered", answer="from the database", answer_recorded=True)
    [merged] = merge([known], SpanSide([question("q", 1)], [answer("q", 9, "from the span")]))
    assert (merged.question, merged.answer, merged.origin) == ("q in the database", "from the database", "both")
    assert (merged.lag_min_ms, merged.lag_max_ms, merged.exact) == (8_000, 8_000, True)
    [lost] = merge([recorded("q", question=None, question_recorded=False)], SpanSide([question("q", 1)]))
    assert (lost.question, lost.status) == ("q?", "pending")


@pytest.mark.parametrize(
    ("known", "status", "said"),
    [
        (None, "answered", {"decision": "approve"}),
        ({"status": "abandoned"}, "abandoned", None),
        ({"answer": {"draft": "x"}, "answer_recorded": True}, "answered", {"draft": "x"}),
    ],
    ids=["spans alone", "abandoned", "answered by update"],
)
def test_a_pause_that_a_run_ended(known: dict[str, Any] | None, status: str, said: Any) -> None:
    """The run that went on answers a breakpoint, unless the thread left it; an update in the database says more."""
    name = breakpoint_id("c")
    pause = SpanPause("t", "c", moment(1), moment(4), {"decision": "approve"})
    [merged] = merge([] if known is None else [recorded(name, breakpoint=True, **known)], SpanSide(pauses=[pause]))
    assert (merged.status, merged.answer, merged.asked) == (status, said, at(moment(1)))
    assert merged.answered == (Moment() if status == "abandoned" else at(moment(4)))


def test_the_oldest_question_comes_first() -> None:
    """Whatever tells of them, questions are in the order in which they were asked."""
    spans = [question("late", 50), question("early", 10)]
    assert [item.interrupt_id for item in merge([recorded("middle", asked=at(moment(30)))], SpanSide(spans))] == [
        "early",
        "middle",
        "late",
    ]


def test_a_question_asked_again_for_the_sake_of_others_is_one() -> None:
    """Without an answer in between it is the same question, asked when it was asked first."""
    asked = [question("q", 0), question("q", 20), question("other", 1)]
    other = answer("other", 10, "yes")
    merged = {item.interrupt_id: item for item in merge([], SpanSide(asked, [other, answer("q", 30, "no")]))}
    assert len(merged) == 2
    assert (merged["q"].asked, merged["q"].answered) == (at(moment(0)), at(moment(30)))


def test_what_is_asked_after_the_answer_is_another_question() -> None:
    """Older writers gave all questions of a task one id: each one has the answer that followed it."""
    asked = [question("q", 0), question("q", 20), question("q", 21, "outer:1"), question("q", 40)]
    for answers in ([answer("q", 10, "a"), answer("q", 30, "b")], [answer(None, 10, "a"), answer(None, 30, "b")]):
        merged = merge([recorded("q"), recorded("q", turn=2)], SpanSide(asked, answers))
        assert [(item.turn, item.answer, item.origin) for item in merged] == [
            (0, "a", "both"),
            (1, "b", "spans"),
            (2, None, "both"),
        ]
        assert merged[1].asked == at(moment(21))


def test_an_answer_without_a_name_is_that_of_what_still_waits() -> None:
    """Of questions asked at one time, all but one were answered by name; the run that took those asked it again."""
    asked = [question("one", 0), question("two", 1), question("three", 2), question("one", 20)]
    answers = [answer("two", 10, "b"), answer("three", 10, "c"), answer(None, 30, "a")]
    merged = {item.interrupt_id: item for item in merge([], SpanSide(asked, answers))}
    assert {name: item.answer for name, item in merged.items()} == {"one": "a", "two": "b", "three": "c"}
    assert (merged["one"].asked, merged["one"].answered) == (at(moment(0)), at(moment(30)))


@pytest.mark.parametrize(
    ("went_on", "known", "status"),
    [
        ({}, False, "pending"),
        ({"t": moment(40)}, False, "abandoned"),
        ({"t": moment(15)}, False, "pending"),
        ({"u": moment(40)}, False, "pending"),
        ({"t": moment(40)}, True, "pending"),
    ],
    ids=["nothing ran", "left", "asked again", "another thread", "the database knows"],
)
def test_a_question_that_no_later_run_asked_again(went_on: dict[str, datetime], known: bool, status: str) -> None:
    """A thread that went on without an answer left its question, unless the database has it."""
    [merged] = merge([recorded("q")] if known else [], SpanSide([question("q", 0), question("q", 20)], went_on=went_on))
    assert merged.status == status
