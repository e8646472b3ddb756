"""Numbers as short text for narrow columns: durations, counts, bytes, money, ages. ``?`` stands for unknown."""

from datetime import UTC, datetime, tzinfo

UNKNOWN = "?"


def duration(ms: float | None) -> str:
    """Milliseconds in at most six characters: ``57µs``, ``4.2ms``, ``812ms``, ``8.4s``, ``3m05s``, ``3d4h``."""
    if ms is None:
        return UNKNOWN
    if ms < 0.9995:
        return f"{ms * 1000:.0f}µs"
    if ms < 9.95:
        return f"{ms:.1f}ms"
    if ms < 999.5:
        return f"{ms:.0f}ms"
    seconds = ms / 1000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 59.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours < 24 else f"{hours // 24}d{hours % 24}h"


def took(ms: float | None, status: str) -> str:
    """How long a span took; of one without an end, what is known of that."""
    return duration(ms) if ms is not None else {"unfinished": "no end"}.get(status, status)


def count(number: float | None) -> str:
    """``999``, ``1.2k``, ``12k``, ``3.4M``."""
    if number is None:
        return UNKNOWN
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            value = number / size
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return f"{number:.0f}"


def size(number: float) -> str:
    """Bytes: ``812 B``, ``2.0 MB``."""
    for unit, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{number / unit:.1f} {letter}"
    return f"{number:.0f} B"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 span``, ``2,000 spans``; ``many`` where that is more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def name(text: str) -> str:
    """A name as it is; of one that shows nothing, that it does."""
    return text if text.strip() else "(no name)"


def attempt(number: int | None) -> str:
    """What a name is followed by from the second attempt on: `` (attempt 2)``."""
    return f" (attempt {number})" if number is not None and number > 1 else ""


def money(dollars: float | None, *, more: bool = False) -> str:
    """US dollars: ``$.0042``, ``$.08``, ``$12.40``; ``$12.40+`` when there is ``more``, which is not known.

    What would round to nothing is ``<$.0001``: it was not free.
    """
    if dollars is None:
        return UNKNOWN
    if 0 < dollars < 0.00005:
        return "$0+" if more else "<$.0001"
    if more:
        return f"${dollars:,.0f}+" if dollars >= 100 else f"{money(dollars)}+"
    if dollars == 0:
        return "$0"
    if dollars < 0.01:
        return f"${dollars:.4f}".replace("$0.", "$.")
    return f"${dollars:.2f}".replace("$0.", "$.") if dollars < 1000 else f"${dollars:,.0f}"


def age(seconds: float) -> str:
    """How long ago, one unit: ``12s``, ``3m``, ``5h``, ``1d``."""
    for length, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{int(seconds // length)}{letter}"
    return f"{max(0, int(seconds))}s"


def clock(us: int, tz: tzinfo = UTC, *, date: bool = False) -> str:
    """Microseconds since the epoch as the clock on a wall in ``tz``; with ``date`` the day in front."""
    try:
        stamp = datetime.fromtimestamp(us / 1e6, tz)
    except (ValueError, OverflowError, OSError):
        return UNKNOWN
    return stamp.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
