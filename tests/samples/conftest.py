"""What the sample tests share: one recording of every sample, and one Postgres server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flightlog_samples.__main__ import main
from flightlog_samples.support_desk.embedded_postgres import postgres_server


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `flightlog demo all`."""
    out = tmp_path_factory.mktemp("recorded") / "demo"
    assert main(["--out", str(out), "all"]) == 0
    return out


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server that is there for the tests."""
    with postgres_server() as url:
        yield url
