"""Fixtures of the viewer's tests."""

from pathlib import Path

import pytest

from tests.viewer.tui.home import home
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import checkpoint_file

__all__ = ["home"]


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty support traces, two of them failed, and a line that is not a span."""
    path = support_file(tmp_path_factory.mktemp("flights") / "support.jsonl")
    with path.open("ab") as file:
        file.write(b'{"v": 1, "broken": true}\n')
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three threads: forked, waiting, short."""
    return checkpoint_file(tmp_path_factory.mktemp("threads") / "checkpoints.sqlite")
