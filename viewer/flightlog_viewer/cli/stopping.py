"""Signals that end a command: all of them as Ctrl-C does, so that half-written files and private copies go."""

import _thread
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_PATIENCE_S: Final = 1.0
"""What has been told to end has that long to clean up, before another signal (Ctrl-C pressed twice, or sent to all and
to each) is raised as well. It may have to be: in the middle of an import a library can make nothing of the first."""


class Stopped:
    """Which signal came last, if any did."""

    def __init__(self, ends_process: bool = False) -> None:
        self._ends_process = ends_process
        self.number: int | None = None
        self.is_over = False
        """Nothing is left to do but to end: what is asked now is granted at once."""
        self._heard = 0.0
        self.holds_back = False
        """Signals wait for ``let_through``."""
        self._held_back: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.holds_back:
            self._held_back = number
            return
        now = time.monotonic()
        if self.number is not None and (left := self._heard + _PATIENCE_S - now) > 0:
            # Not a Thread: in the middle of starting another one that would wait for its own lock.
            _thread.start_new_thread(self._again, (number, left))
            return
        self.number, self._heard = number, now
        if self.is_over:
            os._exit(self.status)
        raise KeyboardInterrupt

    def _again(self, number: int, after_s: float) -> None:
        time.sleep(after_s)
        if not self.is_over:
            os.kill(os.getpid(), number)

    def end_now(self, why: str) -> None:
        """End the process, if it is ours to end, in the middle of what cannot be cut short."""
        if self._ends_process:
            with suppress(OSError):
                os.write(2, f"flightlog: stopped in the middle: {why}\n".encode())
            os._exit(self.status)

    def let_through(self) -> None:
        """Raise what was held back, if anything was."""
        self.holds_back = False
        number, self._held_back = self._held_back, None
        if number is not None:
            self(number, None)

    @property
    def status(self) -> int:
        """The exit status that says so, as shells count: 128 and the number of the signal."""
        return 128 + (self.number or signal.SIGINT)


@contextmanager
def stopping(*, ends_process: bool = False) -> Iterator[Stopped]:
    """Raise KeyboardInterrupt in the main thread for a signal that asks to end.

    What somebody else has set stays: a handler of the program we are part of, and signals that ``nohup`` ignores.
    Where the process ends with the command, a signal on its last steps shows no traceback of the interpreter.
    """
    stopped = Stopped(ends_process)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stopped)
    try:
        yield stopped
    finally:
        stopped.is_over = True
        for number, handler in before.items():
            if not ends_process and signal.getsignal(number) is stopped:
                signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Raise KeyboardInterrupt behind the block instead of in it: what is begun there must be known to be ended."""
    handlers = [signal.getsignal(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
    stopped = next((handler for handler in handlers if isinstance(handler, Stopped)), None)
    if stopped is None:
        yield
        return
    stopped.holds_back = True
    try:
        yield
    finally:
        stopped.let_through()
