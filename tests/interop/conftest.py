"""One recording of the samples and one server of each kind for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flightlog import read_spans
from flightlog.span import Span
from flightlog_samples.__main__ import main as record
from tests.interop.servers import BIN, free_port, running


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Span]]:
    """The span file of two samples, and its spans."""
    folder = tmp_path_factory.mktemp("recording") / "demo"
    assert record(["--out", str(folder), "react_agent", "human_in_the_loop"]) == 0
    path = folder / "spans.jsonl"
    return path, list(read_spans(path))


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Phoenix."""
    _need("phoenix")
    folder, port = tmp_path_factory.mktemp("phoenix"), free_port()
    environment = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    url = f"http://127.0.0.1:{port}"
    with running(["phoenix", "serve"], f"{url}/healthz", folder, environment):
        yield url


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow."""
    _need("mlflow")
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    url = f"http://127.0.0.1:{port}"
    with running([*command, *store], f"{url}/health", folder, {"MLFLOW_DISABLE_TELEMETRY": "true"}):
        yield url


def _need(program: str) -> None:
    if not (BIN / program).exists():
        pytest.fail(f"{program} is not installed here: run `make interop`")
