"""One trace in a list."""

from typing import NamedTuple


class TraceRow(NamedTuple):
    """One trace, as lists show it."""

    trace_id: str
    name: str
    status: str
    start_us: int
    """Microseconds since the epoch, UTC."""
    duration_ms: float | None
    span_count: int
    error_count: int
    total_tokens: int | None
    cost_usd: float | None
    """Of the calls whose cost is known; None when that is none of them."""
    thread_id: str | None
    service: str | None = None
    unknown_costs: int = 0
    """Model calls whose cost is not known."""
