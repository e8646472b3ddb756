"""OTLP in its JSON encoding, one ``{"resourceSpans": [...]}`` a line, as the Collector's file exporter writes it.

Source: the OpenTelemetry protocol specification, "JSON Protobuf Encoding": ids are hex, enums are integers, names are
lowerCamelCase, 64-bit integers are strings. Many writers use protobuf's own JSON mapping instead (base64 ids, enum
names, snake_case on request), so the reader takes both.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

import orjson

from flightlog.errors import UnreadableError
from flightlog_exporters.ids import SPAN_ID_BYTES, TRACE_ID_BYTES
from flightlog_exporters.otel_span import ERROR, INT64, INTERNAL, OK, UNSET, Attributes, Event, Link, OtelSpan
from flightlog_exporters.request_parts import check_parts

_BATCH: Final = 512
_BROKEN: Final = (AttributeError, TypeError, ValueError, RecursionError)
"""What reading a message raises that has other types, or other values, than OTLP has."""
_KINDS: Final = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3}
_STATUSES: Final = {"STATUS_CODE_OK": OK, "STATUS_CODE_ERROR": ERROR}


def encode(spans: Iterable[OtelSpan]) -> bytes:
    """One line, without its newline. Spans of one process share their resource."""
    grouped: dict[bytes, tuple[OtelSpan, dict[str, list[dict[str, Any]]]]] = {}
    for span in spans:
        try:
            key = orjson.dumps(span.resource, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:  # an integer of more than 64 bits
            key = repr(span.resource).encode()
        _, scopes = grouped.setdefault(key, (span, {}))
        scopes.setdefault(span.scope, []).append(_span(span))
    return orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(first.resource)},
                    "scopeSpans": [{"scope": {"name": name}, "spans": members} for name, members in scopes.items()],
                }
                for first, scopes in grouped.values()
            ]
        }
    )


def write(spans: Iterable[OtelSpan], out: BinaryIO) -> int:
    """Write the spans, 512 a line, and answer how many there were."""
    remaining = iter(spans)
    written = 0
    while batch := list(islice(remaining, _BATCH)):
        out.write(encode(batch) + b"\n")
        written += len(batch)
    return written


def decode(line: bytes, reject: Callable[[str], None] | None = None) -> list[OtelSpan]:
    """The spans of a line. Raises UnreadableError when the line is not OTLP.

    With ``reject``, a broken span is told to it and the line's other spans are read; without, it breaks the line.
    """
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error}") from None
    return from_message(message, reject)


def from_message(message: Any, reject: Callable[[str], None] | None = None) -> list[OtelSpan]:
    """The spans of a decoded line, as ``decode`` gives them. Raises UnreadableError when it is not OTLP."""
    if isinstance(message, dict) and not any(message.values()):
        return []  # a request without spans: what is empty may be left out, or null
    groups = _get(message, "resourceSpans", "resource_spans") if isinstance(message, dict) else None
    if not isinstance(groups, list):
        raise UnreadableError("no `resourceSpans`: not OTLP traces in JSON")
    try:
        return list(_spans(groups, reject))
    except _BROKEN as error:
        raise UnreadableError(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    """Why a message is broken. What Python says of a wrong type is about our code, of a wrong value about the value."""
    if isinstance(error, ValueError):
        return f"broken OTLP: {error}"
    what = "nested too deep" if isinstance(error, RecursionError) else "a value of a wrong type"
    return f"broken OTLP: {what}"


def _spans(groups: list[Any], reject: Callable[[str], None] | None) -> Iterator[OtelSpan]:
    parts = 0
    for group in groups:
        resource = _from_attributes((group.get("resource") or {}).get("attributes"))
        scopes = _get(group, "scopeSpans", "scope_spans", "instrumentationLibrarySpans")
        for scope_group in scopes or ():
            scope = (scope_group.get("scope") or {}).get("name") or ""
            for span in scope_group.get("spans") or ():
                parts += 1
                check_parts(parts)
                try:
                    read = _from_span(span, resource, str(scope))
                except _BROKEN as error:
                    if reject is None:
                        raise
                    reject(_sentence(error))
                else:
                    yield read


def _from_span(span: dict[str, Any], resource: Attributes, scope: str) -> OtelSpan:
    status = span.get("status") or {}
    return OtelSpan(
        name=str(span.get("name") or ""),
        trace_id=_id(_get(span, "traceId", "trace_id"), TRACE_ID_BYTES),
        span_id=_id(_get(span, "spanId", "span_id"), SPAN_ID_BYTES),
        parent_span_id=_parent(_get(span, "parentSpanId", "parent_span_id")),
        kind=_enum(span.get("kind"), _KINDS, INTERNAL),
        start_ns=_time(_get(span, "startTimeUnixNano", "start_time_unix_nano")),
        end_ns=_time(_get(span, "endTimeUnixNano", "end_time_unix_nano")),
        status=_enum(status.get("code"), _STATUSES, UNSET),
        status_message=str(status.get("message") or ""),
        attributes=_from_attributes(span.get("attributes")),
        events=[
            Event(
                str(event.get("name") or ""),
                _time(_get(event, "timeUnixNano", "time_unix_nano")),
                _from_attributes(event.get("attributes")),
            )
            for event in span.get("events") or ()
        ],
        links=[
            Link(
                _id(_get(link, "traceId", "trace_id"), TRACE_ID_BYTES),
                _id(_get(link, "spanId", "span_id"), SPAN_ID_BYTES),
                _from_attributes(link.get("attributes")),
            )
            for link in span.get("links") or ()
        ],
        resource=resource,
        scope=scope,
    )


def _get(message: dict[str, Any], *keys: str) -> Any:
    return next((message[key] for key in keys if key in message), None)


def _id(text: Any, size: int) -> bytes:
    """Hex as OTLP prescribes, or base64 as protobuf's JSON mapping writes bytes."""
    if isinstance(text, str):
        try:
            if len(text) == size * 2:
                return bytes.fromhex(text)
            decoded = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            decoded = b""
        if len(decoded) == size:
            return decoded
    raise ValueError("an id is neither hex nor base64 of its length")


def _parent(text: Any) -> bytes:
    if not text:
        return b""
    parent = _id(text, SPAN_ID_BYTES)
    return parent if any(parent) else b""


def _enum(value: Any, known: dict[str, int], otherwise: int) -> int:
    if isinstance(value, int):
        return value
    return known.get(value, otherwise) if isinstance(value, str) else otherwise


def _time(value: Any) -> int:
    """Nanoseconds; a span whose time lies outside what a file can say is broken."""
    nanoseconds = int(value or 0)
    if nanoseconds not in range(0, 2**64):
        raise ValueError("a time is out of range")
    return nanoseconds


def _from_attributes(pairs: Any) -> Attributes:
    return {str(pair.get("key", "")): _from_value(pair.get("value")) for pair in pairs or ()}


def _from_value(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    for key, read in _VALUES.items():
        if key in value:
            return read(value[key])
    return None


def _from_list(value: Any) -> list[Any]:
    return [_from_value(item) for item in (value or {}).get("values") or ()]


def _from_map(value: Any) -> Attributes:
    return _from_attributes((value or {}).get("values"))


def _int64(value: Any) -> int:
    number = int(value)
    if number not in INT64:
        raise ValueError("an integer is out of range")
    return number


def _finite(value: Any) -> float | None:
    """A number; None for those that JSON has not, which protobuf's mapping writes as texts and JavaScript as null."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


_VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "stringValue": str,
    "string_value": str,
    "intValue": _int64,
    "int_value": _int64,
    "boolValue": bool,
    "bool_value": bool,
    "doubleValue": _finite,
    "double_value": _finite,
    "arrayValue": _from_list,
    "array_value": _from_list,
    "kvlistValue": _from_map,
    "kvlist_value": _from_map,
    "bytesValue": str,
    "bytes_value": str,
}


def _span(span: OtelSpan) -> dict[str, Any]:
    encoded: dict[str, Any] = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    if span.parent_span_id:
        encoded["parentSpanId"] = span.parent_span_id.hex()
    encoded |= {
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
    }
    if span.events:
        encoded["events"] = [
            {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _attributes(event.attributes)}
            for event in span.events
        ]
    if span.links:
        encoded["links"] = [
            {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex(), "attributes": _attributes(link.attributes)}
            for link in span.links
        ]
    if span.status != UNSET:
        encoded["status"] = {"code": span.status, "message": span.status_message}
    return encoded


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if value in INT64 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value} if math.isfinite(value) else {"stringValue": str(value)}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes({str(key): item for key, item in value.items()})}}
    return {}
