from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest

from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.analysis.question_filter import FIELDS, compile_question_filter, complete, hint
from flightlog_viewer.approvals.approval import Approval, at

NOON: Final = at(datetime(2026, 11, 20, 12, tzinfo=UTC))
AT_TWO: Final = datetime(2026, 11, 20, 14, tzinfo=UTC)
WAITS = Approval(
    *("a", "desk-1", "approve", "", "c", {"question": "Refund order 9?"}, True),
    status="pending",
    asked=NOON,
    answered=at(None),
    risk=0.8,
)
ANSWERED = replace(
    WAITS,
    interrupt_id="b",
    thread_id="desk-2",
    status="answered",
    answered=at(datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
    risk=None,
    answer={"type": "reject", "decided_by": "Ann"},
    answer_recorded=True,
)
LOST = replace(
    WAITS,
    interrupt_id="c",
    node="plan",
    status="abandoned",
    question="Go on?",
    question_recorded=False,
    asked=at(None),
    risk=0.2,
)
QUESTIONS = (WAITS, ANSWERED, LOST)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "abc"),
        ("desk", "abc"),
        ("thread:desk-2", "b"),
        ("thread:desk", ""),
        ("thread:*-1 -node:plan", "a"),
        ("node:plan OR node:nobody", "c"),
        ("status:pending,answered", "ab"),
        ("asks:refund", "ab"),
        ('question:"order 9"', "ab"),
        ("asks:ref*9", "ab"),
        ("asks:go", ""),
        ("refund by:ann", "b"),
        ("decision:reject", "b"),
        ("decision:approve", ""),
        ("decision:*", "b"),
        ("plan", "c"),
        ("asked:*", "ab"),
        ("asked<13:00", "ab"),
        ("asked_at>1h", ""),
        ("answered>=2026-11-20", "b"),
        ("answered<2h", ""),
        ("lag>1h", "a"),
        ("waits<=30m", "b"),
        ("-lag:*", "c"),
        ("risk>=0.5", "a"),
        ("risk:0.2,0.8 -status:pending", "c"),
    ],
)
def test_questions_that_pass(text: str, found: str) -> None:
    """Names are globs, questions are searched, times, lags and risks compared, words look everywhere; what is not
    recorded is not found.
    """
    passes = compile_question_filter(text, now=AT_TWO)
    assert "".join(question.interrupt_id for question in QUESTIONS if passes(question)) == found


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("desk nod:x", 5, "questions have no field 'nod': did you mean `node`[?]"),
        ("zzz:x", 0, "there are thread, node"),
        ("status>pending", 0, "of a question is compared with `:`"),
        ("(desk", 0, "never closed"),
        ("desk lag>soon", 9, "not a length of time"),
        ("asked>soon", 6, "not a point in time"),
        ("risk:~1", 0, "is not text"),
    ],
)
def test_what_cannot_be_meant(text: str, position: int, said: str) -> None:
    """A mistake is told with its place."""
    with pytest.raises(FilterError, match=said) as caught:
        compile_question_filter(text)
    assert caught.value.position == position


def test_a_status_that_there_is_not_is_told() -> None:
    """A filter that leaves nothing may name a status of something else; fields are completed."""
    assert hint("status:interrupted") == "; a status is one of " + FIELDS["status"]
    assert hint("desk") == hint("status:pend*") == ""
    assert complete("d") == ["decision"]
    assert complete("a") == ["agent", "asks", "asked", "answered"]
