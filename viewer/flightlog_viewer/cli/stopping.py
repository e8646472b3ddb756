"""Signals that end a command: all of them as Ctrl-C does, so that half-written files and private copies go."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped:
    """Which signal came last, if any did."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        raise KeyboardInterrupt

    @property
    def status(self) -> int:
        """The exit status that says so, as shells count: 128 and the number of the signal."""
        return 128 + (self.number or signal.SIGINT)


@contextmanager
def stopping() -> Iterator[Stopped]:
    """Raise KeyboardInterrupt in the main thread for every signal that asks to end.

    What somebody else has set stays: a handler of the program we are part of, and signals that ``nohup`` ignores.
    """
    stopped = Stopped()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stopped)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is stopped:
                signal.signal(number, handler)
