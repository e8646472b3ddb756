"""What tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.exporters.receiver import Receiver, receiving


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A server that takes everything until told otherwise."""
    with receiving() as receiver:
        yield receiver
