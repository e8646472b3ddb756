"""The keys of a screen, where there is nothing for them to work on."""

from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from textual.binding import Binding

from flightlog_viewer.tui.screens.threads import ThreadsView
from flightlog_viewer.tui.screens.trace import TraceView
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.permissions import like_others
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import span, support_file, support_trace, write

__all__ = ["like_others"]


@pytest.mark.slow
async def test_no_key_of_the_threads_fails_without_a_thread(tmp_path: Path) -> None:
    """Over an empty database every key says that there is nothing, or does nothing."""
    database = tmp_path / "empty.sqlite"
    with SqliteSaver.from_conn_string(str(database)) as saver:
        saver.setup()
    keys = [binding.key for binding in ThreadsView.BINDINGS if isinstance(binding, Binding)]
    async with driven([], [database]) as viewer:
        for key in sorted(keys, key=lambda key: key == "m"):
            await viewer.pilot.press("3", key, *(["escape"] if key == "slash" else []))
        await viewer.settle()
        assert "no step to mark" in viewer.toasts()


async def test_what_could_not_be_written_is_missing(tmp_path: Path) -> None:
    """The line at the top says how many spans are lost, and R when and why."""
    error = {"type": "SpansLost", "message": "12 spans could not be written: the disk was full"}
    loss = span("flightlog.loss", "l", trace="l", at_ms=1, took_ms=0, type="event", status="error", host="vm",
                metadata={"lost": 12}, error=error)  # fmt: skip
    path = write(tmp_path / "s.jsonl", [*support_trace(1), loss])
    async with driven([path], size=(120, 40)) as viewer:
        assert "12 lost (R)" in viewer.text().splitlines()[0]
        await viewer.press("R")
        assert "2025-11-20 12:00:00  vm: 12 spans could not be written: the disk was full" in viewer.text()


@pytest.mark.usefixtures("like_others")
async def test_files_of_another_user_are_missing(tmp_path: Path) -> None:
    """The line at the top says how many of a folder were left out, and R which."""
    support_file(tmp_path / "ours.jsonl", 1)
    support_file(tmp_path / "theirs.jsonl", 1).chmod(0)
    async with driven([tmp_path], size=(120, 40)) as viewer:
        assert "9 spans  1 file left out (R)" in viewer.text().splitlines()[0]
        await viewer.press("R")
        assert "permission denied" in viewer.text()
        assert str(tmp_path / "theirs.jsonl") in viewer.text()


async def test_no_tab_of_a_span_without_a_span(tmp_path: Path) -> None:
    """Before a trace is opened the tabs have nothing to show, and say so whichever is turned to."""
    async with driven([support_file(tmp_path / "s.jsonl", 2)], size=(120, 40)) as viewer:
        await viewer.press("slash")
        await viewer.write("name:nobody")
        await viewer.press("enter", "2", "v")
        assert "nothing is chosen" in viewer.text()
        await viewer.press("1", "escape", "2")
        assert "[Raw]" in viewer.text()
        assert "nothing is chosen" not in viewer.text()


async def test_screen_2_before_a_trace_was_opened(tmp_path: Path) -> None:
    """The number of an empty screen opens the trace under the cursor of the list, and later goes back to that one."""
    async with driven([support_file(tmp_path / "s.jsonl", 3)], size=(120, 40)) as viewer:
        await viewer.press("j", "2")
        trace, chosen = viewer.app.query_one(TraceView), viewer.app.query_one(TracesView).selected()
        assert chosen is not None
        assert trace.trace_id == chosen.trace_id
        await viewer.press("1", "j", "2")
        assert trace.trace_id == chosen.trace_id
