"""What another backend reads in our spans: the words of both conventions, literally."""

from typing import Any

import orjson
import pytest

from flightlog.span import Span
from flightlog_exporters import semconv
from flightlog_exporters.otel_span import ERROR, UNSET
from flightlog_exporters.semconv.messages import output_messages

SECRET = "what only the two of them know"


def span(kind: str, **fields: Any) -> Span:
    """A finished span of a type, or a chain of a kind."""
    given = {"name": "n", "run_id": "r", "trace_id": "r", "start_ns": 10**18, "duration_ms": 2.0, "status": "ok"}
    known = {"type": kind} if kind in ("llm", "tool", "retriever") else {"type": "chain", "kind": kind}
    return Span(**{**given, **known, **fields})


CALL = span(
    "llm",
    model="gpt-4o-2024",
    request_model="gpt-4o",
    provider="openai",
    finish_reason="stop",
    response_id="resp_1",
    chunks=3,
    time_to_first_token_ms=250.0,
    thread_id="t-1",
    model_params={"temperature": 0.5, "top_k": 40, "max_tokens": 100, "stop": ["a", 7], "n": 2, "custom": 1},
    token_usage={
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_token_details": {"cache_read": 4, "cache_creation": 2},
        "output_token_details": {"reasoning": 3},
    },
    inputs=[[{"type": "system", "content": "be kind"}, {"type": "human", "content": SECRET}]],
    output={"type": "ai", "content": SECRET},
)
GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.conversation.id": "t-1",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.top_k": 40,
    "gen_ai.request.max_tokens": 100,
    "gen_ai.request.stop_sequences": ["a", "7"],
    "gen_ai.request.choice.count": 2,
    "gen_ai.request.stream": True,
    "gen_ai.response.model": "gpt-4o-2024",
    "gen_ai.response.id": "resp_1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.cache_creation.input_tokens": 2,
    "gen_ai.usage.reasoning.output_tokens": 3,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "session.id": "t-1",
    "llm.model_name": "gpt-4o-2024",
    "llm.provider": "openai",
    "llm.system": "openai",
    "llm.finish_reason": "stop",
    "llm.token_count.prompt": 10,
    "llm.token_count.completion": 5,
    "llm.token_count.total": 15,
    "llm.token_count.prompt_details.cache_read": 4,
    "llm.token_count.prompt_details.cache_write": 2,
    "llm.token_count.completion_details.reasoning": 3,
}
PROMPTS = {
    "gen_ai.input.messages": '[{"role":"system","parts":[{"type":"text","content":"be kind"}]},'
    f'{{"role":"user","parts":[{{"type":"text","content":"{SECRET}"}}]}}]',
    "gen_ai.output.messages": f'[{{"role":"assistant","parts":[{{"type":"text","content":"{SECRET}"}}],'
    '"finish_reason":"stop"}]',
}
MESSAGES = {
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "be kind",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.content": SECRET,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": SECRET,
    "input.mime_type": "application/json",
    "output.mime_type": "application/json",
    "output.value": f'{{"type":"ai","content":"{SECRET}"}}',
}


@pytest.mark.parametrize(
    ("conventions", "facts", "content"), [("genai", GENAI, PROMPTS), ("openinference", OPENINFERENCE, MESSAGES)]
)
def test_a_call_to_a_model(conventions: Any, facts: dict[str, Any], content: dict[str, str]) -> None:
    """Model, parameters, tokens and times have their names in each vocabulary; what was said only where allowed."""
    silent = semconv.attributes_of(CALL, conventions=conventions)
    assert {name: value for name, value in silent.items() if name in {*facts, *content}} == facts
    telling = semconv.attributes_of(CALL, conventions=conventions, content=True)
    assert {name: value for name, value in telling.items() if name in {*facts, *content}} == {**facts, **content}
    assert semconv.span_name(CALL) == "chat gpt-4o"


@pytest.mark.parametrize(("value", "expected"), [("end", ["end"]), (["a"], ["a"])])
def test_parameters_that_backends_would_refuse(value: Any, expected: list[str]) -> None:
    """Stop sequences are always a list; what should be a number and is none is left out."""
    odd = {"stop": value, "seed": True, "temperature": "warm", "top_p": None}
    found = semconv.attributes_of(span("llm", model_params=odd), conventions="genai")
    assert {name: found[name] for name in found if name.startswith("gen_ai.request.")} == {
        "gen_ai.request.stop_sequences": expected
    }


@pytest.mark.parametrize(
    ("read", "made", "counts"),
    [
        # langchain-anthropic, newer and older: cache writes by how long they last.
        ({"cache_creation": 0, "ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 1}, {}, [None, 5, None]),
        ({"cache_creation": 5, "ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 1}, {}, [None, 5, None]),
        # langchain-openai, by service tier.
        ({"priority_cache_read": 3, "priority": 7}, {"priority_reasoning": 2, "priority": 3}, [3, None, 2]),
        ({"cache_read": 0, "cache_creation": True}, None, [0, None, None]),
    ],
)
def test_token_details_by_the_names_of_every_provider(read: Any, made: Any, counts: list[int | None]) -> None:
    """Tokens read from a cache, written to one and spent on reasoning, in both vocabularies, each counted once."""
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": read, "output_token_details": made}
    found = semconv.attributes_of(span("llm", token_usage=usage))
    genai_names = ("cache_read.input_tokens", "cache_creation.input_tokens", "reasoning.output_tokens")
    assert [found.get(f"gen_ai.usage.{name}") for name in genai_names] == counts
    openinference = ("prompt_details.cache_read", "prompt_details.cache_write", "completion_details.reasoning")
    assert [found.get(f"llm.token_count.{name}") for name in openinference] == counts


CALLED = {"id": "c1", "name": "add"}


@pytest.mark.parametrize(
    ("said", "role", "parts"),
    [
        ("hi", "user", [{"type": "text", "content": "hi"}]),
        (["system", "hi"], "system", [{"type": "text", "content": "hi"}]),
        ({"role": "critic", "content": "hi"}, "critic", [{"type": "text", "content": "hi"}]),
        ({"role": "user", "type": "message", "content": "hi"}, "user", [{"type": "text", "content": "hi"}]),
        ({"type": "human", "data": {"content": "hi"}}, "user", [{"type": "text", "content": "hi"}]),
        (
            {"type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {"content": "hi"}},
            "assistant",
            [{"type": "text", "content": "hi"}],
        ),
        ({"type": "ai", "content": "", "tool_calls": []}, "assistant", []),
        (
            {"type": "ai", "content": [{"type": "tool_use", **CALLED, "input": 1}], "tool_calls": []},
            "assistant",
            [{"type": "tool_call", **CALLED, "arguments": 1}],
        ),
        (
            {"type": "ai", "content": [{"type": "tool_use", **CALLED}], "tool_calls": [{**CALLED, "args": 1}]},
            "assistant",
            [{"type": "tool_call", **CALLED, "arguments": 1}],
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": "{}"}}]},
            "assistant",
            [{"type": "tool_call", **CALLED, "arguments": "{}"}],
        ),
        (
            {"type": "tool", "content": "3", "tool_call_id": "c1"},
            "tool",
            [{"type": "tool_call_response", "id": "c1", "response": "3"}],
        ),
        (
            {"type": "human", "content": [{"type": "image", "base64": "aGk=", "mime_type": "image/png"}, 7, {"x": 1}]},
            "user",
            [
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
                {"type": "text", "content": "7"},
                {"type": "generic", "x": 1},
            ],
        ),
    ],
)
def test_messages_in_every_form_they_are_written_in(said: Any, role: str, parts: list[Any]) -> None:
    """LangChain's dumps of three kinds, a provider's own dictionaries, pairs and plain texts are one form outside."""
    found = semconv.attributes_of(span("llm", inputs={"messages": [said]}), conventions="genai", content=True)
    assert orjson.loads(found["gen_ai.input.messages"]) == [{"role": role, "parts": parts}]


def test_what_is_no_model_in_openinference() -> None:
    """The documents that were found one by one, tool calls and their answers with their ids, and the node of a node."""
    documents = [{"id": "d1", "page_content": "p", "metadata": {"s": 1}}, {"kwargs": {"page_content": "q"}}, "odd"]
    found = semconv.attributes_of(span("retriever", output=documents), conventions="openinference", content=True)
    at = "retrieval.documents."
    assert {name: value for name, value in found.items() if name.startswith(at)} == {
        f"{at}0.document.id": "d1",
        f"{at}0.document.content": "p",
        f"{at}0.document.metadata": '{"s":1}',
        f"{at}1.document.content": "q",
    }
    talk = [
        {"type": "ai", "tool_calls": [{**CALLED, "args": {}}]},
        {"type": "tool", "content": "3", "tool_call_id": "c1"},
    ]
    found = semconv.attributes_of(span("llm", inputs={"messages": talk}), conventions="openinference", content=True)
    assert found["llm.input_messages.0.message.tool_calls.0.tool_call.id"] == "c1"
    assert found["llm.input_messages.1.message.tool_call_id"] == "c1"
    for given, node in (
        (span("node", node="plan"), "plan"),
        (span("node"), "n"),
        (span("runnable", node="plan"), None),
    ):
        assert semconv.attributes_of(given, conventions="openinference").get("graph.node.id") == node


@pytest.mark.parametrize(("latest", "written"), [(False, "cache_creation"), (True, "cache_write")])
def test_tokens_written_to_a_cache_have_the_name_that_was_chosen(latest: bool, written: str) -> None:
    """The newest name is there for who asks for it, and then not the older one as well."""
    found = semconv.describe(CALL, conventions="genai", cache_write=latest).attributes
    assert {name: count for name, count in found.items() if ".cache_" in name and "read" not in name} == {
        f"gen_ai.usage.{written}.input_tokens": 2
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "error", "error": {"type": "ValueError", "message": "no"}}, (ERROR, "no")),
        ({"status": "error", "error": {"type": "ValueError", "message": ""}}, (ERROR, "ValueError")),
        ({"status": "error"}, (ERROR, "")),
        ({"status": "interrupted", "error": {"message": "no"}}, (UNSET, "")),
    ],
)
def test_a_failure_says_why(fields: dict[str, Any], expected: tuple[int, str]) -> None:
    """By its message, or else its type; what is no failure has no status."""
    found = semconv.describe(span("tool", **fields))
    assert (found.status, found.status_message) == expected


def test_an_answer_from_the_cache_counts_no_tokens() -> None:
    """Nobody was paid for them."""
    hit = span("llm", cache_hit=True, token_usage={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
    found = semconv.attributes_of(hit)
    assert not [name for name in found if "usage" in name or "token_count" in name]


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        (
            span("tool", tool_call_id="c1", inputs={"q": "x"}, output="found"),
            "execute_tool n",
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "n",
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": "c1",
                "gen_ai.tool.call.arguments": '{"q":"x"}',
                "gen_ai.tool.call.result": "found",
            },
        ),
        (
            span("retriever", inputs="q", output=[{"page_content": "p"}]),
            "retrieval n",
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": "n",
                "gen_ai.retrieval.query.text": "q",
                "gen_ai.retrieval.documents": '[{"page_content":"p"}]',
            },
        ),
        (span("graph"), "invoke_agent n", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "n"}),
        (span("graph", parent_run_id="p", node="inner"), "n", {}),
        (span("node", parent_run_id="p", node="n"), "n", {}),
    ],
    ids=["tool", "retriever", "graph", "graph as a node", "node"],
)
def test_what_is_no_model(given: Span, name: str, expected: dict[str, str]) -> None:
    """Tools, retrievers and agents have operations of their own; nodes have none."""
    found = semconv.describe(given, conventions="genai", content=True)
    assert found.name == name
    assert {key: value for key, value in found.attributes.items() if key.startswith("gen_ai.")} == expected


SEARCH = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": 1}}


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}]},
         [{"type": "reasoning", "content": "Hm."}]),
        ({"content": [{"type": "reasoning", "summary": []}]}, [{"type": "reasoning", "content": ""}]),
        ({"content": [{"type": "function_call", "id": "fc", "call_id": "c1", "name": "search", "arguments": "{}"}],
          "tool_calls": [{"id": "c1", "name": "search", "args": {"q": 1}}]}, [SEARCH]),
        ({"content": [{"type": "function_call", "id": "fc", "call_id": "c1", "name": "search", "arguments": "{}"}]},
         [{**SEARCH, "arguments": "{}"}]),
        ({"content": "", "invalid_tool_calls": [{"id": "c1", "name": "search", "args": "{"}]},
         [{**SEARCH, "arguments": "{"}]),
        ({"content": "", "additional_kwargs": {"refusal": "No."}}, [{"type": "refusal", "refusal": "No."}]),
        ({"content": [], "response_metadata": {"stop_details": {"category": "cyber", "explanation": "It harms."}}},
         [{"type": "refusal", "refusal": "It harms.", "category": "cyber"}]),
        ({"content": [], "response_metadata": {"stop_details": {"type": "other"}}}, []),
        ({"content": "x", "additional_kwargs": 3, "response_metadata": []}, [{"type": "text", "content": "x"}]),
    ],
)  # fmt: skip
def test_what_models_say_beside_words(answer: dict[str, Any], parts: list[Any]) -> None:
    """Thoughts, calls and refusals leave once each, wherever a provider puts them."""
    [message] = output_messages({"type": "ai", **answer})
    assert message["parts"] == parts


@pytest.mark.parametrize("conventions", ["both", "genai", "openinference"])
def test_content_stays_at_home_unless_it_is_allowed(conventions: Any) -> None:
    """Of payloads, metadata, questions and answers nothing is in the span that goes out."""
    said = {"inputs": {"q": SECRET}, "output": {"a": SECRET}}
    for given in (
        CALL,
        *(span(kind, **said) for kind in ("llm", "tool", "retriever", "graph", "node")),
        span("graph", status="interrupted", interrupts=[{"id": "i", "value": SECRET}], **said),
        span("graph", resumes=[{"interrupt_id": "i", "value": SECRET}], **said),
    ):
        assert SECRET not in repr(semconv.describe(given, conventions=conventions))
        assert SECRET in repr(semconv.describe(given, conventions=conventions, content=True))
