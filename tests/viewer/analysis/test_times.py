"""Zones and the wall clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flightlog.errors import UsageError
from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.times import wall, zone


def test_local_is_the_zone_of_this_machine_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ names it, empty it is UTC, without it the system does; a zone without a name is refused with a sentence."""
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert str(zone("local")) == "Europe/Berlin"
    monkeypatch.setenv("TZ", "")
    assert str(zone("Local")) == "UTC"
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
