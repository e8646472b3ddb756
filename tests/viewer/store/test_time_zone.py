"""Queries about the last hours, on machines that are elsewhere."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flightlog_viewer import open_store
from tests.viewer.store.records import span, write


@pytest.fixture(params=["Asia/Tokyo", "America/Los_Angeles"])
def _elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("now", ["now()", "now()::TIMESTAMP", "current_timestamp", "get_current_timestamp()"])
def test_the_last_hour_is_the_same_hour_everywhere(tmp_path: Path, now: str) -> None:
    """The clock of a query is that of the times it is compared with: UTC, whatever the machine's zone is."""
    minutes = {"new": 5, "old": 65, "to come": -55}
    lines = [
        span(name, trace=name, start_time=(datetime.now(UTC) - timedelta(minutes=ago)).isoformat())
        for name, ago in minutes.items()
    ]
    query = f"SELECT name FROM spans WHERE start_time BETWEEN {now} - INTERVAL 1 HOUR AND {now}"
    with open_store(write(tmp_path / "a.jsonl", *lines)) as store:
        assert store.sql(query).fetchall() == [("new",)]


@pytest.mark.usefixtures("_elsewhere")
def test_a_day_is_the_same_day_everywhere(tmp_path: Path) -> None:
    """The days and the offsets of what has a zone are UTC's, as those of every other time."""
    late = span("r", start_time="2026-11-20T23:30:00Z")
    with open_store(write(tmp_path / "a.jsonl", late)) as store:
        query = "SELECT t::DATE::VARCHAR, t::VARCHAR FROM (SELECT start_time AT TIME ZONE 'UTC' AS t FROM spans)"
        assert store.sql(query).fetchall() == [("2026-11-20", "2026-11-20 23:30:00+00")]
