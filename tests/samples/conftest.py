"""What the sample tests share: one recording of every sample."""

from pathlib import Path

import pytest

from flightlog_samples.__main__ import main


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `flightlog demo all`."""
    out = tmp_path_factory.mktemp("recorded") / "demo"
    assert main(["--out", str(out), "all"]) == 0
    return out
