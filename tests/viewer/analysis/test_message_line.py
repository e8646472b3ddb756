"""A message in one line, and where a change stands in short."""

import pytest

from flightlog_viewer.analysis.message_line import message_line, short_path


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("messages[id=4f1c22ab-0000-4000-8000-000000000000].content", "messages[id=4f1c22ab…].content"),
        ("messages[id=lc_run--4f1c22ab-0000-4000-8000-000000000000]", "messages[id=4f1c22ab…]"),
        ("messages[id=4f1c22ab].content", "messages[id=4f1c22ab].content"),
    ],
)
def test_long_ids_are_cut_in_a_path(path: str, short: str) -> None:
    """Of an id the beginning is shown, where cutting makes it shorter."""
    assert short_path(path) == short


def test_no_key_makes_a_path_take_for_ever() -> None:
    """A megabyte of beginnings of ids is looked at once."""
    assert short_path("[id=" * 300_000) == "[id=" * 300_000


@pytest.mark.parametrize("form", [[], [{"type": "ai", "content": "x"}, 3], {"type": 3, "content": "x"}, {"type": "ai"}])
def test_what_is_no_message_has_no_line(form: object) -> None:
    """Lists are lines only when all that is in them are messages."""
    assert message_line(form) is None


THINKING = {"type": "thinking", "thinking": "hm"}
WHY = {"type": "refusal", "category": "cyber", "explanation": "It would harm."}
CALL = {"type": "tool_use", "id": "c", "name": "search", "input": {}}


@pytest.mark.parametrize(
    ("content", "calls", "line"),
    [
        ([{"type": "text", "text": "Hello."}, {"type": "text", "text": "You?"}], [], "ai: Hello. You?"),
        ([THINKING, "so", CALL], [{"name": "search", "args": {}}], "ai: (thinking) so -> search({})"),
        ([{**CALL, "type": "function_call"}], [{"name": "search", "args": {}}], "ai: -> search({})"),
        ([CALL], [], "ai: (tool_use)"),
        ([{"type": "image", "data": {"bytes": 3}}, {"no": "type"}], [], "ai: (image) (part)"),
        ([{"type": "refusal", "refusal": "No."}], [], "ai: (refused) No."),
        ([{"type": "refusal", "refusal": "", "extras": {"category": "bio"}}], [], "ai: (refused) (bio)"),
        ([{"type": "refusal", "refusal": ""}], [], "ai: (refused)"),
        ([{"type": {"odd": 1}}], [], "ai: ({'odd': 1})"),
        ([3], [], "ai: [3]"),
        ({"a": 1}, [], 'ai: {"a":1}'),
        ([], [], "ai:"),
    ],
)
def test_of_a_content_in_blocks_the_words_are_shown(content: object, calls: object, line: str) -> None:
    """Texts as they are, other blocks by their type; calls stand behind and are not said twice."""
    assert message_line({"type": "ai", "content": content, "tool_calls": calls}) == line


@pytest.mark.parametrize(
    ("content", "beside", "line"),
    [
        ("", {"additional_kwargs": {"refusal": "No."}}, "ai: (refused) No."),
        ("Well,", {"response_metadata": {"stop_details": WHY}}, "ai: Well, (refused) It would harm. (cyber)"),
        ([], {"response_metadata": {"stop_reason": "refusal", "stop_details": None}}, "ai: (refused)"),
        ([{"type": "refusal", "refusal": "No."}], {"response_metadata": {"stop_details": WHY}}, "ai: (refused) No."),
        ("Hello.", {"additional_kwargs": {"refusal": None}, "response_metadata": {"stop_reason": "end"}}, "ai: Hello."),
        ("", {"invalid_tool_calls": [{"name": "pay", "args": "{"}]}, 'ai: -> pay("{") (invalid)'),
        ("Hello.", {"response_metadata": {"stop_details": {"type": "other"}}}, "ai: Hello."),
        ("Hello.", {"additional_kwargs": 3, "response_metadata": [WHY]}, "ai: Hello."),
    ],
)
def test_a_refusal_beside_the_content_is_shown(content: object, beside: dict[str, object], line: str) -> None:
    """Once, with why, wherever its provider says so."""
    assert message_line({"type": "ai", "content": content, **beside}) == line
