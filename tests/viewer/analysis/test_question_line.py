"""Questions and answers in one line."""

from typing import Any

import pytest

from flightlog_viewer.analysis.question_line import allowed, answered, asked

REFUND = {"name": "refund", "args": {"order": "A1", "amount": 20.0}, "description": "Tool execution requires approval"}
MIDDLEWARE = {"action_requests": [REFUND], "review_configs": [{"allowed_decisions": ["approve", "reject"]}]}
AGENT_INBOX = [{"action_request": {"action": "refund", "args": {"id": 9}}, "config": {"allow_accept": True}}]


@pytest.mark.parametrize(
    ("question", "line"),
    [
        (MIDDLEWARE, "refund(order: A1, amount: 20.0)"),
        ({"action_requests": [REFUND, REFUND, REFUND]}, "refund(order: A1, amount: 20.0) and 2 more"),
        (AGENT_INBOX, "refund(id: 9)"),
        ({"question": "Refund?", "amount": 6}, '"Refund?" (amount: 6)'),
        ({"question": "Refund?", "options": ["yes", "no"]}, '"Refund?"'),
        ({"action": "refund", "order": 9, "allowed": ["accept"]}, "refund (order: 9)"),
        ("sure?", '"sure?"'),
        ({"amount": 6}, "amount: 6"),
        (7, "7"),
        (None, "null"),
        ({}, "{}"),
        ([{"deep": [1]}], '[{"deep":[1]}]'),
        ({"name": "x", "args": "not a mapping"}, "x (args: not a mapping)"),
        ("x" * 500, '"' + "x" * 80 + '…"'),
    ],
)
def test_a_question(question: Any, line: str) -> None:
    """What is to be done with its arguments, else the question with what stands beside it, else the value."""
    assert asked(question) == line


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"decisions": [{"type": "approve"}]}, "approve"),
        ({"decisions": [{"type": "reject", "message": "too old"}]}, "reject: too old"),
        ("yes", '"yes"'),
        (True, "true"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "x"}}]},
         '{"decisions":[{"type":"edit","edited_action":{"name":"x"}}]}'),
        ({"amount": 6}, '{"amount":6}'),
    ],
)  # fmt: skip
def test_an_answer(answer: Any, line: str) -> None:
    """A decision in a word with its reason; a plain value, an edit and what no usual word tells as they are."""
    assert answered(answer) == line


def test_what_may_be_answered() -> None:
    """The answers that a question lists, or that its config allows; none when it says nothing."""
    assert allowed(MIDDLEWARE) == ["approve", "reject"]
    assert allowed(AGENT_INBOX) == ["accept"]
    assert allowed({"question": "Refund?"}) == []


def test_a_list_without_end_stays_a_line() -> None:
    """A question of a million requests is as long as one of a few."""
    assert asked({"action_requests": [REFUND] * 1_000_000}) == "refund(order: A1, amount: 20.0) and 999 more"
