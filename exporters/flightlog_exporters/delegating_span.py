"""The current span while a run goes on, in a way that cannot leak out of it.

A callback cannot bracket a run: the end event often comes in a copied context, where what the start event attached
cannot be detached, and every later span would hang under a finished one. So what is attached is a span that answers as
its run's span while the run lives, and as the span before it from then on. Nothing is ever detached.
"""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, Status, StatusCode
from opentelemetry.util.types import Attributes, AttributeValue


class DelegatingSpan(Span):
    """Answers as one span until it is let go, then as the one before: to an SDK's names (``attributes``) as well."""

    # For __getattr__, which a copy that is not filled yet is asked too.
    _span: Span | None = None
    _before: Span = trace.INVALID_SPAN

    def __init__(self, span: Span, before: Span, kind: str | None) -> None:
        self._span = span
        self._before = before
        self._kind: Final = kind

    @classmethod
    def attach(cls, span: Span, kind: str | None = None) -> "DelegatingSpan":
        """Make the span the current one. ``kind`` is for roots (see ``around``)."""
        attached = cls(span, _living(trace.get_current_span()), kind)
        otel_context.attach(trace.set_span_in_context(attached))
        return attached

    def let_go(self) -> None:
        """The run is over. If this is the current span here, the one before it becomes it again."""
        self._span = None
        if trace.get_current_span() is self:
            otel_context.attach(trace.set_span_in_context(_living(self._before)))

    def _target(self) -> Span:
        span = self._span
        return span if span is not None else _living(self._before)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def get_span_context(self) -> SpanContext:
        return self._target().get_span_context()

    def is_recording(self) -> bool:
        return self._target().is_recording()

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        self._target().set_attributes(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self._target().set_attribute(key, value)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        self._target().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        self._target().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._target().update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._target().set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        self._target().record_exception(exception, attributes, timestamp, escaped)

    def end(self, end_time: int | None = None) -> None:
        """Nothing: the run ends its span, not whoever finds it as the current one."""

    def __exit__(self, *exc: Any) -> None:
        """Nothing, for the same reason."""


def around(kind: str | None) -> Span:
    """The span in which a run begins that has no other: the current one, but of two roots of one kind neither.

    A batch starts its roots one after the other, before the first of them ends, and says of none that it has a parent.
    """
    span = _living(trace.get_current_span())
    while kind is not None and isinstance(span, DelegatingSpan) and span._kind == kind:
        span = _living(span._before)
    return span


def _living(span: Span) -> Span:
    """The span itself, or the nearest one before it that is not over: chains of finished ones never form."""
    while isinstance(span, DelegatingSpan) and span._span is None:
        span = span._before
    return span
