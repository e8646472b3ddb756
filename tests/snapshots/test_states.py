"""Pictures of what is not the usual: other themes, ASCII, no colour, nothing there, still loading, gone wrong."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from flightlog.errors import UnreadableError
from flightlog_viewer.tui.app import FlightlogApp
from flightlog_viewer.tui.session import Progress, Session
from flightlog_viewer.tui.widgets.query_editor import QueryEditor
from tests.snapshots.pictures import NOW, SCREENS, WAYS, Svg, picture
from tests.viewer.tui.driving import driven

pytestmark = pytest.mark.uncounted

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"theme": "flightlog-light"},
    "ansi": {"theme": "ansi-dark"},
    "ascii": {"ascii_only": True},
    "no-colour": {},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "look", [pytest.param(look, marks=pytest.mark.soak) if "theme" in LOOKS[look] else look for look in LOOKS]
)
async def test_looks(look: str, files: tuple[Path, Path], snapshot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each screen in the other themes, in ASCII and without colour."""
    if look == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    async with driven([files[0]], [files[1]], size=(120, 40), now=lambda: NOW, **LOOKS[look]) as viewer:
        for screen in SCREENS:
            await viewer.press("escape", "1", "g", *WAYS[screen])
            assert picture(viewer.app) == snapshot(extension_class=Svg, name=screen)
            if look == "ascii":
                assert ascii_part(picture(viewer.app)).isascii()


def ascii_part(svg: str) -> str:
    """What of a picture is text of the screen."""
    return "".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("&#160;", " ")


async def test_small(files: tuple[Path, Path], snapshot: Any) -> None:
    """Under 60x15 the list has everything to itself."""
    async with driven([files[0]], size=(50, 12)) as viewer:
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="traces")
        await viewer.press("enter")
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="trace")


async def test_nothing_there(tmp_path: Path, snapshot: Any) -> None:
    """Each screen over an empty file and no database says what to do."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    async with driven([empty]) as viewer:
        for number, screen in enumerate(SCREENS, 1):
            await viewer.press(str(number))
            assert picture(viewer.app) == snapshot(extension_class=Svg, name=screen)


@pytest.mark.slow
async def test_mistakes(files: tuple[Path, Path], snapshot: Any) -> None:
    """A filter without a match, filters that cannot be read, a query that is wrong: the rows stay."""
    async with driven([files[0]]) as viewer:
        await viewer.press("slash")
        await viewer.write("name:nobody")
        await viewer.press("enter")
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="no-match")
        await viewer.press("escape", "slash")
        await viewer.write("dur>soon")
        await viewer.press("enter")
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="traces")
        await viewer.press("escape", "enter", "slash")
        await viewer.write("status=error")
        await viewer.press("enter")
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="trace")
        await viewer.press("escape", "6")
        viewer.app.screen.query_one(QueryEditor).text = ""
        await viewer.write("SELECT nme FROM spans")
        await viewer.press("ctrl+r")
        assert picture(viewer.app) == snapshot(extension_class=Svg, name="sql")


class HeldSession(Session):
    """Stops in the middle of its load until it is let go, or told to stop."""

    def __init__(self, path: Path) -> None:
        super().__init__([str(path)], cache=False)
        self.go_on = threading.Event()

    def load(self, progress: Progress) -> None:
        while not self.go_on.wait(0.2):
            if not progress(12_000_000, 80_000_000, 14_000):
                raise UnreadableError("the load was cancelled")
        super().load(progress)


async def appears(pilot: Pilot[Any], text: str) -> None:
    """Wait until a text is on the screen."""
    for _ in range(400):
        if text in shown(pilot):
            return
        await pilot.pause(0.05)
    raise TimeoutError(text)


def shown(pilot: Pilot[Any]) -> str:
    """Everything on the screen."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def visit(pilot: Pilot[Any], number: int) -> None:
    """Go to a screen and wait until it does not change any more: the load, which goes on, is no measure of that."""
    await pilot.press(str(number))
    await appears(pilot, f"[{number} ")
    same, before = 0, ""
    while same < 4:
        await pilot.pause(0.05)
        now = shown(pilot)
        same, before = (same + 1 if now == before else 0), now


@pytest.mark.slow
async def test_loading(files: tuple[Path, Path], snapshot: Any) -> None:
    """While it loads the newest traces are there, with how far it is; Esc stops it, r goes on."""
    session = HeldSession(files[0])
    app = FlightlogApp(session, first_rows=session.excerpt(), clock=lambda: 0.0)
    app.animation_level = "none"
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await appears(pilot, "14,000")
            for number, screen in enumerate(SCREENS, 1):
                await visit(pilot, number)
                assert picture(app) == snapshot(extension_class=Svg, name=screen)
            await pilot.press("escape", "1", "j", "escape")
            await appears(pilot, "stopped")
            assert picture(app) == snapshot(extension_class=Svg, name="stopped")
            session.go_on.set()
            await pilot.press("r")
            await appears(pilot, "270")
            assert not app.faults
    finally:
        session.go_on.set()
        session.close()


class BrokenSession(Session):
    """Cannot load what it has shown the head of."""

    def load(self, progress: Progress) -> None:
        raise UnreadableError("support.jsonl cannot be read: Input/output error")


@pytest.mark.slow
async def test_gone_wrong(files: tuple[Path, Path], snapshot: Any) -> None:
    """Each screen when the load has failed: a banner says why, and what was read stays."""
    session = BrokenSession([str(files[0])], cache=False)
    app = FlightlogApp(session, first_rows=session.excerpt())
    app.animation_level = "none"
    async with app.run_test(size=(80, 24)) as pilot:
        for number, screen in enumerate(SCREENS, 1):
            await visit(pilot, number)
            assert picture(app) == snapshot(extension_class=Svg, name=screen)


async def test_damaged_database(tmp_path: Path, files: tuple[Path, Path], snapshot: Any) -> None:
    """A database that is none gets a banner, and the screens that live on it say so."""
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_bytes(b"SQLite format 3\0" + b"no database at all" * 100)
    async with driven([files[0]], [wrong]) as viewer:
        for number in (3, 4):
            await viewer.press(str(number))
            shown = picture(viewer.app).replace(str(tmp_path), "")
            assert "wrong.sqlite" in shown
