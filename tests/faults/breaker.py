"""Makes system calls fail from Python's side."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = (
    "open", "write", "close", "fstat", "stat", "pread", "lseek", "pwrite", "fsync", "rename", "unlink", "ftruncate",
    "makedirs", "listdir",
)  # fmt: skip


class Breaker:
    """Makes the calls from the ``first``-th to the ``last``-th fail, over all the calls in CALLS together."""

    def __init__(self, first: int, last: int, code: int) -> None:
        self.first, self.last, self.code = first, last, code
        self.calls = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.first <= self.calls <= self.last:
                if call is REAL["close"]:
                    call(*arguments)  # close() releases the descriptor even when it reports an error
                raise OSError(self.code, os.strerror(self.code))
            return call(*arguments, **named)

        return broken


REAL = {name: getattr(os, name) for name in CALLS}


@contextmanager
def failing(breaker: Breaker) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, call in REAL.items():
            patch.setattr(os, name, breaker.around(call))
        yield
