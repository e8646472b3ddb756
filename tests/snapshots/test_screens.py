"""Pictures of the screens at three sizes."""

from pathlib import Path
from typing import Any

import pytest

from tests.snapshots.pictures import NOW, SCREENS, WAYS, Svg, picture
from tests.viewer.tui.driving import driven

pytestmark = pytest.mark.uncounted

SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.mark.slow
async def test_screens(files: tuple[Path, Path], snapshot: Any) -> None:
    """Each screen in the dark theme, in one run that changes its size."""
    async with driven([files[0]], [files[1]], size=SIZES[0], now=lambda: NOW) as viewer:
        for screen, keys in WAYS.items():
            await viewer.press("escape", "1", "g", *keys)
            for width, height in SIZES if screen in SCREENS else SIZES[:1]:
                await viewer.pilot.resize_terminal(width, height)
                await viewer.settle()
                assert picture(viewer.app) == snapshot(extension_class=Svg, name=f"{screen}-{width}x{height}")
            await viewer.pilot.resize_terminal(*SIZES[0])
