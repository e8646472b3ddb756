"""What is laid out and drawn, and what is not: a terminal may be far away, and a key waits for both."""

from pathlib import Path
from typing import Any

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.screen import Screen

from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty support traces, two of them failed."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl")


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
