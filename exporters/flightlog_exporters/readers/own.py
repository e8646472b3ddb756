"""Spans this package wrote: every field is there under its own name."""

from typing import Any

from flightlog_exporters.otel_span import OtelSpan
from flightlog_exporters.semconv import names, own
from flightlog_exporters.semconv.json_text import decode

_ERROR = (
    ("type", names.EXCEPTION_TYPE),
    ("message", names.EXCEPTION_MESSAGE),
    ("stacktrace", names.EXCEPTION_STACKTRACE),
)


def recognises(span: OtelSpan) -> bool:
    """Whether the span carries its record."""
    return own.RECORD in span.attributes


def fill(record: dict[str, Any], span: OtelSpan) -> None:
    """Put the record's fields back. What was left out of the export (content) stays absent."""
    attributes = span.attributes
    for field in ("otel", "parent_run_id"):
        record.pop(field, None)
    exception = next((event.attributes for event in span.events if event.name == names.EXCEPTION), None)
    if exception is not None:
        record["error"] = {field: exception[name] for field, name in _ERROR if name in exception}
    extra = _json(attributes.get(names.OWN + "extra"))
    if isinstance(extra, dict):
        for name, value in extra.items():
            record.setdefault(name, value)
    light = _json(attributes[own.RECORD])
    if isinstance(light, dict):
        record.update((field, light[field]) for field in own.LIGHT if field in light)
    for field in own.PAYLOADS:
        if (text := attributes.get(names.OWN + field)) is not None:
            record[field] = _json(text)
    if (metadata := attributes.get(names.OI_METADATA)) is not None:
        record["metadata"] = _json(metadata)
    for field, name, mime in (
        ("inputs", names.OI_INPUT, names.OI_INPUT_MIME),
        ("output", names.OI_OUTPUT, names.OI_OUTPUT_MIME),
    ):
        if (text := attributes.get(name)) is not None:
            record[field] = _json(text) if attributes.get(mime) == names.JSON_MIME else text


def _json(value: Any) -> Any:
    """A JSON text, or what a backend that took it apart (MLflow) has made of it."""
    return decode(value) if isinstance(value, str) else value
