"""The list of threads: its filter, and what leads past it."""

from pathlib import Path

import pytest

from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import checkpoint_file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("threads")
    return support_file(folder / "s.jsonl"), checkpoint_file(folder / "c.sqlite")


def listed(viewer: Driven) -> set[str]:
    """The threads that stand in the list."""
    lines = [line.split() for line in viewer.text().splitlines()[4:14]]
    return {word for line in lines for word in line[1:2] if word.startswith("t-")}


async def test_a_filter_leaves_the_threads_that_match(files: tuple[Path, Path]) -> None:
    """/ filters the threads by the same language as traces, says how many are left, and Esc brings all back."""
    async with driven([files[0]], [files[1]], size=(80, 24)) as viewer:
        await viewer.press("3")
        assert "3 threads  ‖1" in viewer.text()
        await viewer.press("slash")
        await viewer.write("status:interrupted refund")
        await viewer.press("enter")
        assert listed(viewer) == {"t-1"}
        assert "1 of 3" in viewer.text()
        await viewer.press("enter")
        assert "t-1  < step 0, 2 of 2 >" in viewer.text()
        await viewer.press("escape", "escape")
        assert listed(viewer) == {"t-0", "t-1", "t-2"}


async def test_a_mistake_keeps_the_threads(files: tuple[Path, Path]) -> None:
    """What cannot be meant is marked under the line, and a filter that leaves nothing says how to go on."""
    async with driven([files[0]], [files[1]], size=(80, 24)) as viewer:
        await viewer.press("3", "slash")
        await viewer.write("stauts:x")
        await viewer.press("enter")
        assert "^ threads have no field 'stauts': did you mean `status`?" in viewer.text()
        assert "t-2" in viewer.text()
        await viewer.press("escape", "slash")
        await viewer.write("nowhere")
        await viewer.press("enter")
        assert "no thread matches this filter: Esc clears it" in viewer.text()


async def test_a_thread_that_is_asked_for_is_shown_through_a_filter(files: tuple[Path, Path]) -> None:
    """Whoever comes from the inbox to a thread that the filter hides finds it, and the filter is gone."""
    async with driven([files[0]], [files[1]], size=(120, 40)) as viewer:
        await viewer.press("3", "slash")
        await viewer.write("thread:t-2")
        await viewer.press("enter", "4", "t")
        assert "t-1  < step 0, 2 of 2 >" in viewer.text()
        assert listed(viewer) == {"t-0", "t-1", "t-2"}
