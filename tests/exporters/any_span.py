"""Span records of every shape, for property tests."""

from typing import Any, get_args

from hypothesis import strategies as st

from flightlog.span import Span, SpanType, Status

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXT.filter(bool)
INT64 = st.integers(-(2**63), 2**63 - 1)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PAYLOAD = JSON.filter(lambda value: value is not None)
COUNTS = st.integers(0, 2**40)


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


USAGE = _object(
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    total_tokens=COUNTS,
    input_token_details=_object(cache_read=COUNTS, cache_creation=COUNTS, audio=COUNTS),
    output_token_details=_object(reasoning=COUNTS),
)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda text: text.strip("0"))

OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "parent_run_id": NAMES,
    "writer_id": TEXT,
    "seq": COUNTS,
    "interrupts": st.lists(_object(id=TEXT, value=JSON), max_size=2),
    "resumes": st.lists(_object(interrupt_id=TEXT, value=JSON), max_size=2),
    "model": TEXT,
    "request_model": TEXT,
    "provider": st.sampled_from(["openai", "bedrock", "mistralai", "somebody"]),
    "model_params": st.dictionaries(TEXT, JSON, max_size=3),
    "service_tier": TEXT,
    "finish_reason": TEXT,
    "response_id": TEXT,
    "message_id": TEXT,
    "token_usage": USAGE,
    "cache_hit": st.booleans(),
    "time_to_first_token_ms": st.floats(0, 1e6),
    "chunks": COUNTS,
    "tool_call_id": TEXT,
    "document_count": COUNTS,
    "thread_id": TEXT,
    "node": TEXT,
    "step": st.integers(-1, 1000),
    "checkpoint_ns": TEXT,
    "task_id": TEXT,
    "checkpoint_id": TEXT,
    "attempt": COUNTS,
    "tags": st.lists(TEXT, max_size=2),
    "truncated": st.dictionaries(TEXT, _object(bytes=COUNTS, sha256=TEXT), max_size=2),
    "service": NAMES,
    "service_version": NAMES,
    "environment": NAMES,
    "host": NAMES,
    "pid": COUNTS,
    "otel": st.fixed_dictionaries({"trace_id": HEX, "span_id": HEX.map(lambda text: "a" + text[:15])}),
    "metadata": st.dictionaries(TEXT, JSON, max_size=3),
    "inputs": PAYLOAD,
    "output": PAYLOAD,
    "extra": st.dictionaries(TEXT.map(lambda text: "x-" + text), PAYLOAD, max_size=2),
}


@st.composite
def any_span(draw: st.DrawFn) -> Span:
    """A valid record with any of the optional fields."""
    fields = draw(st.fixed_dictionaries({}, optional=OPTIONAL))
    kind: SpanType = draw(st.sampled_from(get_args(SpanType)))
    if kind == "chain":
        fields["kind"] = draw(st.sampled_from(["graph", "node", "edge", "task", "runnable"]))
    status: Status = draw(st.sampled_from(get_args(Status)))
    if status == "error":
        fields["error"] = draw(_object(type=TEXT, message=TEXT, stacktrace=TEXT))
    return Span(
        type=kind,
        name=draw(TEXT),
        run_id=draw(NAMES),
        trace_id=draw(NAMES),
        # The line has microseconds, and OTLP holds unsigned 64-bit nanoseconds.
        start_ns=draw(st.integers(0, 2**63 // 1000)) * 1000,
        duration_ms=draw(st.integers(0, 2**52)) / 1e6,
        status=status,
        **fields,
    )
