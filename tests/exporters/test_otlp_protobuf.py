from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flightlog.span import Span
from flightlog_exporters import otlp_json, otlp_protobuf, semconv
from flightlog_exporters.otel_span import Event, Link, OtelSpan
from tests.exporters.any_span import JSON, TEXT, any_span


def decoded(encoded: bytes) -> list[OtelSpan]:
    """The spans as the official protobuf classes understand them."""
    request = ExportTraceServiceRequest.FromString(encoded)
    return otlp_json.from_message(MessageToDict(request))


@settings(max_examples=40)
@given(st.lists(any_span(), min_size=1, max_size=3))
def test_the_official_classes_read_what_is_written(spans: list[Span]) -> None:
    """Every span comes out of the wire format as it went in, grouped by process, repeats included."""
    described = [semconv.describe(span, content=True) for span in spans]
    back = decoded(otlp_protobuf.encode(described))
    assert sorted(map(repr, back)) == sorted(map(repr, described))


@settings(max_examples=40)
@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_any_attribute_value_has_an_encoding(attributes: dict[str, Any]) -> None:
    """Nested lists and maps, empty strings, nulls and 64-bit numbers are encoded."""
    span = OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2, attributes=attributes)
    (back,) = decoded(otlp_protobuf.encode([span]))
    assert back.attributes == attributes


def test_long_values_events_links_and_status() -> None:
    """Lengths beyond one and two bytes, numbers beyond 64 bits and lone surrogates are handled."""
    span = OtelSpan(
        "n" * 200,
        b"t" * 16,
        b"s" * 8,
        b"p" * 8,
        3,
        1,
        2**63,
        status=2,
        status_message="m" * 20_000,
        attributes={"long": "x" * 70_000, "edge": "e" * 125, "huge": 2**70, "negative": -1, "broken": "\ud800"},
        events=[Event("exception", 5, {"a": ["b", 1, True]})],
        links=[Link(b"T" * 16, b"S" * 8, {"why": "resume"})],
    )
    (back,) = decoded(otlp_protobuf.encode([span]))
    span.attributes |= {"huge": str(2**70), "broken": "?"}
    assert back == span


def test_flags_say_sampled() -> None:
    """Servers that look at the flags do not drop what is sent."""
    request = ExportTraceServiceRequest.FromString(
        otlp_protobuf.encode([OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2)])
    )
    assert request.resource_spans[0].scope_spans[0].spans[0].flags & 1
    assert orjson.loads(otlp_json.encode([]))["resourceSpans"] == []
