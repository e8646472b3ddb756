"""Tokens, times and models: what was reported, never a guess."""

import warnings
from enum import StrEnum
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langgraph.graph import MessagesState

from flightlog import JsonlTracer
from flightlog.events.usage import request_fields, response_fields
from flightlog.summary import USAGE_HINT
from tests.tracer.graphs import graph_of
from tests.tracer.models import USAGE, ScriptedModel, StreamingModel

DETAILED: Any = {
    "input_tokens": 100,
    "output_tokens": 40,
    "total_tokens": 140,
    "input_token_details": {"cache_read": 64, "audio": 0},
    "output_token_details": {"reasoning": 32},
}


class Blocked(StrEnum):
    """Why a prompt was not let through, as google-genai says it."""

    FORBIDDEN = "PROHIBITED_CONTENT"


def answer(usage: Any, **metadata: Any) -> AIMessage:
    return AIMessage("hello to you", usage_metadata=usage, response_metadata=metadata)


def one(tracer: JsonlTracer) -> Any:
    (span,) = tracer.spans
    return span


def test_details_of_usage_are_kept() -> None:
    """Cached and reasoning tokens are recorded under LangChain's names; zeros too."""
    tracer = JsonlTracer()
    ScriptedModel(script=[answer(DETAILED)]).invoke("q", {"callbacks": [tracer]})
    assert one(tracer).token_usage == DETAILED


def test_streamed_usage_is_that_of_the_final_message() -> None:
    """Streaming counts chunks and the time to the first token, and takes usage once."""
    tracer = JsonlTracer()
    model = StreamingModel(script=[answer(DETAILED, model_name="m-2", finish_reason="stop")])
    list(model.stream("q", {"callbacks": [tracer]}))
    span = one(tracer)
    assert span.token_usage == DETAILED
    assert span.chunks == 4, "three words, and the chunk that brings the usage"
    assert 0 <= span.time_to_first_token_ms <= span.duration_ms
    assert (span.model, span.finish_reason) == ("m-2", "stop")
    assert "hint" not in tracer.summary()["llm"]


def test_missing_usage_of_a_stream_comes_with_advice() -> None:
    """No usage is no token_usage, and the summary says what to set."""
    tracer = JsonlTracer()
    list(StreamingModel(script=["a b"], usage_on_chunks=False).stream("q", {"callbacks": [tracer]}))
    assert one(tracer).token_usage is None
    summary = tracer.summary()["llm"]
    assert (summary["usage_missing"], summary["hint"]) == (1, USAGE_HINT)
    assert "total_tokens" not in summary


def test_a_call_that_failed_misses_no_usage() -> None:
    """Only calls that answered are counted as answering without usage."""
    tracer = JsonlTracer()
    with pytest.raises(ValueError, match="refused"):
        ScriptedModel(script=[ValueError("refused")]).invoke("q", {"callbacks": [tracer]})
    assert tracer.summary()["llm"].keys() == {"count", "total_ms", "errors"}


async def test_event_streams_count_each_chunk_once() -> None:
    """The v2 and v3 protocols tell of the same tokens as the token callback does."""
    tracer = JsonlTracer()
    async for _ in StreamingModel(script=["a b c"]).astream_events("q", {"callbacks": [tracer]}, version="v2"):
        pass
    assert one(tracer).chunks == 4


async def test_the_third_event_protocol_gives_the_time_to_the_first_token_too() -> None:
    """A model inside a graph that is read by v3 events streams, and its span says when the first token came."""

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    model = StreamingModel(script=["a b c"])
    tracer = JsonlTracer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = graph_of(MessagesState, think)
        async for _ in await app.astream_events({"messages": ["q"]}, {"callbacks": [tracer]}, version="v3"):
            pass
    span = next(span for span in tracer.spans if span.type == "llm")
    assert span.time_to_first_token_ms is not None
    assert span.chunks is not None
    assert 3 <= span.chunks <= 4
    assert span.token_usage == USAGE


def test_an_answer_from_the_cache_is_not_spending() -> None:
    """The second call is a cache hit; only the first one's tokens count."""
    tracer = JsonlTracer()
    model = ScriptedModel(script=["same"], cache=InMemoryCache())
    for _ in range(2):
        model.invoke("q", {"callbacks": [tracer]})
    fresh, cached = tracer.spans
    assert (fresh.cache_hit, cached.cache_hit) == (None, True)
    assert cached.token_usage == USAGE
    assert tracer.summary()["llm"]["total_tokens"] == 15
    assert tracer.summary()["llm"]["cache_hits"] == 1


def test_a_model_that_answers_from_the_cache_without_usage_is_a_hit_too() -> None:
    """A message that never had usage has none when it comes from the cache."""
    tracer = JsonlTracer()
    model = ScriptedModel(script=[AIMessage("bare")], cache=InMemoryCache())
    for _ in range(2):
        model.invoke("q", {"callbacks": [tracer]})
    assert (tracer.spans[1].cache_hit, tracer.spans[1].token_usage) == (True, None)
    assert "hint" not in tracer.summary()["llm"]


@pytest.mark.parametrize(
    "reported",
    [
        {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "model_name": "old"},
        {"usage": {"input_tokens": 3, "output_tokens": 4}, "model": "old"},
    ],
)
def test_old_models_report_in_the_llm_output(reported: dict[str, Any]) -> None:
    """Usage and model come from llm_output when the message has none."""
    fields = response_fields(LLMResult(generations=[[Generation(text="hi")]], llm_output=reported))
    assert fields["token_usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert fields["model"] == "old"


def response(message: AIMessage, info: dict[str, Any] | None = None, **whole: Any) -> dict[str, Any]:
    """The fields of an answer with this message."""
    generation = ChatGeneration(message=message, generation_info=info)
    return response_fields(LLMResult(generations=[[generation]], llm_output=whole or None))


REPORTED = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}}
COUNTED = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (response(AIMessage("a", response_metadata=REPORTED)), {"token_usage": COUNTED}),
        (response(AIMessage("a"), REPORTED), {"token_usage": COUNTED}),
        (
            response(AIMessage("a"), {"usage": {**COUNTED, "total_tokens": 9}}),
            {"token_usage": {**COUNTED, "total_tokens": 9}},
        ),
        (response(answer({**USAGE, "total_cost": 0.002})), {"token_usage": USAGE}),
        (response(answer({**USAGE, "total_cost": 0})), {"token_usage": USAGE, "cache_hit": True}),
        (
            response(answer({**USAGE, "input_token_details": {"cache_read": 2, "x": "many", "y": True}})),
            {"token_usage": {**USAGE, "input_token_details": {"cache_read": 2}}},
        ),
        (response(AIMessage("a", id="run-1")), {"message_id": "run-1"}),
        (response(AIMessage("a", id="lc_run--1")), {"message_id": "lc_run--1"}),
        (response(AIMessage("a", id="msg_1")), {"message_id": "msg_1", "response_id": "msg_1"}),
        (
            response(AIMessage("a", id="msg_1", response_metadata={"id": "resp_1"})),
            {"message_id": "msg_1", "response_id": "resp_1"},
        ),
        (response(AIMessage("a", response_metadata={"model": "m"}), model_name="old"), {"model": "m"}),
        (response(AIMessage("a", response_metadata={"model_id": "m"})), {"model": "m"}),
        (response(AIMessage("a"), {"model_name": "m"}), {"model": "m"}),
        (
            response(AIMessage("a", response_metadata={"finish_reason": "b"}), {"finish_reason": "a"}),
            {"finish_reason": "a"},
        ),
        (response(AIMessage("a", response_metadata={"stop_reason": "end_turn"})), {"finish_reason": "end_turn"}),
        (
            response(AIMessage("", response_metadata={"prompt_feedback": {"block_reason": Blocked.FORBIDDEN}})),
            {"finish_reason": "PROHIBITED_CONTENT"},
        ),
        (response(AIMessage("", response_metadata={"prompt_feedback": {"block_reason": 4}})), {}),
        (response(AIMessage("a"), service_tier="flex"), {"service_tier": "flex"}),
        (response(AIMessage("a", response_metadata={"model_provider": "openai"})), {"provider": "openai"}),
        (response(AIMessage("a", response_metadata={"model_name": 7, "id": ["x"]})), {}),
    ],
)
def test_where_providers_put_the_facts_of_an_answer(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Usage, ids, model, tier and reason are found in each place and under each name that providers use."""
    assert fields == expected


def test_parameters_of_the_call_come_before_what_the_model_was_made_with() -> None:
    """`ls_temperature` and `ls_max_tokens` stand in for parameters that the call does not name."""
    made_with = {"ls_temperature": 0.9, "ls_max_tokens": 100, "ls_model_name": "m", "ls_provider": "p"}
    assert request_fields({"temperature": 0.1, "stop": ["."], "tools": [1], "_type": "x", "seed": None}, made_with) == {
        "request_model": "m",
        "provider": "p",
        "model_params": {"temperature": 0.1, "stop": ["."], "max_tokens": 100},
    }
    assert request_fields({"model": "n"}, {}) == {"request_model": "n"}


def test_completion_models_record_prompt_and_text() -> None:
    """A model that completes strings has prompts as inputs and a string as output."""
    tracer = JsonlTracer()
    FakeListLLM(responses=["done"]).invoke("say done", {"callbacks": [tracer]})
    span = one(tracer)
    assert (span.type, span.inputs, span.output) == ("llm", {"prompts": ["say done"]}, "done")


def test_what_is_no_number_is_no_usage() -> None:
    """Strings, booleans and None in a usage dict are left out rather than counted."""
    message = AIMessage("x", usage_metadata=USAGE)
    wrong: Any = {"input_tokens": True, "output_tokens": "5", "total_tokens": None}
    message.usage_metadata = wrong
    tracer = JsonlTracer()
    ScriptedModel(script=[message]).invoke("q", {"callbacks": [tracer]})
    assert one(tracer).token_usage is None
