"""One OpenTelemetry span as plain data: what every format of this package is written from and read into.

It is not the SDK's ``ReadableSpan``: nothing here imports OpenTelemetry, so that files can be converted without it,
and it holds what foreign files hold (attributes of any JSON shape, any string as an event name).
"""

from dataclasses import dataclass, field
from typing import Any, Final

INTERNAL: Final = 1
CLIENT: Final = 3
"""Values of ``SpanKind`` in opentelemetry/proto/trace/v1/trace.proto."""

UNSET: Final = 0
OK: Final = 1
ERROR: Final = 2
"""Values of ``Status.StatusCode`` in the same file."""

INT64: Final = range(-(2**63), 2**63)
"""What an integer of OTLP can be."""

Attributes = dict[str, Any]
"""str, bool, int, float, or lists of them; foreign spans may also hold dicts and None."""


@dataclass(slots=True)
class Event:
    """Something that happened at one moment of a span."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class Link:
    """A span of another trace this one has to do with."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class OtelSpan:
    """One finished OpenTelemetry span."""

    name: str
    trace_id: bytes
    """16 bytes."""
    span_id: bytes
    """8 bytes."""
    parent_span_id: bytes
    """8 bytes, or none for a root."""
    kind: int
    start_ns: int
    end_ns: int
    status: int = UNSET
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    resource: Attributes = field(default_factory=dict)
    """Who produced it: ``service.name`` and the like."""
    scope: str = ""
    """Name of the instrumentation library."""
