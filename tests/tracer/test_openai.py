"""ChatOpenAI against a real HTTP server that speaks the chat completions protocol."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import SecretStr

from flightlog import JsonlTracer, Span
from flightlog.testing import MemorySink
from tests.tracer.graphs import is_clean
from tests.tracer.openai_server import Server, openai_server, text, tool_call

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

EXPECTED = {
    "input_tokens": 12,
    "output_tokens": 5,
    "total_tokens": 17,
    "input_token_details": {"cache_read": 8},
    "output_token_details": {"reasoning": 3},
}


@pytest.fixture
def server() -> Iterator[Server]:
    with openai_server() as found:
        yield found


def model(server: Server, **options: Any) -> "ChatOpenAI":
    from langchain_openai import ChatOpenAI  # most of a second, which only the worker that gets these tests has to pay

    return ChatOpenAI(
        model="gpt-test", base_url=server.url, api_key=SecretStr("sk-never-recorded"), temperature=0.5, **options
    )


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def one(tracer: JsonlTracer) -> Any:
    assert is_clean(tracer)
    (span,) = tracer.spans
    assert "sk-never-recorded" not in str(span)
    return span


def test_an_answer_of_the_responses_api_that_breaks_off(server: Server) -> None:
    """It has no finish reason, and says beside the answer why it is incomplete."""
    part = {"type": "output_text", "text": "Once upon", "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "incomplete", "content": [part]}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    whole = {"status": "completed", "output": [{**said, "status": "completed"}], **rest}
    broken = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [said], **rest}
    server.script = [broken, whole]
    tracer = JsonlTracer()
    for _ in range(2):
        model(server, use_responses_api=True).invoke("tell me a story", {"callbacks": [tracer]})
    assert [span.finish_reason for span in tracer.spans] == ["max_output_tokens", None]


def test_a_plain_call(server: Server) -> None:
    """Model asked and answered, provider, parameters, usage with details, finish reason and ids."""
    server.script = [text("hello")]
    tracer = JsonlTracer()
    model(server).invoke("hi", {"callbacks": [tracer]})
    span = one(tracer)
    assert (span.request_model, span.model, span.provider) == ("gpt-test", "gpt-test-0613", "openai")
    assert (span.finish_reason, span.response_id, span.service_tier) == ("stop", "chatcmpl-1", "default")
    assert span.model_params["temperature"] == 0.5
    assert span.token_usage == EXPECTED
    assert (span.chunks, span.time_to_first_token_ms) == (None, None)
    assert span.output["content"] == "hello"
    assert span.output["id"] == span.message_id


def test_a_line_has_each_field_once(server: Server, tmp_path: Path) -> None:
    """What is known at the start and again at the end, and what a sink gives, is written once."""

    class Ids(MemorySink):
        def on_start(self, span: Span) -> dict[str, str]:
            return {"trace_id": "a", "span_id": "b"}

    server.script = [text("hello")]
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sinks=[Ids()], service="desk") as tracer:
        model(server).invoke("hi", {"callbacks": [tracer], "tags": ["t"], "metadata": {"user": "u"}})
    (pairs,) = [json.loads(line, object_pairs_hook=list) for line in path.read_text().splitlines()]
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    assert {"provider", "otel", "tags", "service", "model", "request_model"} <= set(names)
    assert names[-3:] == ["metadata", "inputs", "output"]


async def test_an_async_call_is_the_same(server: Server) -> None:
    """ainvoke over the same protocol."""
    server.script = [text("hello")]
    tracer = JsonlTracer()
    await model(server).ainvoke("hi", {"callbacks": [tracer]})
    assert one(tracer).token_usage == EXPECTED


def test_a_stream_with_usage(server: Server) -> None:
    """Usage of a stream comes once, from its last chunk."""
    server.script = [text("one two three")]
    tracer = JsonlTracer()
    list(model(server, stream_usage=True).stream("hi", {"callbacks": [tracer]}))
    span = one(tracer)
    assert span.token_usage == EXPECTED
    assert span.output["content"] == "one two three "
    assert span.chunks >= 3
    assert 0 < span.time_to_first_token_ms <= span.duration_ms
    assert (span.model, span.finish_reason) == ("gpt-test-0613", "stop")


def test_a_stream_without_usage_says_what_to_set(server: Server) -> None:
    """No usage is unknown, not zero."""
    server.script = [text("one two three")]
    tracer = JsonlTracer()
    list(model(server, stream_usage=False).stream("hi", {"callbacks": [tracer]}))
    assert one(tracer).token_usage is None
    assert tracer.summary()["llm"]["hint"] == "usage missing: set stream_usage=True"


@pytest.mark.parametrize("streams", [False, True])
def test_tool_calls_are_in_inputs_and_output(server: Server, streams: bool) -> None:
    """The tools offered are among the inputs, the calls made in the output, whole also when streamed in parts."""
    server.script = [tool_call("add", {"a": 1, "b": 2})]
    tracer = JsonlTracer()
    bound = model(server, stream_usage=True).bind_tools([add])
    if streams:
        list(bound.stream([HumanMessage("1 + 2?")], {"callbacks": [tracer]}))
    else:
        bound.invoke([HumanMessage("1 + 2?")], {"callbacks": [tracer]})
    span = next(span for span in tracer.spans if span.type == "llm")
    assert [offered["function"]["name"] for offered in span.inputs["tools"]] == ["add"]
    (made,) = span.output["tool_calls"]
    assert (made["name"], made["args"]) == ("add", {"a": 1, "b": 2})
    assert span.finish_reason == "tool_calls"
    assert span.token_usage == EXPECTED
    if streams:
        assert span.time_to_first_token_ms is not None


def test_a_429_and_then_success_is_one_call(server: Server) -> None:
    """The client's own retry stays inside the span."""
    server.script = [429, text("fine")]
    tracer = JsonlTracer()
    model(server, max_retries=2).invoke("hi", {"callbacks": [tracer]})
    span = one(tracer)
    assert (span.status, span.output["content"]) == ("ok", "fine")
    assert len(server.requests) == 2


def test_a_429_for_good_is_an_error(server: Server) -> None:
    """The error names the exception and what the server said."""
    server.script = [429]
    tracer = JsonlTracer()
    with pytest.raises(Exception, match="slow down"):
        model(server, max_retries=0).invoke("hi", {"callbacks": [tracer]})
    span = one(tracer)
    assert span.status == "error"
    assert span.error["type"].endswith("RateLimitError")
    assert "slow down" in span.error["message"]


def test_a_broken_stream_is_an_error_with_what_came(server: Server) -> None:
    """What was streamed before the break is the output of the failed call."""
    server.script = ["break"]
    tracer = JsonlTracer()
    with pytest.raises(Exception, match="upstream died"):
        list(model(server, max_retries=0).stream("hi", {"callbacks": [tracer]}))
    span = one(tracer)
    assert (span.status, span.chunks) == ("error", 3)
    assert span.output["content"] == "one two "
    assert span.token_usage is None
