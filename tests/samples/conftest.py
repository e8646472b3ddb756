"""What the sample tests share: one recording of every sample."""

from pathlib import Path

import pytest

from flightlog_samples.__main__ import main
from tests.made_once import made_once


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `flightlog demo all`."""

    def record(out: Path) -> None:
        assert main(["--out", str(out), "all"]) == 0

    return made_once(tmp_path_factory, "demo-all", record)
