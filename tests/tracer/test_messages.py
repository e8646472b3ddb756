"""Messages are recorded compactly, encoded once, and never stale."""

import base64
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from flightlog import JsonlTracer
from flightlog.payloads.memo import Memo
from flightlog.payloads.payload import PayloadEncoder
from flightlog.payloads.redaction import Redactor
from tests.tracer.models import USAGE, ScriptedModel, call


def recorded(value: Any, memo: Memo | None = None, encoder: PayloadEncoder | None = None) -> Any:
    """What the fast path records; it must not leave this to the careful walk."""
    json = (encoder or PayloadEncoder(Redactor(), 262_144)).quick(value, memo or Memo())
    assert json is not None
    assert orjson.loads(json) == orjson.loads(PayloadEncoder(Redactor(), 262_144).encode("inputs", value).json)
    return orjson.loads(json)


def test_a_message_keeps_what_was_said() -> None:
    """Type, content, tool calls, id, name and usage stay; what a provider wraps around it goes."""
    message = AIMessage(
        "hi",
        id="m-1",
        name="bot",
        tool_calls=[call("add", {"a": 1})],
        usage_metadata=USAGE,
        response_metadata={"headers": {"x": "y"}},
        additional_kwargs={"tool_calls": [{"raw": True}], "refusal": "no"},
    )
    assert recorded(message) == {
        "type": "ai",
        "content": "hi",
        "name": "bot",
        "tool_calls": [call("add", {"a": 1})],
        "usage_metadata": USAGE,
        "additional_kwargs": {"refusal": "no"},
        "id": "m-1",
    }


@pytest.mark.parametrize("content", [[], "I would"], ids=["nothing", "a beginning"])
def test_why_a_model_refused_is_kept(content: Any) -> None:
    """Anthropic says it beside the content, which is empty or breaks off; alone and in a list, and when it changes."""
    why = {"type": "refusal", "category": "cyber", "explanation": "It would harm."}
    about = {"stop_reason": "refusal", "stop_details": why, "headers": {"x": "y"}}
    answer = AIMessage(content, response_metadata=about)
    told = {"type": "ai", "content": content, "response_metadata": {"stop_details": why}}
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)
    question: Any = {"type": "human", "content": "hi"}
    assert recorded([HumanMessage("hi"), answer], memo, encoder) == [question, told]
    assert recorded(answer, memo, encoder) == told
    answer.response_metadata["stop_details"]["explanation"] = "It did harm."
    assert recorded(answer, memo, encoder) == told
    assert why["explanation"] == "It did harm."
    answer.response_metadata["stop_details"] = None
    assert recorded([HumanMessage("hi"), answer]) == [question, {"type": "ai", "content": content}]


def test_every_kind_of_message_is_compact() -> None:
    """System, human, tool and role messages carry only what they have."""
    messages = [
        SystemMessage("be kind"),
        HumanMessage("hi", name="ann"),
        ToolMessage("3", tool_call_id="c-1"),
        ToolMessage("no", tool_call_id="c-2", status="error"),
        ChatMessage(content="x", role="critic"),
    ]
    assert recorded(messages) == [
        {"type": "system", "content": "be kind"},
        {"type": "human", "content": "hi", "name": "ann"},
        {"type": "tool", "content": "3", "tool_call_id": "c-1"},
        {"type": "tool", "content": "no", "tool_call_id": "c-2", "status": "error"},
        {"type": "chat", "content": "x", "role": "critic"},
    ]


def test_a_message_without_an_id_has_none_among_others() -> None:
    """An id is not put where there is none, as a null."""
    messages = [HumanMessage("a", id="h1"), HumanMessage("b")]
    assert recorded(messages) == [{"type": "human", "content": "a", "id": "h1"}, {"type": "human", "content": "b"}]


IMAGE = bytes(range(256)) * 16
TEXT = base64.b64encode(IMAGE).decode()
CHIP = {"media_type": "image/png", "bytes": len(IMAGE), "sha256": hashlib.sha256(IMAGE).hexdigest()}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}},
        {"type": "image", "base64": TEXT, "mime_type": "image/png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": TEXT}},
        {"type": "file", "source_type": "base64", "mime_type": "image/png", "data": TEXT},
        {"type": "media", "mime_type": "image/png", "data": IMAGE},
    ],
)
def test_media_is_a_chip(block: dict[str, Any]) -> None:
    """Images and files, however a provider writes them, are recorded by type, size and hash of the data itself."""
    found = recorded(HumanMessage([{"type": "text", "text": "look"}, block]))["content"]
    assert found[0] == {"type": "text", "text": "look"}
    text = orjson.dumps(found).decode()
    assert TEXT[:100] not in text
    assert CHIP in list(values(found[1]))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": "aGk="},
        {"type": "file", "file_data": "no base64 at all! " * 100},
        {"type": "file", "data": "data:text/plain," + "hello" * 100},
        {"type": "note", "note": TEXT},
        "data",
    ],
)
def test_what_is_no_media_stays(block: Any) -> None:
    """Neither what is short, nor what is not base64, nor a text that merely could be."""
    assert recorded(HumanMessage([block]))["content"] == [block]


def test_of_very_large_media_the_size_is_enough() -> None:
    """No hash is taken of what would hold the application up; the size is that of the data, not of its text."""
    chip = {"media_type": "application/octet-stream", "bytes": 12 * 2**20}
    assert recorded(HumanMessage([{"type": "file", "data": "A" * 2**24}]))["content"] == [
        {"type": "file", "data": chip}
    ]


def values(value: Any) -> Any:
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from values(item)


def test_a_message_with_a_large_image_is_encoded_once() -> None:
    """Its chip needs the hash of millions of bytes, and the same message comes through every span of a trace."""
    url = "data:image/png;base64," + base64.b64encode(bytes(5_000_000)).decode()
    message = HumanMessage([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}])
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)
    assert encoder.quick(message, memo) is encoder.quick(message, memo) is not None


def test_media_deep_in_a_block_is_a_chip() -> None:
    """A screenshot that a tool answers with, as Claude is told it, and a picture that a model of OpenAI made."""
    shot = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": TEXT}}
    made = {"type": "image_generation_call", "id": "ig_1", "result": TEXT}
    content: list[Any] = [{"type": "tool_result", "tool_use_id": "t", "content": [shot]}, made]
    found = recorded(HumanMessage(content))["content"]
    assert found[0]["content"][0]["source"]["data"] == CHIP
    assert found[1]["result"] == {**CHIP, "media_type": "application/octet-stream"}


def test_what_a_model_said_aloud_is_a_chip() -> None:
    """OpenAI's models answer with audio beside an empty content; its transcript stays."""
    speech = {"id": "audio_1", "data": TEXT, "transcript": "hello"}
    found = recorded(AIMessage("", additional_kwargs={"audio": speech}))["additional_kwargs"]["audio"]
    assert (found["transcript"], found["data"]["sha256"]) == ("hello", CHIP["sha256"])


def test_media_in_a_plain_input_is_a_chip_when_it_is_large() -> None:
    """Messages given as dictionaries are cut like others; their data URLs become chips first."""
    value = {"messages": [{"role": "user", "content": [{"image_url": {"url": f"data:image/png;base64,{TEXT}"}}]}]}
    payload = PayloadEncoder(Redactor(), 2_000).encode("inputs", value)
    assert orjson.loads(payload.json)["messages"][0]["content"][0]["image_url"]["url"] == CHIP


@pytest.mark.parametrize("ids", [False, True])
def test_messages_that_had_no_ids_are_recorded_as_they_are_now(ids: bool) -> None:
    """Of a list that was met before its messages had ids, a text changed since is seen, with and without ids."""
    messages = [HumanMessage(f"q{n}") for n in range(8)]
    memo = Memo()
    assert [message["content"] for message in recorded(messages, memo)] == [f"q{n}" for n in range(8)]
    for n, message in enumerate(messages):
        message.id = f"h{n}" if ids else None
    messages[3].content = "changed"
    found = recorded(messages, memo)
    assert found[3] == {"type": "human", "content": "changed", **({"id": "h3"} if ids else {})}
    assert recorded(messages, memo) == found


@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_message_changed_in_place_is_recorded_as_it_is_now(count: int) -> None:
    """Text, id, tool calls, arguments, usage and blocks changed between two spans are seen."""
    messages: list[Any] = [HumanMessage(f"q{n}", id=f"h{n}") for n in range(count - 1)]
    last = AIMessage("old", tool_calls=[call("add", {"a": [1]})], additional_kwargs={"note": {"x": 1}})
    messages.append(last)
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)

    def now() -> Any:
        return recorded(messages, memo, encoder)[-1]

    assert now() == now()
    last.content = "new"
    assert now()["content"] == "new"
    last.id = "given"
    assert now()["id"] == "given"
    last.tool_calls[0]["args"]["a"].append(2)
    assert now()["tool_calls"][0]["args"] == {"a": [1, 2]}
    last.usage_metadata = USAGE
    assert now()["usage_metadata"] == USAGE
    last.additional_kwargs["note"]["x"] = 2
    assert now()["additional_kwargs"] == {"note": {"x": 2}}
    last.content = [{"type": "text", "text": "block"}]
    assert now()["content"] == [{"type": "text", "text": "block"}]
    last.content[0]["text"] = "changed"  # type: ignore[index]
    assert now()["content"] == [{"type": "text", "text": "changed"}]
    if count > 1:
        messages[0].content = "the first one changed"
        assert recorded(messages, memo, encoder)[0]["content"] == "the first one changed"


class Incomparable:
    """Like an array: a comparison fails, with an error of its own kind."""

    def __eq__(self, other: object) -> bool:
        raise LookupError

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("count", [1, 3])
def test_what_cannot_be_compared_beside_a_message_costs_nothing(count: int) -> None:
    """An artifact replaced by another that refuses comparison leaves the message recorded as it is."""
    messages: list[Any] = [HumanMessage(f"q{n}", id=f"h{n}") for n in range(count - 1)]
    messages.append(ToolMessage("sunny", tool_call_id="c", id="t", artifact=Incomparable()))
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)
    first = recorded(messages, memo, encoder)
    messages[-1].artifact = Incomparable()
    assert recorded(messages, memo, encoder) == first


def test_a_history_that_grows_shrinks_and_branches_is_always_whole() -> None:
    """Remembered lists are used only as the beginning that they are."""
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)
    history: list[Any] = [HumanMessage(f"m{n}", id=f"i{n}") for n in range(12)]

    def check(messages: list[Any]) -> None:
        assert [found["content"] for found in recorded(messages, memo, encoder)] == [one.content for one in messages]

    check(history)
    check([*history, HumanMessage("more")])
    check(history[:8])
    check([*history[:10], HumanMessage("branch"), HumanMessage("again")])
    check(history[::-1])
    check([history[0], *history[2:], history[1]])
    check([HumanMessage("m0"), *history[1:]])


@pytest.mark.parametrize("also_changed", [False, True])
def test_ids_given_after_a_history_grew_are_recorded(also_changed: bool) -> None:
    """Messages that get their ids late, with or without another change, have them in every list that is recorded."""
    memo, encoder = Memo(), PayloadEncoder(Redactor(), 262_144)
    recorded([HumanMessage("met before")] * 2, memo, encoder)
    history: list[Any] = [HumanMessage(f"m{n}") for n in range(3)]
    history += [HumanMessage(f"m{n}", id=f"i{n}") for n in (3, 4)]
    recorded(history[:3], memo, encoder)
    recorded(history, memo, encoder)
    for n, message in enumerate(history):
        message.id = f"i{n}"
    if also_changed:
        history[1].content = "changed"
    expected = [{"type": "human", "content": one.content, "id": one.id} for one in history]
    for length in (3, 5, 3, 4, 5):
        assert recorded(history[:length], memo, encoder) == expected[:length]


def test_branches_that_meet_new_ids_at_once_record_them() -> None:
    """Parallel branches, each the first to see the ids that LangGraph gave, all record them."""
    count, branches = 400, 8
    together = Barrier(branches)
    encoder = PayloadEncoder(Redactor(), 262_144)

    def branch(messages: list[Any], memo: Memo) -> bytes | None:
        together.wait()
        return encoder.quick(messages, memo)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(branches) as threads:
            for _ in range(20):
                messages, memo = [HumanMessage(f"m{n}") for n in range(count)], Memo()
                encoder.quick(messages, memo)
                for n, message in enumerate(messages):
                    message.id = f"i{n}"
                for found in threads.map(branch, [messages] * branches, [memo] * branches):
                    assert found is not None
                    assert [one.get("id") for one in orjson.loads(found)] == [f"i{n}" for n in range(count)]
    finally:
        sys.setswitchinterval(interval)


def test_two_traces_share_no_messages() -> None:
    """A message object that travels through two traces is recorded in both, each as it was then."""
    shared = HumanMessage("before")
    tracer = JsonlTracer()
    model = ScriptedModel(script=["ok"])
    model.invoke([shared], {"callbacks": [tracer]})
    shared.content = "after"
    model.invoke([shared], {"callbacks": [tracer]})
    assert [span.inputs["messages"][0]["content"] for span in tracer.spans] == ["before", "after"]
