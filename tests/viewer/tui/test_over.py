"""Menus, lines of input, documents and the palette: they lie over the frame, and leave it whole."""

from pathlib import Path

import pytest

from flightlog_viewer.tui.screens.help import HelpScreen
from flightlog_viewer.tui.screens.main import MainScreen
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file

ALL_SIZES = [(width, height) for width in (1, 4, 6) for height in (3, 6, 10, 20)]
SOME_SIZES = [(1, 3), (1, 20), (4, 6), (6, 3), (6, 10), (120, 1)]


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six support traces."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl", 6)


@pytest.mark.parametrize(
    ("before", "bunch"),
    [
        pytest.param(["s"], ["enter", "enter"], marks=pytest.mark.soak),
        pytest.param(["y"], ["enter", "enter", "enter"], marks=pytest.mark.soak),
        (["c", "j", "c"], ["enter", "enter"]),
        (["colon"], ["enter", "enter", "enter"]),
        (["colon", *"theme", "enter"], ["enter", "enter", "enter", "enter"]),
    ],
    ids=["sort", "copy", "compare", "palette", "themes"],
)
async def test_enter_twice_chooses_once(spans: Path, before: list[str], bunch: list[str]) -> None:
    """However fast Enter is pressed on what lies over the frame, only that is taken away."""
    async with driven([spans]) as viewer:
        await viewer.press(*before)
        await viewer.type(*bunch)
        assert any(isinstance(screen, MainScreen) for screen in viewer.app.screen_stack)
        await viewer.press("escape", "1")
        await viewer.until("[1 Traces]")


async def test_what_is_searched_for_twice_leaves_the_text(spans: Path) -> None:
    """Enter twice in the line of a search closes the line, not the document below it."""
    async with driven([spans]) as viewer:
        await viewer.press("question_mark", "ctrl+f", *"filter")
        await viewer.type("enter", "enter")
        assert isinstance(viewer.app.screen, HelpScreen)


async def test_a_command_of_the_palette_runs_once(spans: Path) -> None:
    """A command that is chosen twice in a bunch of keys is run once."""
    async with driven([spans]) as viewer:
        await viewer.press("colon", *"help", "down")
        await viewer.type("enter", "enter", "enter")
        assert len(viewer.app.screen_stack) == 2
        await viewer.press("escape")
        assert isinstance(viewer.app.screen, MainScreen)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SOME_SIZES, pytest.param(ALL_SIZES, marks=pytest.mark.soak)], ids=["some", "all"])
async def test_a_list_without_room_lives_on(spans: Path, sizes: list[tuple[int, int]]) -> None:
    """The palette and a menu survive a terminal of a few cells, and choose in a larger one again."""
    async with driven([spans]) as viewer:
        for opened, keys in (("colon", "help"), ("s", "")):
            await viewer.press(opened)
            for size in (*sizes, (80, 24)):
                await viewer.pilot.resize_terminal(*size)
                await viewer.press("down", "pageup", "pagedown", "end")
            await viewer.press(*keys, "enter", "enter", "escape", "1")
            await viewer.until("[1 Traces]")


@pytest.mark.parametrize(
    ("before", "name", "own"),
    [(["c", "j", "c"], "Comparison", "compare.side"), (["R"], "Bad lines", "overlay.leave")],
    ids=["compare", "rejects"],
)
async def test_what_lies_over_the_frame_has_help_too(spans: Path, before: list[str], name: str, own: str) -> None:
    """`?` names the keys of a comparison and of a document over the frame, its own ones first."""
    async with driven([spans], size=(100, 60)) as viewer:
        await viewer.press(*before)
        below = viewer.app.screen
        await viewer.press("question_mark")
        await viewer.until(f"Keys of the {name} screen")
        shown = viewer.text()
        assert shown.index(own) < shown.index("Keys of every list, tree and text")
        await viewer.press("question_mark")
        assert viewer.app.screen is below
