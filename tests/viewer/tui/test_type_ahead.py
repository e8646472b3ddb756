"""Keys that come in a bunch, as over a slow line: each is for what the one before has led to."""

from pathlib import Path

import pytest

from flightlog_viewer.tui.screens.sql import SqlView
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import checkpoint_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six support traces, the second and the fifth of them failed."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl", 6, failing=(1, 4))


async def test_a_filter_typed_ahead_is_a_filter(spans: Path) -> None:
    """What comes right behind / is typed, Enter applies it, and the next Enter opens what it has left."""
    async with driven([spans]) as viewer:
        await viewer.type("/", *"status:error", "enter", "j", "enter")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.filter_line.text == "status:error"
        assert len(view.table.rows) == 2
        await viewer.until("[2 Trace]")
        await viewer.until("✗2")


async def test_enter_waits_for_the_next_error(spans: Path) -> None:
    """e and Enter in one bunch open the trace that e leads to."""
    async with driven([spans]) as viewer:
        await viewer.type("e", "enter")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.table.cursor == 1
        await viewer.until("✗2")


async def test_a_screen_is_there_before_the_keys_for_it(spans: Path, tmp_path: Path) -> None:
    """The first keys of a screen reach it although it is made only now; Esc before it is there leads back."""
    async with driven([spans], [checkpoint_file(tmp_path / "checkpoints.sqlite")]) as viewer:
        await viewer.type("2", "escape", "j")
        await viewer.until("[1 Traces]")
        await viewer.type("5", "v", "v", "Z")
        await viewer.until("[Node]")
        await viewer.type("6", *"-- ", "escape", "4", "v")
        sql = viewer.app.main.view("sql")
        assert isinstance(sql, SqlView)
        assert sql.editor.text.startswith("-- SELECT")
        await viewer.until("[Answered]")


async def test_a_key_held_down_is_not_held_up(spans: Path) -> None:
    """Equal keys in a bunch all count."""
    async with driven([spans]) as viewer:
        await viewer.type(*"jjjj", "k")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.table.cursor == 3
