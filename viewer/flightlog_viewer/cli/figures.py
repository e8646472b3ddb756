"""How figures look in tables for people: durations, counts, money, times."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from flightlog_viewer.analysis.times import wall
from flightlog_viewer.cli.output import unicode


def duration(ms: float | None) -> str:
    """``57 µs``, ``4.2 ms``, ``38 ms``, ``2.41 s``, ``3 m 05 s``, ``2 h 04 m``; empty when unknown."""
    if ms is None:
        return ""
    if ms < 0.9995:
        return f"{ms * 1000:.0f} {'µs' if unicode() else 'us'}"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def count(value: int | float | None) -> str:
    """A count with separators; ``?`` when unknown."""
    return "?" if value is None else f"{value:,.0f}"


def some(value: int | None) -> str:
    """A count where none is nothing to show."""
    return f"{value:,}" if value else ""


def money(value: float | None) -> str:
    """Dollars, four digits after the point for small amounts; empty when unknown."""
    if value is None:
        return ""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}" if value >= 0.0001 else "<$0.0001"


def cost(row: Mapping[str, Any]) -> str:
    """The ``cost_usd`` of a row of sums: a ``+`` says that some calls' cost is unknown, ``?`` that every one's is.

    Empty where no model was called.
    """
    known, unknown = row["cost_usd"], row.get("unknown_costs")
    if known is None:
        return "?" if unknown else ""
    return money(known) + ("+" if unknown else "")


def moment(tz: tzinfo) -> Callable[[datetime | None], str]:
    """A function that shows a time of the store (naive, UTC) in a zone, to the second."""

    def show(value: datetime | None) -> str:
        return "" if value is None else wall(value, tz)

    return show
