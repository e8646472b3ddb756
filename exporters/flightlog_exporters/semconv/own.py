"""A span in our own words, ``flightlog.<field>``, so that an export can be imported again without loss."""

from typing import Any, Final

from flightlog.span import Span
from flightlog_exporters.otel_span import Attributes
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import encode

SCALARS: Final = (
    "type",
    "kind",
    "name",
    "run_id",
    "parent_run_id",
    "trace_id",
    "writer_id",
    "seq",
    "status",
    "model",
    "request_model",
    "provider",
    "service_tier",
    "finish_reason",
    "response_id",
    "message_id",
    "cache_hit",
    "time_to_first_token_ms",
    "chunks",
    "tool_call_id",
    "document_count",
    "thread_id",
    "node",
    "step",
    "checkpoint_ns",
    "task_id",
    "checkpoint_id",
    "attempt",
)
"""Fields that are an attribute as they are."""
NESTED: Final = ("model_params", "token_usage", "tags", "truncated", "otel")
"""Fields that are JSON in an attribute."""
QUESTIONS: Final = ("interrupts", "resumes")
"""Fields that are JSON in an attribute, their ``value`` only with content."""
PAYLOADS: Final = ("inputs", "output")
RESOURCE: Final = {
    "service": names.SERVICE,
    "service_version": names.SERVICE_VERSION,
    "environment": names.ENVIRONMENT,
    "host": names.HOST,
    "pid": names.PID,
}
"""Fields that describe the process, not the span."""

_SCALAR_NAMES = tuple((field, names.OWN + field) for field in SCALARS)
_NESTED_NAMES = tuple((field, names.OWN + field) for field in NESTED)


def add(attributes: Attributes, span: Span, *, content: bool, payloads: bool) -> None:
    """Add the record's fields. ``payloads`` when no other vocabulary carries them as they are."""
    for field, name in _SCALAR_NAMES:
        if (value := getattr(span, field)) is not None:
            attributes[name] = value
    for field, name in _NESTED_NAMES:
        if (value := getattr(span, field)) is not None:
            attributes[name] = encode(value)
    for field in QUESTIONS:
        if (items := getattr(span, field)) is not None:
            attributes[names.OWN + field] = encode(items if content else [_without_value(item) for item in items])
    if payloads and span.metadata is not None:
        attributes[names.OWN + "metadata"] = encode(span.metadata)
    if content:
        if span.extra:
            attributes[names.OWN + "extra"] = encode(span.extra)
        for field in PAYLOADS if payloads else ():
            if (value := getattr(span, field)) is not None:
                attributes[names.OWN + field] = encode(value)


def resource(span: Span) -> Attributes:
    """Attributes of the process that made the span."""
    return {name: value for field, name in RESOURCE.items() if (value := getattr(span, field)) is not None}


def _without_value(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "value"} if isinstance(item, dict) else {}
