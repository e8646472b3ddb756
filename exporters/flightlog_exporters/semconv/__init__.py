"""One span -> an OpenTelemetry span: name, kind, status, events, and attributes in the vocabularies asked for.

Interrupts, hand-offs to a parent graph and runs that were stopped early are not errors: their status is UNSET and an
event tells them apart. Content (prompts, answers, arguments, documents, what humans were asked and said) is left out
unless it is allowed, in every vocabulary.
"""

import os
from collections.abc import Sequence
from typing import Any, Final, Literal, cast, get_args

from flightlog.errors import UsageError
from flightlog.span import Span
from flightlog_exporters import ids
from flightlog_exporters.otel_span import CLIENT, ERROR, INTERNAL, UNSET, Attributes, Event, Link, OtelSpan
from flightlog_exporters.semconv import genai, names, openinference, own
from flightlog_exporters.semconv.json_text import dump
from flightlog_exporters.semconv.messages import Talk, talk_of

Conventions = Literal["both", "genai", "openinference"]

CONTENT_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_LAST_OTLP_NS: Final = 2**64 - 1
_SILENT: Final = Talk()
_ALLOWING = frozenset(("span_only", "span_and_event", "true"))


def describe(
    span: Span,
    *,
    conventions: Conventions = "both",
    content: bool = False,
    cache_write: bool = False,
    links: Sequence[Link] = (),
) -> OtelSpan:
    """The OpenTelemetry span of a finished span.

    ``cache_write`` names tokens written to a cache as the newest GenAI conventions do; without it they carry the
    older name that more backends know. An unfinished span ends where it starts.
    """
    context = ids.context_of(span)
    start_ns = _otlp_time(span.start_ns)
    described = OtelSpan(
        name=span_name(span),
        trace_id=context.trace_id,
        span_id=context.span_id,
        parent_span_id=context.parent_span_id,
        kind=span_kind(span),
        start_ns=start_ns,
        end_ns=start_ns if span.end_ns is None else _otlp_time(span.end_ns),
        links=list(links),
        attributes=attributes_of(span, conventions=conventions, content=content, cache_write=cache_write),
        resource=own.resource(span),
        scope=names.SCOPE,
    )
    described.status, described.status_message = status(span)
    described.events = events(span, described.end_ns, content=content)
    return described


def attributes_of(
    span: Span, *, conventions: Conventions = "both", content: bool = False, cache_write: bool = False
) -> Attributes:
    """The attributes of a finished span, in the vocabularies asked for and in our own."""
    attributes: Attributes = {}
    talk = talk_of(span) if content and span.type == "llm" else _SILENT
    if conventions != "openinference":
        genai.add(attributes, span, talk, content=content, cache_write=cache_write)
    if conventions != "genai":
        openinference.add(attributes, span, talk, content=content)
    own.add(attributes, span, content=content, payloads=conventions == "genai")
    return attributes


def span_name(span: Span) -> str:
    """The name the GenAI conventions prescribe, the span's own where they prescribe none."""
    match doing := genai.operation(span):
        case None:
            return span.name
        case names.CHAT | names.TEXT_COMPLETION:
            return f"{doing} {span.request_model or span.model or span.name}"
        case _:
            return f"{doing} {span.name}"


def span_kind(span: Span) -> int:
    """CLIENT for a call to a model, INTERNAL for what runs in the application."""
    return CLIENT if span.type == "llm" else INTERNAL


def status(span: Span) -> tuple[int, str]:
    """ERROR with its message for a failure, UNSET for everything else."""
    if span.status != "error":
        return UNSET, ""
    error = span.error or {}
    return ERROR, str(error.get("message") or error.get("type") or "")


def events(span: Span, end_ns: int, *, content: bool) -> list[Event]:
    """What ended the span, when it was not success: an exception, a question, a hand-off, an early stop."""
    found: list[Event] = []
    if span.error is not None:
        facts = (
            (names.EXCEPTION_TYPE, span.error.get("type")),
            (names.EXCEPTION_MESSAGE, span.error.get("message")),
            (names.EXCEPTION_STACKTRACE, span.error.get("stacktrace")),
        )
        found.append(Event(names.EXCEPTION, end_ns, {name: str(fact) for name, fact in facts if fact is not None}))
    if span.status == "interrupted":
        interrupts: Sequence[Any] = span.interrupts or ({},)
        for interrupt in interrupts:
            event = Event(names.INTERRUPT_EVENT, end_ns)
            if isinstance(interrupt, dict):
                if isinstance(interrupt.get("id"), str):
                    event.attributes[names.INTERRUPT_ID] = interrupt["id"]
                if content and "value" in interrupt:
                    event.attributes[names.INTERRUPT_VALUE] = dump(interrupt["value"])
            found.append(event)
    elif span.status in ("handoff", "cancelled", "abandoned"):
        found.append(Event(names.OWN + span.status, end_ns))
    return found


def _otlp_time(ns: int) -> int:
    """The nearest moment that OTLP has: its times are unsigned nanoseconds in 64 bits, 1970 to 2554."""
    return max(0, min(ns, _LAST_OTLP_NS))


def content_allowed(content: bool | None) -> bool:
    """What was asked for, else what OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT says of spans; unset is no.

    Raises UsageError for what is no bool: the text "false" is true, and would let everything out.
    """
    if isinstance(content, bool):
        return content
    if content is not None:
        raise UsageError(f"content is True, False or None, not {content!r}")
    return os.environ.get(CONTENT_VARIABLE, "").strip().lower() in _ALLOWING


def latest_names() -> bool:
    """Whether OTEL_SEMCONV_STABILITY_OPT_IN asks for the newest names of attributes that were renamed."""
    return "gen_ai_latest_experimental" in os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")


def check_conventions(conventions: str) -> Conventions:
    """The argument itself. Raises UsageError when it names no vocabulary."""
    if conventions not in get_args(Conventions):
        raise UsageError(f"conventions are both, genai or openinference, not {conventions!r}")
    return cast(Conventions, conventions)
