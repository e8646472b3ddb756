"""What is laid out and drawn, and what is not: a terminal may be far away, and a key waits for both."""

from pathlib import Path
from typing import Any

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.screen import Screen
from textual.strip import Strip

from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import support_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty support traces, two of them failed."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl")


def traces(viewer: Driven) -> TracesView:
    """The list of traces."""
    view = viewer.app.main.view("traces")
    assert isinstance(view, TracesView)
    return view


def layouts(screen: Screen[Any]) -> list[object]:
    """Grows with every layout of a screen."""
    seen: list[object] = []
    screen.screen_layout_refresh_signal.subscribe(screen, seen.append, immediate=True)
    return seen


async def test_nothing_lies_under_the_frame(spans: Path) -> None:
    """The viewer starts with its own screen, and lays out no other one."""
    async with driven([spans]) as viewer:
        assert viewer.app.screen_stack == [viewer.app.main]


async def test_a_size_that_stays_asks_for_no_layout(spans: Path) -> None:
    """A terminal that tells its size once more is not laid out anew, one of another size is."""
    async with driven([spans]) as viewer:
        done = layouts(viewer.app.screen)
        await viewer.pilot.resize_terminal(80, 24)
        await viewer.settle()
        assert not done
        await viewer.pilot.resize_terminal(60, 20)
        await viewer.settle()
        assert done
        assert [len(line) <= 60 for line in viewer.text().split("\n")] == [True] * 20


async def test_the_focus_moves_without_drawing_everything(spans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/` and Esc draw who loses the focus, who has it, and the keys; not the lines at the top."""
    async with driven([spans]) as viewer:
        updates: list[Any] = []
        monkeypatch.setattr(viewer.app, "_display", lambda screen, update: updates.append(update))
        for key, last in (("slash", "To the list"), ("escape", "Open")):
            await viewer.press(key)
            assert last in viewer.text().splitlines()[-1]
        assert not [update for update in updates if isinstance(update, LayoutUpdate)]
        lines = {y for update in updates if isinstance(update, ChopsUpdate) for y, _, _ in update.spans}
        assert lines == set(range(2, 24))


async def test_a_count_as_wide_as_before_asks_for_no_layout(spans: Path) -> None:
    """The number of traces changes while they are followed; only one of another width moves anything."""
    async with driven([spans]) as viewer:
        line, done = traces(viewer).filter_line, layouts(viewer.app.screen)
        line.set_count("31 traces")
        await viewer.settle()
        done.clear()
        line.set_count("32 traces")
        await viewer.settle()
        assert not done
        assert "32 traces" in viewer.text()
        line.set_count("100 traces")
        await viewer.settle()
        assert done
        assert "100 traces" in viewer.text()


async def test_a_cursor_that_stays_draws_nothing(spans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are drawn when the cursor leaves or enters them."""
    async with driven([spans]) as viewer:
        table, drawn = traces(viewer).table, list[int]()
        render_line = table.render_line

        def counted(y: int) -> Strip:
            drawn.append(y)
            return render_line(y)

        monkeypatch.setattr(table, "render_line", counted)
        table.move_to(table.cursor)
        await viewer.settle()
        assert not drawn
        table.move_to(table.cursor + 1)
        await viewer.settle()
        assert drawn == [1, 2]
