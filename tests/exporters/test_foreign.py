"""Traces of tests/exporters/agent.py as other projects' instrumentors recorded them (fixtures/make_foreign.py)."""

import dataclasses
from codecs import BOM_UTF8
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flightlog import JsonlTracer
from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_json
from flightlog_exporters.otel_span import Event, OtelSpan
from flightlog_exporters.readers import recognise
from flightlog_exporters.readers.files import read_file
from flightlog_exporters.readers.foreign import to_span
from flightlog_exporters.semconv import names
from tests.exporters.agent import run_agent

FIXTURES = Path(__file__).parent / "fixtures"


def no_reject(offset: int, reason: str) -> None:
    """Nothing may be rejected."""
    raise AssertionError(f"{offset}: {reason}")


def imported(name: str) -> list[Span]:
    """The spans of a fixture."""
    return list(read_file(FIXTURES / f"{name}.jsonl", no_reject))


def otel(attributes: dict[str, Any], **fields: Any) -> OtelSpan:
    """A foreign span with these attributes."""
    given = {"name": "s", "trace_id": b"t" * 16, "span_id": b"s" * 8, "parent_span_id": b"", "kind": 1}
    return OtelSpan(**{**given, "start_ns": 1000, "end_ns": 2000, "attributes": attributes, **fields})


@pytest.mark.parametrize("name", ["openinference", "openllmetry"])
def test_llm_calls_keep_model_tokens_and_messages(name: str) -> None:
    """Model, provider, tokens with their details, and messages come over from a real instrumentor."""
    first, second = (span for span in imported(name) if span.type == "llm")
    assert (first.model, first.provider, first.node, first.step) == ("scripted-1", "openai", "agent", 2)
    assert first.token_usage == {
        "input_tokens": 50,
        "output_tokens": 7,
        "total_tokens": 57,
        "input_token_details": {"cache_read": 30},
    }
    assert first.inputs == {"messages": [{"type": "human", "content": "How is the weather in Oslo?"}]}
    assert first.output["tool_calls"] == [
        {"name": "weather", "args": {"city": "Oslo"}, "id": "call-1", "type": "tool_call"}
    ]
    assert second.output["content"] == "It is sunny in Oslo."
    assert second.inputs["messages"][2]["tool_call_id"] == "call-1"
    assert {span.thread_id for span in imported(name)} >= {"thread-1"}


@pytest.mark.parametrize("name", ["openinference", "openllmetry"])
def test_a_wait_for_a_human_is_no_error(name: str) -> None:
    """What those instrumentors record as an exception or an error is an interrupt here, with its id."""
    spans = imported(name)
    (waiting,) = (span for span in spans if span.status == "interrupted")
    assert waiting.node == "approve"
    assert waiting.error is None
    assert waiting.interrupts is not None
    assert len(waiting.interrupts[0]["id"]) == 32
    assert Counter(span.status for span in spans if span is not waiting) == {"ok": len(spans) - 1}


def test_older_indexed_names_are_read() -> None:
    """gen_ai.prompt.N and gen_ai.completion.N, and the token names of that time, make a complete LLM span."""
    span = to_span(
        otel(
            {
                "llm.request.type": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.model": "gpt-4o-2024",
                "gen_ai.usage.prompt_tokens": 3,
                "gen_ai.usage.completion_tokens": 4,
                "llm.usage.total_tokens": 7,
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.1.content": "hi",
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": "be kind",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.finish_reason": "tool_calls",
                "gen_ai.completion.0.tool_calls.0.id": "c",
                "gen_ai.completion.0.tool_calls.0.name": "f",
                "gen_ai.completion.0.tool_calls.0.arguments": '{"a": 1}',
            }
        )
    )
    assert (span.type, span.provider, span.request_model, span.model) == ("llm", "openai", "gpt-4o", "gpt-4o-2024")
    assert span.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert [message["type"] for message in span.inputs["messages"]] == ["system", "human"]
    assert span.output["tool_calls"] == [{"type": "tool_call", "id": "c", "name": "f", "args": {"a": 1}}]
    assert span.finish_reason == "tool_calls"


def test_names_of_1_36_and_content_on_events_are_read() -> None:
    """gen_ai.system stands for the provider, and messages may be on an event of the span."""
    event = Event(
        "gen_ai.client.inference.operation.details",
        1500,
        {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]'},
    )
    span = to_span(
        otel(
            {"gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock", "gen_ai.request.model": "m"},
            events=[event],
        )
    )
    assert span.provider == "amazon_bedrock"
    assert span.inputs == {"messages": [{"type": "human", "content": "hi"}]}


def test_latest_names_are_read() -> None:
    """Cache writes under their new name, structured messages, streaming and the conversation are understood."""
    span = to_span(
        otel(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude",
                "gen_ai.request.temperature": 0.5,
                "gen_ai.conversation.id": "c-1",
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.response.time_to_first_chunk": 0.25,
                "gen_ai.usage.input_tokens": 9,
                "gen_ai.usage.cache_write.input_tokens": 5,
                "gen_ai.usage.reasoning.output_tokens": 2,
                "gen_ai.usage.output_tokens": 4,
                "gen_ai.system_instructions": [{"type": "text", "content": "be kind"}],
                "gen_ai.input.messages": [
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "sunny"}]}
                ],
            }
        )
    )
    assert span.thread_id == "c-1"
    assert span.time_to_first_token_ms == 250
    assert span.model_params == {"temperature": 0.5}
    assert span.token_usage == {
        "input_tokens": 9,
        "output_tokens": 4,
        "total_tokens": 13,
        "input_token_details": {"cache_creation": 5},
        "output_token_details": {"reasoning": 2},
    }
    assert span.inputs["messages"] == [
        {"type": "system", "content": "be kind"},
        {"type": "tool", "content": "sunny", "tool_call_id": "c"},
    ]


def test_tags_parameters_and_plain_texts_of_openinference_are_read() -> None:
    """What is said to be JSON is opened; a text that merely looks like it stays."""
    attributes = {
        "openinference.span.kind": "LLM",
        "tag.tags": ["a", "b"],
        "llm.invocation_parameters": '{"temperature":0}',
        "input.value": '{"q":1}',
        "input.mime_type": "text/plain",
        "output.value": '{"a":1}',
        "output.mime_type": "application/json",
    }
    span = to_span(otel(attributes))
    assert (span.tags, span.model_params, span.inputs, span.output) == (
        ["a", "b"],
        {"temperature": 0},
        '{"q":1}',
        {"a": 1},
    )


@pytest.mark.parametrize("is_document", [False, True])
def test_a_span_that_cannot_be_read_is_told_by_its_place(tmp_path: Path, is_document: bool) -> None:
    """The line and the reason are said of a span without a whole id; its neighbours are taken."""
    whole = otel({"openinference.span.kind": "CHAIN"})
    lines = [otlp_json.encode([whole]), otlp_json.encode([whole, dataclasses.replace(whole, span_id=b"short")])]
    path = tmp_path / "spans.json"
    if is_document:
        lines = [orjson.dumps(orjson.loads(lines[1]), option=orjson.OPT_INDENT_2)]
    path.write_bytes(b"".join(BOM_UTF8 + line + b"\n" for line in lines))  # as Windows marks files, here put together
    rejects: list[tuple[int, str]] = []
    spans = list(read_file(path, lambda offset, reason: rejects.append((offset, reason))))
    assert len(spans) == len(lines)
    [(offset, reason)] = rejects
    assert offset == (0 if is_document else len(BOM_UTF8) + len(lines[0]) + 1)
    assert reason == "broken OTLP: an id is neither hex nor base64 of its length"


def test_a_span_that_is_not_about_ai_stays_in_the_tree() -> None:
    """An HTTP span becomes a plain runnable with its ids, so that what hangs under it keeps its place."""
    span = to_span(otel({"http.method": "GET"}, name="GET /", parent_span_id=b"p" * 8))
    assert (span.type, span.kind, span.name) == ("chain", "runnable", "GET /")
    assert span.parent_run_id == (b"p" * 8).hex()
    assert span.otel == {"trace_id": (b"t" * 16).hex(), "span_id": (b"s" * 8).hex(), "parent_span_id": "70" * 8}


@pytest.mark.parametrize(
    ("exception", "status"),
    [
        ("langgraph.errors.GraphInterrupt", "interrupted"),
        ("ParentCommand", "handoff"),
        ("asyncio.exceptions.CancelledError", "cancelled"),
        ("GeneratorExit", "cancelled"),
        ("ValueError", "error"),
    ],
)
def test_the_type_of_the_exception_decides_what_was_an_error(exception: str, status: str) -> None:
    """Control flow that was recorded as an exception is told from failures."""
    event = Event("exception", 1500, {"exception.type": exception, "exception.message": "m"})
    assert to_span(otel({}, status=2, events=[event])).status == status


@pytest.mark.parametrize(("end_ns", "status"), [(0, "abandoned"), (2000, "ok")])
def test_a_span_without_an_end_is_not_called_ok(end_ns: int, status: str) -> None:
    """What some backends give out of a run that goes on, or died, has no end, and no duration."""
    unended = to_span(dataclasses.replace(otel({}), end_ns=end_ns))
    assert unended.status == status
    assert (unended.duration_ms == 0) == (status == "abandoned")


NAMES = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)] + [
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.tool_calls.0.tool_call.id",
    "gen_ai.prompt.0.role",
    "gen_ai.completion.0.finish_reason",
    "gen_ai.completion.0.tool_calls.0.name",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.request.stop_sequences",
    "llm.request.type",
    "traceloop.span.kind",
    "traceloop.entity.name",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "traceloop.association.properties.langgraph_node",
    "flightlog.record",
    "flightlog.inputs",
]
WORDS = st.sampled_from(["chat", "execute_tool", "invoke_agent", "LLM", "tool", "application/json", "role", "parts"])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON | JSON.map(lambda value: orjson.dumps(value).decode()), max_size=8))
@example({"openinference.span.kind": "LLM", "llm.input_messages.0.message.role": ["user"]})
@example({"gen_ai.prompt.0.role": ["user"]})
@example({"gen_ai.completion.0.finish_reason": ["stop"]})
@example({"traceloop.span.kind": {"a": 1}})
@example({"gen_ai.operation.name": ["chat"]})
def test_attribute_values_of_any_type_are_read_or_refused(attributes: dict[str, Any]) -> None:
    """Whatever JSON stands under a known name, the span is read without what makes no sense, or refused."""
    try:
        span = to_span(otel(attributes))
    except UnreadableError:
        return
    assert Span.from_json(span.to_json()) == span


def test_formats_are_recognised_by_content() -> None:
    """OTLP lines are known by how they begin, our own span files are not foreign."""
    assert recognise(b'{"resourceSpans":[]}') is not None
    assert recognise(b'\xef\xbb\xbf { "resource_spans" : []}') is not None
    assert recognise(b'{"v":1,"type":"llm"}') is None
    assert recognise(b"") is None


Node = tuple[str, str, str, int | None, tuple[Any, ...]]

DIFFERENCES = {
    "openinference": {
        "the root of a run that waits is ok": ("assistant", "status", "interrupted", "ok"),
        "a routing function is no edge": ("route", "kind", "edge", "runnable"),
    },
    "openllmetry": {
        "the root of a run that waits is ok": ("assistant", "status", "interrupted", "ok"),
        "a routing function is no edge": ("route", "kind", "edge", "runnable"),
        "every run has a second root around it": ("assistant", "children", "assistant", "assistant"),
    },
}
"""What the formats cannot say, by name: (span, field, ours, theirs). Everything else is equal."""


def tree(spans: list[Span]) -> tuple[Node, ...]:
    """The spans as (name, kind, status, tokens, children), in the order in which they started."""
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        below.setdefault(span.parent_run_id, []).append(span)

    def grown(parent: str | None) -> tuple[Node, ...]:
        members = sorted(below.get(parent, ()), key=lambda span: span.start_ns)
        return tuple(
            (
                span.name,
                span.kind or span.type,
                str(span.status),
                (span.token_usage or {}).get("total_tokens"),
                grown(span.run_id),
            )
            for span in members
        )

    return grown(None)


def told_theirs(nodes: tuple[Node, ...], differences: set[tuple[str, str, str, str]]) -> tuple[Node, ...]:
    """Our tree with the listed differences applied to it."""
    changed: list[Node] = []
    for name, kind, status, tokens, children in nodes:
        inner = told_theirs(children, differences)
        kind = next((d[3] for d in differences if d[:3] == (name, "kind", kind)), kind)
        status = next((d[3] for d in differences if d[:3] == (name, "status", status)), status)
        if (name, "children", name, name) in differences:
            inner = ((name, kind, status, tokens, inner),)
        changed.append((name, kind, status, tokens, inner))
    return tuple(changed)


@pytest.mark.parametrize("name", ["openinference", "openllmetry"])
def test_an_imported_tree_is_ours_but_for_the_listed_differences(name: str) -> None:
    """The same agent under our tracer gives the same shape, kinds, status and tokens; what differs has a name."""
    tracer = JsonlTracer()
    run_agent([tracer])
    assert tree(imported(name)) == told_theirs(tree(tracer.spans), set(DIFFERENCES[name].values()))
