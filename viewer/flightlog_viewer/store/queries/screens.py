"""What the viewer's screens ask beyond the named queries: bins for plots, and one span.

Plots are binned here, so that a million spans come back as a few dozen numbers.
"""

from typing import TYPE_CHECKING, Final

from flightlog_viewer.store.columns import LIGHT
from flightlog_viewer.store.queries.named_query import Statement

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter

BINS_PER_DECADE: Final = 4


def latency_bins(kind: str, where: "Filter") -> Statement:
    """``bin, count``: passing spans of a type by duration; bin ``n`` begins at ``10 ** (n / BINS_PER_DECADE)`` ms."""
    return (
        "SELECT floor(log10(greatest(duration_ms, 0.001)) * ?)::INTEGER AS bin, count(*) AS count FROM spans "
        "WHERE type = ? AND duration_ms IS NOT NULL AND status IS DISTINCT FROM 'interrupted' "
        f"AND ({where.where}) GROUP BY bin ORDER BY bin",
        [BINS_PER_DECADE, kind, *where.params],
    )


def token_bins(count: int, where: "Filter") -> Statement:
    """``start_us, tokens``: tokens of model calls, those that pass, in about ``count`` equal stretches of time."""
    return (
        "WITH calls AS (SELECT epoch_us(start_time) AS us, token_usage.total_tokens AS tokens FROM spans "
        f"WHERE counted AND ({where.where})), "
        "edge AS (SELECT min(us) AS first, greatest(1, (max(us) - min(us)) // ?) AS step FROM calls) "
        "SELECT first + ((us - first) // step) * step AS start_us, sum(tokens)::BIGINT AS tokens "
        "FROM calls, edge GROUP BY ALL ORDER BY ALL",
        [*where.params, count],
    )


def span_columns() -> str:
    """The columns of ``spans`` that one row costs nothing: payloads and times without children are left out.

    ``self_ms`` of one span would be worked out for all of them first.
    """
    return ", ".join(["row_id", *(c.name for c in LIGHT if c.name != "metadata"), "end_time", "cost_usd", "file"])
