"""A span in our own words, so that an export can be imported again without loss.

The light fields of the record travel as one JSON text, ``flightlog.record``: an attribute each would triple what
OpenTelemetry has to copy and what people have to scroll past. The few that people search by are attributes as well.
"""

from dataclasses import fields
from typing import Any, Final

from flightlog.span import Span
from flightlog_exporters.otel_span import Attributes
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import encode

RECORD: Final = names.OWN + "record"
SEARCHED: Final = ("run_id", "node", "step")
"""Fields that are an attribute of their own, too."""
QUESTIONS: Final = ("interrupts", "resumes")
"""Fields whose ``value`` is content."""
PAYLOADS: Final = ("metadata", "inputs", "output")
RESOURCE: Final = {
    "service": names.SERVICE,
    "service_version": names.SERVICE_VERSION,
    "environment": names.ENVIRONMENT,
    "host": names.HOST,
    "pid": names.PID,
}
"""Fields that describe the process, not the span."""

_ELSEWHERE: Final = frozenset(("start_ns", "duration_ms", "error", "extra", *PAYLOADS, *RESOURCE))
"""What an OpenTelemetry span has a place for, or what is content."""
LIGHT: Final = tuple(field.name for field in fields(Span) if field.name not in _ELSEWHERE)
_SEARCHED_NAMES: Final = tuple((field, names.OWN + field) for field in SEARCHED)


def add(attributes: Attributes, span: Span, *, content: bool, payloads: bool) -> None:
    """Add the record. ``payloads`` when no other vocabulary carries them as they are."""
    record = {field: value for field in LIGHT if (value := getattr(span, field)) is not None}
    if not content:
        for field in QUESTIONS:
            if field in record:
                record[field] = [_without_value(item) for item in record[field]]
    attributes[RECORD] = encode(record)
    for field, name in _SEARCHED_NAMES:
        if (value := getattr(span, field)) is not None:
            attributes[name] = value
    if payloads and span.metadata is not None:
        attributes[names.OWN + "metadata"] = encode(span.metadata)
    if content:
        if span.extra:
            attributes[names.OWN + "extra"] = encode(span.extra)
        for field in ("inputs", "output") if payloads else ():
            if (value := getattr(span, field)) is not None:
                attributes[names.OWN + field] = encode(value)


def resource(span: Span) -> Attributes:
    """Attributes of the process that made the span."""
    return {name: value for field, name in RESOURCE.items() if (value := getattr(span, field)) is not None}


def _without_value(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "value"} if isinstance(item, dict) else {}
