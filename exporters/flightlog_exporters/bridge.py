"""OTelBridge: live spans into the application's OpenTelemetry tracer provider, as they happen."""

import os
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TracerProvider

from flightlog.errors import UsageError
from flightlog.span import Span
from flightlog_exporters import semconv
from flightlog_exporters.delegating_span import DelegatingSpan, around
from flightlog_exporters.live_metrics import LiveMetrics
from flightlog_exporters.otel_span import CLIENT, ERROR, INT64
from flightlog_exporters.resume_links import ResumeLinks
from flightlog_exporters.semconv import genai, names

_KEPT_LIVE: Final = 100_000
_SDK_LIMIT: Final = 128
"""How many attributes an SDK keeps of a span, as far as one knows."""
_BULK: Final = (
    names.OI_INPUT_MESSAGES + ".",
    names.OI_OUTPUT_MESSAGES + ".",
    names.OI_DOCUMENTS + ".",
    names.OI_TOOLS + ".",
)


class OTelBridge:
    """A sink of JsonlTracer: ``JsonlTracer("spans.jsonl", sinks=[OTelBridge()])``.

    Spans nest under the application's current span, and spans made inside a run (of an HTTP client, say) nest under
    it, in threads and in asyncio too. The ids go into the span file, so that a later export sends the same spans. It
    neither raises into the application (the tracer contains its faults) nor blocks: exporting is the business of the
    span processors the application has chosen.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        conventions: str = "both",
        content: bool | None = None,
    ) -> None:
        """
        tracer_provider, meter_provider: the application's global ones when None.
        conventions: names of attributes, ``both``, ``genai`` or ``openinference``.
        content: whether prompts, answers and arguments go along; None asks the environment
        (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT), which says no when it says nothing.

        Raises UsageError for an argument that cannot be meant.
        """
        _check_provider("tracer_provider", tracer_provider, "get_tracer")
        _check_provider("meter_provider", meter_provider, "get_meter")
        self._conventions = semconv.check_conventions(conventions)
        self._content = semconv.content_allowed(content)
        self._cache_write = semconv.latest_names()
        self._tracer = trace.get_tracer(names.SCOPE, tracer_provider=tracer_provider)
        self._metrics = LiveMetrics(meter_provider)
        self._links = ResumeLinks()
        self._live: dict[str, tuple[trace.Span, DelegatingSpan, int]] = {}
        self._pid = os.getpid()

    def on_start(self, span: Span) -> dict[str, str] | None:
        """Start the OpenTelemetry span and make it the current one; answers its ids, in hex."""
        if self._pid != os.getpid():
            # The spans of a forked process's parent are the parent's to end.
            self._pid = os.getpid()
            self._live.clear()
        parent = self._live.get(span.parent_run_id) if span.parent_run_id is not None else None
        kind = f"{span.type} {span.name}" if span.parent_run_id is None else None
        # By run id where there is one: what is current in this context may belong to a parallel run.
        above = parent[0] if parent is not None else around(kind)
        started = self._tracer.start_span(
            semconv.span_name(span),
            trace.set_span_in_context(above),
            SpanKind.CLIENT if semconv.span_kind(span) == CLIENT else SpanKind.INTERNAL,
            genai.identity(span),
            [_sdk_link(link.trace_id, link.span_id, link.attributes) for link in self._links.of(span)],
            span.start_ns,
        )
        context = started.get_span_context()
        before = above.get_span_context()
        if not context.is_valid or context.span_id == before.span_id:
            # Without a tracer provider, or with a disabled one, nothing begins: at most a caller's ids are passed on.
            return None
        if len(self._live) >= _KEPT_LIVE:
            self._live.pop(next(iter(self._live)), None)
        self._live[span.run_id] = (started, DelegatingSpan.attach(started, kind), span.start_ns)
        ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        if before.is_valid:
            ids["parent_span_id"] = f"{before.span_id:016x}"
        return ids

    def on_end(self, span: Span) -> None:
        """Say what came of the run, and end its span."""
        if span.type == "llm":
            self._metrics.record(span)
        self._links.remember(span)
        live = self._live.pop(span.run_id, None)
        if live is None:
            return
        started, attached, start_ns = live
        # The record's own start is cut to microseconds; the duration is exact.
        end_ns = start_ns + round((span.duration_ms or 0) * 1e6)
        try:
            if started.is_recording():
                self._describe(started, span, end_ns)
        finally:
            attached.let_go()
            started.end(end_ns)

    def close(self) -> None:
        """Forget what is still open. The tracer provider is the application's to shut down."""
        self._live.clear()

    def _describe(self, started: trace.Span, span: Span, end_ns: int) -> None:
        if span.type == "llm" or span.kind == "graph":
            # The model may have become known with the answer, a graph by its nodes.
            started.update_name(semconv.span_name(span))
        attributes = semconv.attributes_of(
            span, conventions=self._conventions, content=self._content, cache_write=self._cache_write
        )
        started.set_attributes(_acceptable(attributes, _attribute_limit(started)))
        if span.status != "ok":
            for event in semconv.events(span, end_ns, content=self._content):
                started.add_event(event.name, event.attributes, event.time_ns)
            code, message = semconv.status(span)
            if code == ERROR:
                started.set_status(StatusCode.ERROR, message)


def _acceptable(attributes: dict[str, Any], limit: int | None) -> dict[str, Any]:
    """The attributes as an SDK can take them.

    Numbers beyond 64 bits would make the exporter drop its whole batch. Of more attributes than the limit the SDK would
    drop the oldest, with a warning each: what is left out are the first of many messages or documents.
    """
    for name, value in attributes.items():
        if type(value) is int and value not in INT64:
            attributes[name] = str(value)
    if limit is None or len(attributes) <= limit:
        return attributes
    bulk = [name for name in attributes if name.startswith(_BULK)]
    for name in bulk[: len(attributes) - limit]:
        del attributes[name]
    return attributes


def _attribute_limit(span: trace.Span) -> int | None:
    """How many attributes its SDK keeps of a span, which only the span knows; None is all."""
    limit: int | None = getattr(getattr(span, "_limits", None), "max_span_attributes", _SDK_LIMIT)
    return limit


def _check_provider(name: str, provider: object, gives: str) -> None:
    """Raise UsageError for what is neither None nor a provider of its kind."""
    if isinstance(provider, type):
        raise UsageError(f"{name} takes a provider, not its class: {provider.__name__}() instead")
    if provider is not None and not callable(getattr(provider, gives, None)):
        raise UsageError(f"{name} takes a provider of OpenTelemetry, which has {gives}(), not {provider!r}")


def _sdk_link(trace_id: bytes, span_id: bytes, attributes: Mapping[str, Any]) -> Link:
    context = SpanContext(
        int.from_bytes(trace_id), int.from_bytes(span_id), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return Link(context, attributes)
