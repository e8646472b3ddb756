import base64
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_json, otlp_protobuf, semconv
from flightlog_exporters.line_file import Line
from flightlog_exporters.otel_span import Event, Link, OtelSpan
from flightlog_exporters.readers import recognise
from flightlog_exporters.readers.foreign import to_span
from flightlog_exporters.semconv import Conventions
from tests.exporters.any_span import JSON, TEXT, any_span


def round_trip(span: Span, conventions: Conventions = "both", content: bool = True) -> dict[str, Any]:
    """The record after a way through OTLP JSON."""
    line = otlp_json.encode([semconv.describe(span, conventions=conventions, content=content)])
    reader = recognise(line)
    assert reader is not None
    rejects: list[tuple[int, str]] = []
    (back,) = reader.read([Line(0, line, len(line))], lambda offset, reason: rejects.append((offset, reason)))
    assert not rejects
    return back.to_record()


@settings(max_examples=40)
@given(any_span())
def test_a_record_comes_back_whole_in_every_vocabulary(span: Span) -> None:
    """A span that was exported with its content and imported again equals the original in every field."""
    for conventions in ("both", "genai", "openinference"):
        assert round_trip(span, conventions) == span.to_record()


@settings(max_examples=40)
@given(any_span())
def test_without_content_nothing_that_was_said_leaves(span: Span) -> None:
    """An export without content loses inputs, output, unknown fields, questions and answers, and nothing else."""
    expected = span.to_record()
    for name in ("inputs", "output", *span.extra):
        expected.pop(name, None)
    for name in ("interrupts", "resumes"):
        if name in expected:
            expected[name] = [{k: v for k, v in item.items() if k != "value"} for item in expected[name]]
    assert round_trip(span, content=False) == expected


def by_the_official_classes(line: bytes) -> ExportTraceServiceRequest:
    """The message of a line; a field that OTLP has not, or of another type, is a failure."""

    def with_base64(value: Any) -> Any:
        if isinstance(value, list):
            return [with_base64(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: base64.b64encode(bytes.fromhex(item)).decode() if name.endswith("Id") else with_base64(item)
            for name, item in value.items()
        }

    message = ExportTraceServiceRequest()
    ParseDict(with_base64(orjson.loads(line)), message)
    return message


ATTRIBUTES = st.dictionaries(TEXT, JSON | st.integers(), max_size=3)
TIMES = st.integers(0, 2**64 - 1)
OTEL_SPANS = st.builds(
    OtelSpan,
    TEXT,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=8, max_size=8),
    st.just(b"") | st.binary(min_size=8, max_size=8),
    st.integers(0, 5),
    TIMES,
    TIMES,
    status=st.integers(0, 2),
    status_message=TEXT,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, TEXT, TIMES, ATTRIBUTES), max_size=2),
    links=st.lists(
        st.builds(Link, st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), ATTRIBUTES), max_size=2
    ),
    resource=ATTRIBUTES,
    scope=TEXT,
)


@settings(max_examples=40)
@given(OTEL_SPANS)
def test_both_encodings_are_one_message(span: OtelSpan) -> None:
    """The official classes read the same out of the JSON as out of the protobuf, whatever a span holds."""
    in_json = by_the_official_classes(otlp_json.encode([span]))
    in_protobuf = ExportTraceServiceRequest.FromString(otlp_protobuf.encode([span]))
    sent = in_protobuf.resource_spans[0].scope_spans[0].spans[0]
    assert sent.flags & 1
    sent.flags = 0  # servers that are sent protobuf look at them; a file has none
    if span.status == 0:  # a message without a code says nothing
        assert not in_json.resource_spans[0].scope_spans[0].spans[0].HasField("status")
    assert in_json == in_protobuf


@settings(max_examples=40)
@given(OTEL_SPANS)
def test_both_encodings_are_read_alike(span: OtelSpan) -> None:
    """What came in JSON is the span that came in protobuf."""
    (from_json,) = otlp_json.decode(otlp_json.encode([span]))
    (from_protobuf,) = otlp_protobuf.decode(otlp_protobuf.encode([span]))
    assert from_json == from_protobuf


def test_a_resource_may_hold_any_number() -> None:
    """An integer of more than 64 bits loses no span, and different ones are kept apart."""
    spans = [OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2, resource={"big": 2**64 + n}) for n in (0, 0, 1)]
    message = by_the_official_classes(otlp_json.encode(spans))
    assert [len(group.scope_spans[0].spans) for group in message.resource_spans] == [2, 1]


@pytest.mark.parametrize("number", [b'"NaN"', b'"Infinity"', b'"-Infinity"', b"null"])
def test_a_number_that_json_has_not_is_unknown(number: bytes) -> None:
    """A span is not lost for an attribute that is no number, in either encoding."""
    line = otlp_json.encode([OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2, attributes={"score": 0.5, "other": 1})])
    (span,) = otlp_json.decode(line.replace(b"0.5", number))
    odd = OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2, attributes={"score": float("nan"), "other": 1})
    (from_protobuf,) = otlp_protobuf.decode(otlp_protobuf.encode([odd]))
    assert span == from_protobuf
    assert span.attributes == {"score": None, "other": 1}


def test_encoding_is_otlp_json_not_protobufs() -> None:
    """Ids are hex, enums numbers, names lowerCamelCase, 64-bit integers and times strings."""
    span = Span(type="llm", name="m", run_id="r", parent_run_id="p", trace_id="t", start_ns=5, duration_ms=1, step=7)
    (group,) = orjson.loads(otlp_json.encode([semconv.describe(span)]))["resourceSpans"]
    (encoded,) = group["scopeSpans"][0]["spans"]
    assert group["scopeSpans"][0]["scope"] == {"name": "flightlog"}
    assert len(encoded["traceId"]) == 32
    assert len(encoded["spanId"]) == len(encoded["parentSpanId"]) == 16
    assert encoded["kind"] == 3
    assert encoded["startTimeUnixNano"] == "5"
    assert encoded["endTimeUnixNano"] == "1000005"
    assert {"key": "flightlog.step", "value": {"intValue": "7"}} in encoded["attributes"]


def test_spans_of_one_process_share_a_resource() -> None:
    """Spans are grouped by the process that made them."""
    spans = [
        Span(
            type="tool", name="t", run_id=str(n), trace_id="0", start_ns=n, duration_ms=1, status="ok", service=service
        )
        for n, service in enumerate(("a", "b", "a"))
    ]
    message = orjson.loads(otlp_json.encode(semconv.describe(span) for span in spans))
    assert [len(group["scopeSpans"][0]["spans"]) for group in message["resourceSpans"]] == [2, 1]


def test_protobufs_own_json_is_read_too() -> None:
    """Base64 ids, enum names and snake_case, which protobuf's own JSON mapping writes, are understood."""
    trace_id, span_id = bytes(range(16)), bytes(range(8, 16))
    message = {
        "resource_spans": [
            {
                "scope_spans": [
                    {
                        "spans": [
                            {
                                "trace_id": base64.b64encode(trace_id).decode(),
                                "span_id": base64.b64encode(span_id).decode(),
                                "name": "chat m",
                                "kind": "SPAN_KIND_CLIENT",
                                "start_time_unix_nano": 1000,
                                "end_time_unix_nano": "2000",
                                "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
                                "attributes": [
                                    {"key": "gen_ai.operation.name", "value": {"string_value": "chat"}},
                                    {"key": "gen_ai.usage.input_tokens", "value": {"int_value": 3}},
                                ],
                            }
                        ]
                    }
                ]
            }
        ]
    }
    (otel,) = otlp_json.decode(orjson.dumps(message))
    assert (otel.trace_id, otel.span_id, otel.kind) == (trace_id, span_id, 3)
    span = to_span(otel)
    assert span.type == "llm"
    assert span.status == "error"
    assert span.error == {"message": "boom"}
    assert span.token_usage == {"input_tokens": 3}
    assert span.duration_ms == 0.001


@pytest.mark.parametrize(
    "line",
    [
        b'{"spans": [1]}',
        b"[]",
        b"nonsense",
        b'{"resourceSpans": 3}',
        b'{"resourceSpans": [3]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz", "spanId": "11"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]}',
    ],
)
def test_broken_lines_are_refused_with_a_reason(line: bytes) -> None:
    """A line that is no OTLP raises UnreadableError and nothing else."""
    with pytest.raises(UnreadableError):
        otlp_json.decode(line)
