"""Spans as an OTLP export request in protobuf's wire format: written by hand, read by the official classes.

Protobuf's own Python objects cost several times as much as the bytes they end up as; the request has nine message
types, whose field numbers are in opentelemetry/proto/{collector/trace,trace,common,resource}/v1/*.proto. A test
parses what is written here with the official classes.
"""

import base64
import math
import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from flightlog.errors import MissingExtraError, UnreadableError
from flightlog_exporters.ids import SPAN_ID_BYTES, TRACE_ID_BYTES
from flightlog_exporters.otel_span import INT64, UNSET, Attributes, Event, Link, OtelSpan
from flightlog_exporters.request_parts import check_parts, check_spans

_FLAGS: Final = 0x101
"""Sampled, and known to have a local parent (Span.flags)."""
_DOUBLE: Final = struct.Struct("<d")
_FIXED64: Final = struct.Struct("<Q")
_SPAN_TIMES: Final = struct.Struct("<BQBQ")
_ONE_BYTE: Final = [bytes((number,)) for number in range(128)]
_SHORT_TEXT: Final = [bytes((0x12, size + 2, 0x0A, size)) for size in range(126)]
_KEYS_KEPT: Final = 4096


def encode(spans: Iterable[OtelSpan]) -> bytes:
    """An ExportTraceServiceRequest. Spans of one process and library share their resource and scope."""
    groups: dict[Any, tuple[Attributes, dict[str, list[bytes]]]] = {}
    for span in spans:
        resource = span.resource
        key: Any = tuple(resource.items())
        try:
            group = groups.get(key)
        except TypeError:
            # A foreign resource may hold lists.
            group = groups.get(key := repr(key))
        if group is None:
            group = groups[key] = (resource, {})
        group[1].setdefault(span.scope, []).append(_field(b"\x12", _span(span)))
    return b"".join(
        _field(
            b"\x0a",
            _field(b"\x0a", _attributes(resource, b"\x0a"))
            + b"".join(
                _field(b"\x12", _field(b"\x0a", _text(b"\x0a", name)) + b"".join(members))
                for name, members in scopes.items()
            ),
        )
        for resource, scopes in groups.values()
    )


def _span(span: OtelSpan) -> bytes:
    # trace_id 1, span_id 2, parent_span_id 4, name 5, kind 6, start 7, end 8, attributes 9, events 11, links 13,
    # status 15, flags 16
    parts = [
        b"\x0a\x10",
        span.trace_id,
        b"\x12\x08",
        span.span_id,
        b"\x22\x08" + span.parent_span_id if span.parent_span_id else b"",
        _text(b"\x2a", span.name),
        b"\x30",
        bytes((span.kind & 0x7F,)),
        _SPAN_TIMES.pack(0x39, span.start_ns, 0x41, span.end_ns),
        _attributes(span.attributes, b"\x4a"),
    ]
    parts += [_field(b"\x5a", _event(event)) for event in span.events]
    parts += [_field(b"\x6a", _link(link)) for link in span.links]
    if span.status != UNSET:
        parts.append(_field(b"\x7a", _text(b"\x12", span.status_message) + b"\x18" + bytes((span.status & 0x7F,))))
    parts.append(b"\x85\x01" + struct.pack("<I", _FLAGS))
    return b"".join(parts)


def _event(event: Event) -> bytes:
    time = b"\x09" + _FIXED64.pack(event.time_ns)
    return time + _text(b"\x12", event.name) + _attributes(event.attributes, b"\x1a")


def _link(link: Link) -> bytes:
    ids = b"\x0a\x10" + link.trace_id + b"\x12\x08" + link.span_id
    return ids + _attributes(link.attributes, b"\x22")


def _attributes(attributes: Attributes, tag: bytes) -> bytes:
    """Every pair as a KeyValue under the tag: key 1, value 2."""
    parts: list[bytes] = []
    add = parts.append
    for key, value in attributes.items():
        name = _keys.get(key) or _key(key)
        if type(value) is str:
            # The common case, flattened: AnyValue.string_value is field 1.
            try:
                data = value.encode()
            except UnicodeEncodeError:
                data = value.encode("utf-8", "replace")
            size = len(data)
            head = _SHORT_TEXT[size] if size < 126 else _long_text(size)
        else:
            data = _value(value)
            head = b"\x12" + _varint(len(data))
            size = len(data)
        size += len(name) + len(head)
        add(tag)
        add(_ONE_BYTE[size] if size < 128 else _varint(size))
        add(name)
        add(head)
        add(data)
    return b"".join(parts)


def _long_text(size: int) -> bytes:
    """What comes before a text in a KeyValue: the lengths of the AnyValue and of the text."""
    inner = b"\x0a" + _varint(size)
    return b"\x12" + _varint(size + len(inner)) + inner


def _value(value: Any) -> bytes:
    # string 1, bool 2, int 3, double 4, array 5 (values 1), kvlist 6 (values 1)
    if isinstance(value, str):
        return _text(b"\x0a", value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if value not in INT64:
            return _text(b"\x0a", str(value))
        return b"\x18" + _varint(value if value >= 0 else value + (1 << 64))
    if isinstance(value, float):
        return b"\x21" + _DOUBLE.pack(value)
    if isinstance(value, list | tuple):
        return _field(b"\x2a", b"".join(_field(b"\x0a", _value(item)) for item in value))
    if isinstance(value, dict):
        return _field(b"\x32", _attributes({str(key): item for key, item in value.items()}, b"\x0a"))
    return b""


def _text(tag: bytes, text: str) -> bytes:
    return _field(tag, text.encode("utf-8", "replace"))


def _field(tag: bytes, data: bytes) -> bytes:
    size = len(data)
    return (tag + bytes((size,)) if size < 128 else tag + _varint(size)) + data


def _varint(number: int) -> bytes:
    if number < 128:
        return _ONE_BYTE[number]
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _key(key: str) -> bytes:
    known = _keys.get(key)
    if known is None:
        known = _text(b"\x0a", key)
        if len(_keys) < _KEYS_KEPT:
            _keys[key] = known
    return known


_keys: dict[str, bytes] = {}
"""Attribute names as they are written; bounded, since names can come from data."""


def decode(request: bytes, reject: Callable[[str], None] | None = None) -> list[OtelSpan]:
    """The spans of an ExportTraceServiceRequest, read by the official classes.

    With ``reject``, a broken span is told to it and the other spans are read; without, it breaks the request.
    Raises UnreadableError when it is none or was made to fill the memory, MissingExtraError when those classes are not
    installed.
    """
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        raise MissingExtraError("reading OTLP in protobuf", "otel") from None
    check_spans(request)
    try:
        message = ExportTraceServiceRequest.FromString(request)
    except DecodeError as error:
        raise UnreadableError(f"not an OTLP request in protobuf: {error}") from None
    spans: list[OtelSpan] = []
    parts = 0
    for group in message.resource_spans:
        resource = _read_attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                parts += 1 + len(span.events) + len(span.links)
                check_parts(parts)
                try:
                    spans.append(_read_span(span, resource, scope.scope.name))
                except UnreadableError as error:
                    if reject is None:
                        raise
                    reject(str(error))
    return spans


def _read_span(span: Any, resource: Attributes, scope: str) -> OtelSpan:
    if len(span.trace_id) != TRACE_ID_BYTES or len(span.span_id) != SPAN_ID_BYTES:
        raise UnreadableError("a span without ids of 16 and 8 bytes")
    return OtelSpan(
        name=span.name,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id if any(span.parent_span_id) else b"",
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        status_message=span.status.message,
        attributes=_read_attributes(span.attributes),
        events=[Event(event.name, event.time_unix_nano, _read_attributes(event.attributes)) for event in span.events],
        links=[Link(link.trace_id, link.span_id, _read_attributes(link.attributes)) for link in span.links],
        resource=resource,
        scope=scope,
    )


def _read_attributes(pairs: Any) -> Attributes:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_read_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _read_attributes(value.kvlist_value.values)
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else None
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case kind:
            return getattr(value, kind)
