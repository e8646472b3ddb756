"""Points in time and lengths of time as people type them."""

import os
import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flightlog.errors import UsageError

_MILLISECONDS: Final = {
    "ns": 1e-6,
    "us": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "m": 60e3,
    "min": 60e3,
    "h": 3600e3,
    "d": 86400e3,
    "w": 7 * 86400e3,
}
_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)([a-z]*)")

_FOR_THE_SYSTEM: Final = ("posix", "right/")
"""Files beside the zones that DuckDB knows by no name."""


def zone(name: str | None) -> tzinfo:
    """The time zone of that name; UTC for None, this machine's for ``local``. Raises UsageError."""
    if name is None:
        return UTC
    if name.lower() in ("local", "localtime"):
        return _local()
    try:
        if not name.startswith(_FOR_THE_SYSTEM):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise UsageError(f"no time zone {name!r}: give one like Europe/Paris, UTC or local")


def milliseconds(text: str) -> float:
    """A length of time in milliseconds: ``1.5s``, ``2m30s``, ``250`` (milliseconds). Raises UsageError."""
    total, at = 0.0, 0
    lowered = text.strip().lower()
    for found in _LENGTH.finditer(lowered):
        factor = _MILLISECONDS.get(found[2] or "ms")
        if found.start() != at or factor is None:
            break
        total += float(found[1]) * factor
        at = found.end()
    if not lowered or at != len(lowered):
        raise UsageError(f"{text!r} is not a length of time: give one like 250ms, 2s or 1m30s")
    return total


def point(text: str, *, tz: tzinfo = UTC, now: datetime | None = None) -> datetime:
    """A point in time, as a naive datetime in UTC like the store's. Raises UsageError.

    Takes RFC 3339, a date, a time of today, ``today``, ``yesterday``, ``now``, or how long ago: ``15m``, ``-2h``,
    ``3d``. Without an offset it is meant in ``tz``.
    """
    here = (now if now is not None else datetime.now(UTC)).astimezone(tz)
    word = text.strip().lower()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": here, "today": midnight, "yesterday": midnight - timedelta(days=1)}.get(word)
    if named is not None:
        return _utc(named, tz)
    try:
        return _utc(here.astimezone(UTC) - timedelta(milliseconds=_ago(word)), tz)
    except (UsageError, OverflowError):
        pass
    try:
        if ":" in word[:3]:
            clock = f"0{word}" if word[1] == ":" else word
            return _utc(datetime.combine(here.date(), time.fromisoformat(clock)), tz)
        return _utc(datetime.fromisoformat(text.strip().upper()), tz)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a point in time: give one like 2026-11-20, 2026-11-20T12:00, 12:00, today or 2h (ago)"
        ) from None


def wall(moment: datetime, tz: tzinfo = UTC, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A point in time, UTC unless it says otherwise, as the clock on a wall in ``tz`` shows it."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        return aware.astimezone(tz).strftime(form)
    except (ValueError, OverflowError):  # the first and the last day there is
        return aware.strftime(form)


def shown(text: str | None, tz: tzinfo = UTC) -> str:
    """An RFC 3339 time in a zone, as `2026-11-20 12:00:00.250`; without an offset it is UTC. Other text stays."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return aware.astimezone(tz).replace(tzinfo=None).isoformat(" ", "milliseconds")
    except (ValueError, OverflowError):
        return text


def _local() -> tzinfo:
    """By name, because DuckDB and the days of summer time need more than an offset."""
    named = os.environ.get("TZ")
    if named is None:
        named = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    named = named.removeprefix(":")
    if named in ("", "UTC", "Etc/UTC"):
        return UTC
    try:
        return ZoneInfo(named)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError("this machine's time zone has no name: give --tz one, like Europe/Paris") from None


def _ago(word: str) -> float:
    bare = word.removeprefix("-").removesuffix("ago").strip()
    if bare.isdigit():
        raise UsageError("a length of time needs a unit")
    return milliseconds(bare)


def _utc(moment: datetime, tz: tzinfo) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=tz)
    return aware.astimezone(UTC).replace(tzinfo=None)
