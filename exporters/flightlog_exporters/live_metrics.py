"""The GenAI client metrics of finished LLM calls.

Source: gen-ai-metrics of the GenAI conventions; the bucket boundaries are theirs.
"""

from typing import Final

from opentelemetry.metrics import MeterProvider, get_meter

from flightlog.span import Span
from flightlog_exporters.semconv import genai, names

_TOKEN_BOUNDS: Final = [4**exponent for exponent in range(14)]
_SECOND_BOUNDS: Final = [0.01 * 2**exponent for exponent in range(14)]
_FIRST_CHUNK_BOUNDS: Final = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
]  # fmt: skip


class LiveMetrics:
    """Three histograms: tokens, duration and time to the first chunk (seconds)."""

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = get_meter(names.SCOPE, meter_provider=provider)
        self._tokens = meter.create_histogram(
            names.TOKEN_METRIC,
            "{token}",
            "Tokens used by a call",
            explicit_bucket_boundaries_advisory=_TOKEN_BOUNDS,
        )
        self._duration = meter.create_histogram(
            names.DURATION_METRIC,
            "s",
            "Duration of a call",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        )
        self._first_chunk = meter.create_histogram(
            names.FIRST_CHUNK_METRIC,
            "s",
            "Time to the first chunk of a streamed call",
            explicit_bucket_boundaries_advisory=_FIRST_CHUNK_BOUNDS,
        )

    def record(self, span: Span) -> None:
        """Take a finished LLM call into account."""
        about: dict[str, str] = {
            names.OPERATION: genai.operation(span) or names.CHAT,
            names.PROVIDER: genai.provider(span),
        }
        if request := span.request_model or span.model:
            about[names.REQUEST_MODEL] = request
        if span.model is not None:
            about[names.RESPONSE_MODEL] = span.model
        if not span.cache_hit:
            counts = genai.usage(span)
            for name, kind in ((names.INPUT_TOKENS, "input"), (names.OUTPUT_TOKENS, "output")):
                if name in counts:
                    self._tokens.record(counts[name], {**about, names.TOKEN_TYPE: kind})
        if span.time_to_first_token_ms is not None:
            self._first_chunk.record(span.time_to_first_token_ms / 1000, about)
        if span.error is not None:
            about[names.ERROR_TYPE] = str(span.error.get("type") or "_OTHER")
        if span.duration_ms is not None:
            self._duration.record(span.duration_ms / 1000, about)
