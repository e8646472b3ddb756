"""The console for queries: its rows, its export, completion and history."""

from pathlib import Path

import pytest

from flightlog_viewer.tui.screens.sql import SqlView, export
from flightlog_viewer.tui.screens.trace import TraceView
from flightlog_viewer.tui.widgets.grid import Grid
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty support traces, more rows than a screen has."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl")


async def test_the_sql_console_runs_exports_and_jumps(spans: Path, tmp_path: Path) -> None:
    """A query fills the grid, says when there is more, exports all of it, and an id leads to its trace."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("6", "ctrl+a")
        view = viewer.app.main.view("sql")
        assert isinstance(view, SqlView)
        view.editor.text = "SELECT trace_id, a.range FROM traces, range(40) a"
        await viewer.press("ctrl+r")
        assert "500 shown, more exist" in viewer.text()
        grid = view.query_one(Grid)
        await viewer.press("j", "j", "k", "l", "l", "h", "h")
        assert grid.cursor_coordinate == (1, 0)
        half = grid.size.height // 2
        await viewer.press("ctrl+d")
        assert grid.cursor_coordinate == (1 + half, 0)
        await viewer.press("ctrl+u", "ctrl+u")
        assert grid.cursor_coordinate == (0, 0)
        await viewer.press("G")
        assert grid.cursor_coordinate == (499, 0)
        await viewer.press("g", "enter")
        trace = viewer.app.main.view("trace")
        assert isinstance(trace, TraceView)
        assert trace.trace_id is not None
        # Whoever comes back goes on in the rows: keys are not text there.
        await viewer.press("escape", "j")
        assert grid.cursor_coordinate == (1, 0)
        await viewer.press("slash")
        view.editor.text = "SELECT * FROM nowhere"
        await viewer.press("ctrl+r")
        assert "nowhere" in viewer.text()
        view.editor.text = "DROP TABLE spans"
        await viewer.press("ctrl+r")
        assert not viewer.app.faults
        said = export(tmp_path / "out.csv", *viewer.app.session.cursors.sql("SELECT '=1+1' AS x FROM range(600)", None))
        assert said.startswith("600 rows written")
        assert (tmp_path / "out.csv").read_text().startswith("x\n'=1+1\n")
        assert "exists already" in export(tmp_path / "out.csv", ["x"], [])


async def test_completion_and_history_of_queries(spans: Path) -> None:
    """Tab completes names of tables and columns; Alt+Up brings the query before."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("6")
        view = viewer.app.main.view("sql")
        assert isinstance(view, SqlView)
        view.editor.text = ""
        await viewer.press("t", "r", "a", "c", "e", "s", "space", "t", "o", "o", "l", "underscore", "tab")
        assert view.editor.text.startswith("traces tool_call")
        view.editor.text = "SELECT 1"
        await viewer.press("ctrl+r", "slash")
        view.editor.text = "SELECT 2"
        await viewer.press("ctrl+r", "slash", "alt+up", "alt+up")
        assert view.editor.text == "SELECT 1"
