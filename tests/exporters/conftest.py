"""What tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exporters.bridged import Sdk
from tests.exporters.collecting import Running
from tests.exporters.receiver import Receiver, receiving


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A server that takes everything until told otherwise."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A collector on a free port of 127.0.0.1."""
    made = Running(tmp_path / "spans.jsonl")
    yield made
    made.close()


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """A provider of its own for each test; the current span is what it was."""
    made = Sdk()
    yield made
    made.provider.shutdown()
