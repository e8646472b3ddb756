"""Files that may not be read, also where the tests are run by root."""

import ctypes
import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def like_others() -> Iterator[None]:
    """Root reads whatever it likes; here it is held to the permissions of files, as everybody is."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("needs a user who is not root")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # linux/capability.h: version 3, this thread
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, each in two halves
    assert libc.capget(header, before) == 0
    fewer = type(before)(*before)
    fewer[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, fewer) == 0
    yield
    assert libc.capset(header, before) == 0
