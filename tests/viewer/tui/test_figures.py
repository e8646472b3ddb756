"""The rows of the screen of figures."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from flightlog_viewer.tui.glyphs import UNICODE
from flightlog_viewer.tui.lists.groups import GroupRows, columns
from flightlog_viewer.tui.screens.stats import StatsView
from flightlog_viewer.tui.session import Session
from flightlog_viewer.tui.widgets.plots import Plot
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import span, support_file, write


def graph(number: int, took_ms: float, **fields: Any) -> Any:
    """A trace of one span; there is one every ten minutes."""
    run = f"r{number}"
    return span("graph", run, trace=run, at_ms=number * 600_000, took_ms=took_ms, kind="graph", **fields)


def test_what_has_no_thread_has_a_share_of_errors_before_as_well(tmp_path: Path) -> None:
    """The group without a name is compared with itself, as the others are."""
    failed: dict[str, Any] = {"status": "error", "error": {"type": "E", "message": "m"}}
    spans = [
        graph(n, 5, thread_id="t" if n % 3 == 0 else None, **(failed if n % 2 else {"status": "ok"})) for n in range(30)
    ]
    session = Session([str(write(tmp_path / "s.jsonl", spans))], [], cache=False)
    try:
        session.load(lambda *_: True)
        figures = session.groups.figures("thread", UTC, timedelta(hours=1))
        rows = GroupRows(figures, figures.rows, "thread", UNICODE)
        at = [column.key for column in columns(figures)].index("before")
        texts = {cells[0].text: cells[at].text for cells in map(rows.cells, range(len(rows)))}
        assert texts == {"(none)": "47%", "t": "50%"}
    finally:
        session.close()


async def test_groups_of_unknown_values_come_last(tmp_path: Path) -> None:
    """Whichever way round a column is sorted."""
    waits: dict[str, Any] = {"status": "interrupted", "thread_id": "waits"}
    spans = [graph(1, 50, thread_id="slow"), graph(2, 5, thread_id="quick"), graph(3, 5, **waits)]
    async with driven([write(tmp_path / "s.jsonl", spans)], size=(120, 40)) as viewer:
        view = viewer.app.main.view("stats")
        assert isinstance(view, StatsView)
        await viewer.press("5", "V", "V", "V")
        assert view.group == "thread"
        found = []
        for _ in range(2):
            await viewer.press("s", "j", "enter")
            found.append([view.table.rows.key(row) for row in range(3)])
        assert found == [["slow", "quick", "waits"], ["quick", "slow", "waits"]]


async def test_a_group_without_a_name_says_so(tmp_path: Path) -> None:
    """What has no name cannot be filtered by: Enter says it, and stays."""
    async with driven([write(tmp_path / "s.jsonl", [graph(1, 50, thread_id=None)])], size=(120, 40)) as viewer:
        await viewer.press("5", "V", "V", "V")
        assert "(none)" in viewer.text()
        await viewer.press("G", "enter")
        assert "this one has none" in viewer.toasts()
        assert "[5" in viewer.text()


@pytest.mark.slow
async def test_plots_without_room_are_none(tmp_path: Path) -> None:
    """A terminal of any width shows the figures: on some of a few columns plotext fails."""
    async with driven([support_file(tmp_path / "s.jsonl", 6)], size=(120, 50)) as viewer:
        await viewer.press("5")
        (plot, _) = viewer.app.screen.query(Plot)
        for width in range(1, 30):
            plot.styles.width = width
            await viewer.settle()
            assert plot.size.width == width
            assert bool(str(plot.render()).strip()) == (width >= 16), width


async def test_the_times_of_the_plot_tell_days_and_hours_apart(tmp_path: Path) -> None:
    """Within a day hours are enough, over some days both are said, over months the day is."""
    for hours, first in ((1, "12:00:00"), (50, "11-20 12:00"), (24 * 90, "2025-11-20")):
        calls = [
            span("m", f"m{hour}", trace=f"m{hour}", at_ms=hour * 3_600_000, took_ms=5, type="llm", model="m",
                 token_usage={"total_tokens": 5}) for hour in (0, hours)
        ]  # fmt: skip
        async with driven([write(tmp_path / f"{hours}.jsonl", calls)], size=(120, 40)) as viewer:
            await viewer.press("5")
            assert first in viewer.text()


async def test_versions_are_compared_where_there_are_several(tmp_path: Path) -> None:
    """One version is nothing to group by; a second one that is appended makes a tab, which leads to its traces."""
    path = write(tmp_path / "s.jsonl", [graph(1, 50, service_version="1.0"), graph(2, 5)])
    async with driven([path], size=(80, 24)) as viewer:
        view = viewer.app.main.view("stats")
        assert isinstance(view, StatsView)
        await viewer.press("5", "V", "V")
        assert view.group == "day"
        assert "Version" not in viewer.text()
        with path.open("ab") as file:
            file.write(graph(3, 70, service_version="1.1").to_json() + b"\n")
        await viewer.until("Version")
        assert view.group == "day"
        assert "Thread [Day] Version Approvals [All] Last hour Last day" in " ".join(viewer.text().split())
        await viewer.press("v")
        assert view.group == "version"
        rows = {cells[0].text: cells[1].text for cells in map(view.table.rows.cells, range(3)) if cells}
        assert rows == {"1.1": "1", "1.0": "1", "(none)": "1"}
        await viewer.press("x")
        assert viewer.app.main._front == "trace"
        await viewer.press("5", "g", "enter")
        assert 'version:"1.1"' in viewer.text()
        assert "1 of 3" in viewer.text()
