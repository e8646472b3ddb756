"""What the detail of a span shows first."""

from typing import Any

import pytest

from flightlog_viewer.analysis.document import OPEN_LINES, Block, Document, json_blocks, open_within
from flightlog_viewer.analysis.messages import message_blocks, messages
from flightlog_viewer.analysis.span_document import document


def texts(blocks: list[Block]) -> list[str]:
    """Key and text of every block."""
    return [f"{block.key} {block.text}".strip() for block in blocks]


def history(length: int) -> list[dict[str, Any]]:
    """So many messages of a user."""
    return [{"type": "human", "content": f"message {number}"} for number in range(1, length + 1)]


def test_of_a_long_history_the_end_is_shown() -> None:
    """The answer stands a few messages below the top, under their true numbers; the way there unfolds."""
    before, after = messages(history(200)), messages([{"type": "ai", "content": "the answer"}])
    shown = Document(message_blocks(before, after))
    said = texts([block for block, _ in shown.visible])
    assert said[0] == "196 earlier messages"
    assert said[2:4] == ["in 197 user", "message 197"]
    assert said[-2:] == ["out 1 assistant", "the answer"]
    assert shown.toggle(0)
    said = texts([block for block, _ in shown.visible])
    assert said[:2] == ["in 1 user", "message 1"]
    assert "in 196 user" in said


def test_a_short_history_is_shown_whole() -> None:
    """Nothing is folded where little would be gained."""
    assert texts(message_blocks(messages(history(19)), []))[0] == "in 1 user"


def test_a_result_is_found_in_what_is_folded() -> None:
    """A call shows its result also when that stands among the earlier messages."""
    result = {"type": "tool", "content": "42 degrees", "tool_call_id": "c1"}
    call = {"type": "ai", "content": "", "tool_calls": [{"id": "c1", "name": "search", "args": {}}]}
    said = texts(message_blocks(messages([result, *history(30), call]), []))
    assert "result 42 degrees" in said


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "ai", "content": "", "additional_kwargs": {"refusal": "I cannot."}},
        {"type": "ai", "content": [{"type": "refusal", "refusal": "I cannot."}]},
        {"role": "assistant", "content": None, "refusal": "I cannot."},
        {"type": "ai", "content": [], "response_metadata": {"stop_details": {"explanation": "I cannot."}}},
    ],
    ids=["beside the content", "in the content", "as OpenAI sends it", "as Anthropic sends it"],
)
def test_a_refusal_is_shown(answer: dict[str, Any]) -> None:
    """An answer without words is not shown as empty when the model said why."""
    blocks = message_blocks([], messages([answer]))
    assert [(block.text, block.tone) for block in blocks][1:] == [("refused", "error"), ("I cannot.", "")]


def test_what_the_responses_api_says_is_shown_once() -> None:
    """Of a thought its summary, of a call the call, though it stands in the content too; what is encrypted as it is."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I ponder."}]}
    called = {"type": "function_call", "call_id": "c1", "name": "search", "arguments": '{"q":1}'}
    answer: dict[str, Any] = {"type": "ai", "content": [thought, called]}
    calls = {"tool_calls": [{"id": "c1", "name": "search", "args": {"q": 1}}]}
    for form, args in ((answer | calls, "q: 1"), (answer, '{"q":1}')):
        said = texts(message_blocks([], messages([form])))
        assert said[:4] == ["out 1 assistant", "thinking", "I ponder.", f"call search({args})"]
        assert len(said) == 5
    [_, hidden] = texts(message_blocks([], messages([{"type": "ai", "content": [{**thought, "summary": []}]}])))
    assert hidden.startswith("reasoning")


def test_a_call_that_could_not_be_read_is_shown() -> None:
    """A model wrote arguments that are no JSON: nothing was called, and the answer is otherwise empty."""
    broken = {"id": "c1", "name": "pay", "args": '{"to": ', "type": "invalid_tool_call"}
    said = texts(message_blocks([], messages([{"type": "ai", "content": "", "invalid_tool_calls": [broken]}])))
    assert said == [
        "out 1 assistant",
        'call pay({"to": )',
        "result nothing was called: the arguments are not valid JSON",
    ]


def test_an_answer_that_breaks_off_says_so() -> None:
    """Why a model stopped stands above its answer, but not where it came to its end."""
    for reason, said in (("length", ["finish: length"]), ("STOP", []), (None, [])):
        span = {"status": "ok", "name": "gpt", "finish_reason": reason}
        shown = texts([block for block, _ in document("Messages", span, {}, {}, {}).visible])
        assert [line for line in shown if "finish" in line] == said


def test_a_long_text_takes_its_rows_on_the_screen() -> None:
    """One line of a hundred thousand characters does not open by itself among other fields."""
    blocks = open_within(json_blocks({"page": "<p>" + "word " * 80 * OPEN_LINES, "short": "yes"}))
    below = blocks[0].open()
    assert (below[0].key, below[0].is_open) == ("page", False)


def test_a_span_that_never_ended_has_no_gap_in_its_title() -> None:
    """Without a duration the title goes on with what there is."""
    made = document("Messages", {"status": "unfinished", "name": "charge"}, {}, {}, {"unfinished": "!"})
    assert made.blocks[0].text == "! unfinished  charge"


def test_tokens_stand_in_one_column() -> None:
    """What a sum consists of is under it, digit below digit."""
    usage = {"input_tokens": 1300, "input_token_details": {"cache_read": 150, "audio": None}, "output_tokens": 80}
    made = document("Attrs", {"status": "ok", "name": "m", "type": "llm", "token_usage": usage}, {}, {}, {})
    lines = texts(made.blocks)
    at = lines.index("tokens")
    assert lines[at + 1 : at + 4] == [
        "input                    1,300",
        "of which cache_read        150",
        "output                      80",
    ]
