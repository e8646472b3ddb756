"""The seam for other consumers of live spans."""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from flightlog.containment import Containment
from flightlog.errors import UsageError
from flightlog.foreign import foreign
from flightlog.span import Span


class SpanSink(Protocol):
    """Sees every span after redaction, in the thread of the callback. What it raises is contained and counted."""

    def on_start(self, span: Span) -> dict[str, str] | None:
        """A run began; ``status`` and ``duration_ms`` are None. What it returns becomes the span's ``otel`` ids."""

    def on_end(self, span: Span) -> None:
        """A run ended."""

    def close(self) -> None:
        """The tracer closes."""


class Sinks:
    """The sinks of one tracer, each kept from harming the others and the application.

    Raises UsageError for what is not a sink.
    """

    def __init__(self, sinks: Iterable[SpanSink], containment: Containment) -> None:
        self.all: Final = _checked(sinks)
        self.failures = 0
        self._containment = containment

    def started(self, make_span: Callable[[], Span]) -> dict[str, str]:
        """Tell each of a start, with a span of its own; the ids they give."""
        ids: dict[str, str] = {}
        for sink in self.all:
            foreign.depth += 1
            try:
                ids.update(sink.on_start(make_span()) or {})
            except Exception as error:
                self._failed(error)
            finally:
                foreign.depth -= 1
        return ids

    def ended(self, line: bytes) -> None:
        """Tell each of an end."""
        for sink in self.all:
            foreign.depth += 1
            try:
                sink.on_end(Span.from_json(line))
            except Exception as error:
                self._failed(error)
            finally:
                foreign.depth -= 1

    def close(self) -> None:
        """Close each."""
        for sink in self.all:
            with self._containment.guard("a sink's close"):
                sink.close()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._containment.caught("a sink", error)


def _checked(sinks: Iterable[SpanSink]) -> tuple[SpanSink, ...]:
    try:
        listed = tuple(sinks)
    except TypeError:
        raise UsageError(f"sinks takes a list of sinks, such as sinks=[OTelBridge()], not {sinks!r}") from None
    for sink in listed:
        lacking = [name for name in ("on_start", "on_end", "close") if not callable(getattr(sink, name, None))]
        if lacking:
            raise UsageError(f"{sink!r} is not a sink: it has no {lacking[0]}()")
        if isinstance(sink, type):
            raise UsageError(f"sinks takes sinks, not their class: {sink.__name__}() instead of {sink.__name__}")
    return listed
