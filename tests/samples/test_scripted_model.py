"""The scripted chat model."""

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from flightlog_samples.scripted_model import Reply, ScriptedChatModel, chat_model, pieces, this_turn


class Point(BaseModel):
    """A place on paper."""

    x: int
    y: int


@tool
def look(where: str) -> str:
    """Look somewhere."""
    return f"nothing at {where}"


def script(messages: object) -> Reply:
    """Two calls beside a word."""
    return Reply("Looking.", (("look", {"where": "left"}), ("look", {"where": "right"})))


MODEL = ScriptedChatModel(script=script, seconds_per_token=0)


def test_a_streamed_answer_adds_up_to_the_whole_one() -> None:
    """Text, tool calls and usage of the joined chunks equal those of the answer in one piece."""
    whole = MODEL.invoke([HumanMessage("where is it?")])
    chunks = list(MODEL.stream([HumanMessage("where is it?")]))
    joined = chunks[0]
    for chunk in chunks[1:]:
        joined += chunk
    assert isinstance(joined, AIMessageChunk)
    assert (joined.text, joined.tool_calls, joined.usage_metadata) == (
        whole.text,
        whole.tool_calls,
        whole.usage_metadata,
    )
    assert sum(isinstance(c, AIMessageChunk) and c.usage_metadata is not None for c in chunks) == 1


async def test_the_asynchronous_ways_give_the_same_answer() -> None:
    """ainvoke and astream answer as invoke does."""
    question: list[BaseMessage] = [HumanMessage("where is it?")]
    whole = MODEL.invoke(question)
    assert (await MODEL.ainvoke(question)).usage_metadata == whole.usage_metadata
    assert "".join([chunk.text async for chunk in MODEL.astream(question)]) == whole.text


def test_tool_call_ids_are_the_same_in_every_run_and_differ_within_a_conversation() -> None:
    """The place in the conversation names the call."""
    first = MODEL.invoke([HumanMessage("a")])
    again = MODEL.invoke([HumanMessage("a")])
    later = MODEL.invoke([HumanMessage("a"), first, HumanMessage("b")])
    ids = [[call["id"] for call in message.tool_calls] for message in (first, again, later)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_it_takes_tools_and_gives_structured_output() -> None:
    """bind_tools and with_structured_output work as with a provider's model."""
    assert isinstance(MODEL.bind_tools([look]).invoke("where?"), AIMessage)
    placed = ScriptedChatModel(script=lambda messages: Reply(tool_calls=(("Point", {"x": 1, "y": 2}),)))
    assert placed.with_structured_output(Point).invoke("where?") == Point(x=1, y=2)


def test_the_turn_is_the_latest_question_with_its_results() -> None:
    """Tool results of earlier questions are not part of it."""
    old = ToolMessage("old", tool_call_id="1")
    new = ToolMessage("new", tool_call_id="2")
    assert this_turn([HumanMessage("a"), old, HumanMessage("b"), new]) == ("b", [new])


@pytest.mark.parametrize("text", ["", "one", "a  b\n\nc, d!", "tail  "])
def test_the_pieces_of_a_text_join_to_it(text: str) -> None:
    """No character is lost between tokens."""
    assert "".join(pieces(text)) == text


def test_a_provider_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLIGHTLOG_MODEL with a missing package says which one to install."""
    monkeypatch.setenv("FLIGHTLOG_MODEL", "mistralai:mistral-small")
    with pytest.raises(ImportError, match="langchain-mistralai"):
        chat_model(script)
