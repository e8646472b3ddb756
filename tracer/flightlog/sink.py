"""The seam for other consumers of live spans."""

from typing import Protocol

from flightlog.span import Span


class SpanSink(Protocol):
    """Sees every span after redaction, in the thread of the callback. What it raises is contained and counted."""

    def on_start(self, span: Span) -> dict[str, str] | None:
        """A run began; ``status`` and ``duration_ms`` are None. What it returns becomes the span's ``otel`` ids."""

    def on_end(self, span: Span) -> None:
        """A run ended."""

    def close(self) -> None:
        """The tracer closes."""
