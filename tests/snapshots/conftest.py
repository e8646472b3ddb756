"""Fixtures of the pictures."""

from pathlib import Path

import pytest

from tests.viewer.tui.home import home
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import checkpoint_file

__all__ = ["home"]


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Span file and checkpoint database."""
    folder = tmp_path_factory.mktemp("flights")
    return support_file(folder / "support.jsonl"), checkpoint_file(folder / "checkpoints.sqlite")
