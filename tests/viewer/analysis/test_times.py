"""Zones and the wall clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flightlog.errors import UsageError
from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.times import milliseconds, point, wall, zone


def test_local_is_the_zone_of_this_machine_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ names it, empty it is UTC, without it the system does; a zone without a name is refused with a sentence."""
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert str(zone("local")) == "Europe/Berlin"
    for nothing_else in ("", "UTC", "Etc/UTC"):
        monkeypatch.setenv("TZ", nothing_else)
        assert zone("Local") is UTC
    monkeypatch.setenv("TZ", "XYZ-1")
    with pytest.raises(UsageError, match="has no name"):
        zone("local")
    monkeypatch.delenv("TZ")
    monkeypatch.setattr("os.path.realpath", lambda path: "/usr/share/zoneinfo/Asia/Tokyo")
    assert str(zone("local")) == "Asia/Tokyo"


def test_summer_time_is_kept() -> None:
    """The same zone is an hour further in July."""
    berlin = zone("Europe/Berlin")
    assert wall(datetime(2025, 1, 1, 12), berlin) == "2025-01-01 13:00:00"
    assert wall(datetime(2025, 7, 1, 12, tzinfo=UTC), berlin) == "2025-07-01 14:00:00"
    assert units.clock(1_751_371_200_000_000, berlin, date=True) == "2025-07-01 14:00:00"


def test_no_time_is_too_far_away() -> None:
    """The last and the first moment there are have no wall clock in every zone: they stay as they are."""
    assert wall(datetime.max, timezone(timedelta(hours=1)), "%H:%M") == "23:59"
    assert wall(datetime.min, timezone(timedelta(hours=-1)), "%H:%M") == "00:00"


@pytest.mark.parametrize(
    "name", ["Nowhere/Land", "", "Europe", "../../etc/passwd", "posix/Europe/Berlin", "\x1b]0;x", "é"]
)
def test_a_zone_that_is_none_is_a_sentence(name: str) -> None:
    """It names ones that work; so are zones that the system knows and DuckDB does not."""
    with pytest.raises(UsageError, match="give one like Europe/Paris, UTC or local"):
        zone(name)


@pytest.mark.parametrize(
    ("text", "length"),
    [("250", 250), ("1.5s", 1500), ("2m30s", 150_000), ("1h 30m", None), ("3us", 0.003), ("1min", 60_000),
     ("1w", 604.8e6), ("", None), ("s", None), ("2x", None), ("1s?", None)],
)  # fmt: skip
def test_lengths_of_time(text: str, length: float | None) -> None:
    """A length is numbers with units, without gaps; a bare number is milliseconds."""
    if length is None:
        with pytest.raises(UsageError, match="is not a length of time"):
            milliseconds(text)
    else:
        assert milliseconds(text) == pytest.approx(length)


@pytest.mark.parametrize(
    ("text", "hour"),
    [("now", "20T14:30"), ("today", "19T23:00"), ("yesterday", "18T23:00"), ("2h", "20T12:30"), ("-90m", "20T13:00"),
     ("1d ago", "19T14:30"), ("9:15", "20T08:15"), ("9:1", None), ("09:15", "20T08:15"), ("2026-11-20", "19T23:00"),
     ("2026-11-20 09:15", "20T08:15"), ("2026-11-20t09:15z", "20T09:15"), ("2026", None), ("250", None),
     ("soon", None)],
)  # fmt: skip
def test_points_in_time(text: str, hour: str | None) -> None:
    """Days and times of day are those of the zone, an offset is its own, and a number without a unit is nothing."""
    now = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    if hour is None:
        with pytest.raises(UsageError, match="is not a point in time"):
            point(text, tz=zone("Europe/Berlin"), now=now)
    else:
        found = point(text, tz=zone("Europe/Berlin"), now=now)
        assert found == datetime.fromisoformat(f"2026-11-{hour}")
