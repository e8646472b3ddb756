"""One OpenTelemetry span of anybody -> one span record. What the span does not say stays absent."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from flightlog.errors import UnreadableError
from flightlog.span import VERSION, Span, format_time
from flightlog_exporters.otel_span import ERROR, OtelSpan
from flightlog_exporters.readers import genai, openinference, openllmetry, own, pauses
from flightlog_exporters.readers.facts import put
from flightlog_exporters.semconv import names


class Vocabulary(Protocol):
    """One way to name attributes: a module with these two functions."""

    def recognises(self, span: OtelSpan) -> bool:
        """Whether the span speaks it."""

    def fill(self, record: dict[str, Any], span: OtelSpan) -> None:
        """Set what it can say and nobody has said before."""


VOCABULARIES: Final[tuple[Vocabulary, ...]] = (openllmetry, openinference, genai)
"""In the order in which they are believed: the more specific one first."""

_STOPS: Final = {
    "GraphInterrupt": "interrupted",
    "NodeInterrupt": "interrupted",
    "GraphBubbleUp": "interrupted",
    "ParentCommand": "handoff",
    "CancelledError": "cancelled",
    "GeneratorExit": "cancelled",
    "KeyboardInterrupt": "cancelled",
}
"""Exceptions that are no errors, though instrumentations record them as such."""
_RESOURCE: Final = (
    ("service", (names.SERVICE,)),
    ("service_version", (names.SERVICE_VERSION,)),
    ("environment", (names.ENVIRONMENT, names.OLD_ENVIRONMENT)),
    ("host", (names.HOST,)),
    ("pid", (names.PID,)),
)
_STOP_SAID: Final = re.compile(rf"(?:\w+\.)*({'|'.join(_STOPS)})(?:\(|: |$)")
"""How the message of a status begins where the event of the exception was not recorded, or not passed on."""
_NO_NAMES: Final = "span"


def to_span(otel: OtelSpan) -> Span:
    """The span record of an OpenTelemetry span.

    Run ids are the OpenTelemetry ids in hex; spans this package exported get their own back. Raises UnreadableError
    when what is there cannot be a span (a time no calendar has, for one).
    """
    try:
        start_time = format_time(otel.start_ns)
    except (OverflowError, ValueError, OSError):
        raise UnreadableError("the start time is out of range") from None
    record: dict[str, Any] = {
        "v": VERSION,
        "name": otel.name or _NO_NAMES,
        "run_id": otel.span_id.hex(),
        "trace_id": otel.trace_id.hex(),
        "start_time": start_time,
        "duration_ms": max(0, otel.end_ns - otel.start_ns) / 1e6,
        "otel": {"trace_id": otel.trace_id.hex(), "span_id": otel.span_id.hex()},
    }
    if otel.parent_span_id:
        record["parent_run_id"] = record["otel"]["parent_span_id"] = otel.parent_span_id.hex()
    for field, keys in _RESOURCE:
        value = next((otel.resource[key] for key in keys if key in otel.resource), None)
        if value is not None and not str(value).startswith("unknown_service"):
            record[field] = value
    if own.recognises(otel):
        own.fill(record, otel)
    else:
        _fill_status(record, otel)
        for vocabulary in VOCABULARIES:
            if vocabulary.recognises(otel):
                vocabulary.fill(record, otel)
        record.setdefault("type", "chain")
        if record["type"] == "chain":
            if record.setdefault("kind", "runnable") == "graph":
                put(record, "resumes", pauses.answers(record.get("inputs")))
        else:
            record.pop("kind", None)
    span = Span.from_record(record)
    span.start_ns = otel.start_ns
    return span


def to_spans(found: Iterable[OtelSpan], reject: Callable[[str], None]) -> Iterator[Span]:
    """The records of spans; why one cannot be one goes to ``reject``."""
    for otel in found:
        try:
            yield to_span(otel)
        except UnreadableError as error:
            reject(str(error))


def _fill_status(record: dict[str, Any], otel: OtelSpan) -> None:
    """Status and error; an exception that only stops a run is told apart by its type."""
    exception = next((event.attributes for event in reversed(otel.events) if event.name == names.EXCEPTION), {})
    kind = exception.get(names.EXCEPTION_TYPE) or otel.attributes.get(names.ERROR_TYPE)
    if kind is None and otel.status == ERROR and (said := _STOP_SAID.match(otel.status_message)):
        kind = said[1]
    stop = _STOPS.get(str(kind).rpartition(".")[2])
    message = exception.get(names.EXCEPTION_MESSAGE)
    if stop is not None:
        record["status"] = stop
        if stop == "interrupted":
            asked = pauses.questions(str(message), otel.status_message)
            if asked:
                record["interrupts"] = asked
    elif otel.status == ERROR:
        facts = (
            ("type", kind),
            ("message", message if message is not None else otel.status_message or None),
            ("stacktrace", exception.get(names.EXCEPTION_STACKTRACE)),
        )
        record["status"] = "error"
        record["error"] = {name: str(fact) for name, fact in facts if fact is not None}
    else:
        # Without an end nobody knows how it went; some backends give out what still runs.
        record["status"] = "ok" if otel.end_ns else "abandoned"
