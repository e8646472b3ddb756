"""Pictures of the screens at three sizes, and of what is not the usual."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.snapshots.pictures import SCREENS, WAYS, Svg, picture
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import checkpoint_file

NOW = datetime(2025, 11, 20, 14, 30, tzinfo=UTC)
SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Span file and checkpoint database."""
    folder = tmp_path_factory.mktemp("flights")
    return support_file(folder / "support.jsonl"), checkpoint_file(folder / "checkpoints.sqlite")


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
