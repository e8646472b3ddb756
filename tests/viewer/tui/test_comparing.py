"""Two traces side by side."""

from dataclasses import replace
from pathlib import Path

from flightlog_viewer.tui.screens.trace import TraceView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_trace


async def test_enter_opens_the_trace_of_its_side(tmp_path: Path) -> None:
    """Also where the id of a trace is not that of its root, as in what other tracers have written."""
    path = tmp_path / "s.jsonl"
    spans = [replace(span, trace_id=f"other-{n}") for n in range(2) for span in support_trace(n)]
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans))
    async with driven([path], size=(120, 40)) as viewer:
        view = viewer.app.main.view("trace")
        assert isinstance(view, TraceView)
        await viewer.press("c", "j", "c")
        await viewer.press("tab", "j", "enter")
        assert (view.trace_id, getattr(view.waterfall.selected, "run_id", None)) == ("other-0", "trace-000-a")
        await viewer.press("1", "g", "c", "j", "c")
        await viewer.press("enter")
        assert (view.trace_id, getattr(view.waterfall.selected, "run_id", None)) == ("other-1", "trace-001")
