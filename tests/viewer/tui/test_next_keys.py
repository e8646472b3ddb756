"""The keys for the next of something: an error, a sibling, what a filter or a search matches."""

from pathlib import Path

import pytest

from flightlog_viewer.tui.screens.trace import TraceView
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file


async def test_the_next_error_of_the_list(tmp_path: Path) -> None:
    """e stays on a failed trace that nobody has chosen, then goes on; round an end it says so, and E goes back."""
    path = support_file(tmp_path / "spans.jsonl", 6, failing=(5, 2))
    async with driven([path]) as viewer:
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        table = view.table
        seen = []
        for key in ("e", "e", "e", "E", "k", "e"):
            await viewer.press(key)
            seen.append((table.cursor, viewer.toasts()))
        here, round_end, round_top = (
            "the first one is right here",
            "past the end: on from the top",
            "past the top: on from the end",
        )
        # One toast takes the place of another.
        assert seen == [(0, here), (3, here), (0, round_end), (3, round_top), (2, round_top), (3, round_top)]
        await viewer.press("slash")
        await viewer.write("root:status:ok")
        await viewer.press("enter")
        await viewer.press("e")
        assert "no trace in this list failed or died" in viewer.toasts()


@pytest.mark.slow
async def test_a_trace_opens_at_what_its_list_was_filtered_for(tmp_path: Path) -> None:
    """At the innermost span that passes, n goes on to the next; a filter that all spans pass changes nothing."""
    async with driven([support_file(tmp_path / "spans.jsonl", 2, failing=(1,))], size=(120, 40)) as viewer:
        trace = viewer.app.main.view("trace")
        assert isinstance(trace, TraceView)
        seen = []
        for text in ("node:tools", "output:found", "status:error dur<1s", "root:status:error", "thread:t-1"):
            await viewer.press("1", "slash", "ctrl+u")
            await viewer.write(text)
            await viewer.press("enter", "enter")
            found = []
            for _ in range(2):
                assert trace.waterfall.selected is not None
                found.append(trace.waterfall.selected.run_id.removeprefix("trace-001"))
                await viewer.press("n")
            seen.append(found)
        assert seen == [["-t", "-t"], ["-s0", "-s1"], ["-r", "-r"], ["", ""], ["", ""]]
        assert "no filter: / sets one" in viewer.toasts()


@pytest.mark.slow
async def test_the_next_of_something_in_a_trace_says_where_it_went(tmp_path: Path) -> None:
    """Errors, siblings, matches and what is searched for: each says that it went round, was the last, or is none."""
    async with driven([support_file(tmp_path / "spans.jsonl", 1, failing=(0,))], size=(120, 40)) as viewer:
        said = []
        await viewer.press("enter", "e")
        for key in ("e", "full_stop", "n"):
            await viewer.press(key)
            said.append(viewer.toasts())
        for text, key in (("type:llm", "e"), ("name:nowhere", "e"), ("name:nowhere", "n")):
            await viewer.press("slash", "ctrl+u")
            await viewer.write(text)
            await viewer.press("enter")
            await viewer.press(key)
            said.append(viewer.toasts())
        assert said == [
            "past the end: on from the top",
            "this is the last of its siblings",
            "no filter: / sets one",
            "this is the only one",  # the root, which stands above what matches
            "no span of this filter failed",
            "no span matches this filter",
        ]
        await viewer.press("escape", "tab", "ctrl+f")
        await viewer.write("order")
        await viewer.press("enter")
        await viewer.press("G", "n")
        assert viewer.toasts() == "past the end: on from the top"
