"""A trace that is still running while it is looked at: what one stands on and what one has closed stay as they are."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog.writing.span_file import SpanFile
from flightlog_viewer.tui.screens.trace import TraceView
from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import span

TRACE = "trace"


def step(name: str, at_ms: float, parent: str = TRACE, **fields: Any) -> dict[str, Any]:
    """The record of a span of the trace; its run id is its name."""
    made = span(name, name, parent=parent, trace=TRACE, at_ms=at_ms, took_ms=5, **fields)
    return made.to_record()


class Run:
    """Two nodes side by side: the first has made three calls alike, the second is still at work."""

    def __init__(self, path: Path) -> None:
        self._writer = SpanFile(path)
        self.write(step("first", 1, kind="node"))
        self.write(step("asked", 1.2, "first", type="llm"))
        for number in range(3):
            self.write({**step(f"call{number}", 2 + number, "first", type="tool"), "name": "call"})
        root = {**step("root", 0, kind="graph"), "run_id": TRACE, "parent_run_id": None, "seq": 90}
        self.second = {**step("second", 50, kind="node"), "seq": 91}
        for record in (root, self.second):
            record["writer_id"] = self._writer.writer_id
            start = {name: value for name, value in record.items() if name not in ("status", "duration_ms")}
            self._writer.open_span(record["seq"], orjson.dumps(start))
        self.write(step("inside", 51, "second"))

    def write(self, record: dict[str, Any]) -> None:
        """A span has ended."""
        self._writer.write(orjson.dumps(record) + b"\n")

    def close(self) -> None:
        """No more spans."""
        self._writer.close()


def rows(viewer: Driven) -> list[str]:
    """The tree, a line a row, the one of the cursor with a mark."""
    view = viewer.app.main.view("trace")
    assert isinstance(view, TraceView)
    tree = view.waterfall
    found = []
    for number, (node, _) in enumerate(tree._folding.lines):
        name = tree.outline.rows[node].run_id if tree.outline.is_span(node) else "group"
        found.append(f"> {name}" if number == tree.cursor else name)
    return found


@pytest.mark.parametrize(
    ("keys", "place", "closed"),
    [("jjj", "group", False), ("jjjj", "second", False), ("jjjjh", "second", True)],
    ids=["a group", "what ends", "what is closed and ends"],
)
async def test_the_cursor_and_the_folds_stay(tmp_path: Path, keys: str, place: str, closed: bool) -> None:
    """A span that ends is another row of the store, and a group may be under the cursor."""
    path = tmp_path / "s.jsonl"
    run = Run(path)

    def expected(*come: str) -> list[str]:
        tree = [TRACE, "first", "asked", *come, "group", "second", *([] if closed else ["inside"])]
        return [f"> {row}" if row == place else row for row in tree]

    async with driven([path], size=(120, 40)) as viewer:
        await viewer.press("enter", "g", *keys)
        assert rows(viewer) == expected()
        run.write(step("early", 1.5, "first"))
        run.write(run.second)
        for _ in range(200):
            if "early" in rows(viewer):
                break
            await viewer.pilot.pause(0.05)
        await viewer.settle()
        assert rows(viewer) == expected("early")
    run.close()
