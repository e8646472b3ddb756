"""Questions and answers in one line."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

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
        ({"approved": False, "by": "ana", "notes": "too old"}, "reject by ana: too old"),
        ("yes", '"yes"'),
        (True, "true"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "x"}}]},
         '{"decisions":[{"type":"edit","edited_action":{"name":"x"}}]}'),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "pay", "args": {"to": "ana"}}}]},
         "edit: pay(to: ana)"),
        ([{"type": "edit", "args": {"action": "pay", "args": {"to": "ana"}}}], "edit: pay(to: ana)"),
        ({"decisions": [{"type": "respond", "message": "paid it"}]}, "respond: paid it"),
        ([{"type": "response", "args": "paid it"}], "respond: paid it"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "pay", "args": {"to": "ana"}}},
                        {"type": "reject", "message": "no"}, {"type": "approve"}, {"type": "approve"}]},
         "edit: pay(to: ana), reject: no, approve"),
        ({"decisions": [{"type": "approve"}, {"type": "new"}]}, '{"decisions":[{"type":"approve"},{"type":"new"}]}'),
        ({"decisions": []}, '{"decisions":[]}'),
        ({"type": "respond"}, '{"type":"respond"}'),
        ({"amount": 6}, '{"amount":6}'),
        ({"text": "x" * 90}, '{"text":"' + "x" * 70 + "…"),
    ],
)  # fmt: skip
def test_an_answer(answer: Any, line: str) -> None:
    """A decision in a word with its reason or what is done instead; a plain value, and what no word tells, as it is."""
    assert answered(answer) == line


ELICITATION = {
    "type": "mcp_elicitation",
    "tool_name": "book_flight",
    "requests": [
        {"key": "seat", "message": "Which seat?", "mode": "form", "requested_schema": {"type": "object"}},
        {"key": "pay", "message": "Pay here", "mode": "url", "url": "http://localhost/pay"},
    ],
}


def test_what_an_mcp_server_asks() -> None:
    """Its message with the tool that waits, and the three answers that it takes."""
    assert asked(ELICITATION) == '"Which seat?" and 1 more (book_flight)'
    assert allowed(ELICITATION) == ["accept", "decline", "cancel"]
    assert asked({"type": "mcp_elicitation", "requests": 3}) == "mcp_elicitation (requests: 3)"


class Approve(TypedDict):
    """As LangChain's middleware has it."""

    type: Literal["approve"]


class Edit(TypedDict):
    """As LangChain's middleware has it."""

    type: Literal["edit"]
    args: dict[str, int]


class Form(BaseModel):
    """A field that does not decide, and one that does."""

    note: Literal["short", "long"]
    approved: bool


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Literal["now", "later", 3], ["now", "later", "3"]),
        (bool, ["true", "false"]),
        (Approve | Edit, ["approve", "edit"]),
        (Annotated[Approve | Edit, Field(discriminator="type")], ["approve", "edit"]),
        (Form, ["true", "false"]),
        (int, []),
        (Approve | int, []),
    ],
    ids=str,
)
def test_what_a_schema_lets_answer(kind: Any, words: list[str]) -> None:
    """The values among which it lets choose, or those of the field that tells what is meant; none when it is open."""
    assert allowed("ship?", TypeAdapter(kind).json_schema()) == words


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"oneOf": [{"$ref": "#/$defs/a"}] * 1000}}},
        {"$ref": 3, "oneOf": {}, "enum": 3, "properties": [1]},
        {"properties": {"type": None}},
        [],
        3,
    ],
)
def test_a_schema_that_is_none_says_nothing(schema: Any) -> None:
    """One without end, or of another shape, is no choice, and takes no time."""
    assert allowed("ship?", schema) == []


def test_what_may_be_answered() -> None:
    """The answers that a question lists, or that its config allows; none when it says nothing."""
    assert allowed(MIDDLEWARE) == ["approve", "reject"]
    assert allowed(AGENT_INBOX) == ["accept"]
    assert allowed({"question": "Refund?"}) == []


def test_a_list_without_end_stays_a_line() -> None:
    """A question of a million requests is as long as one of a few."""
    assert asked({"action_requests": [REFUND] * 1_000_000}) == "refund(order: A1, amount: 20.0) and 999 more"
