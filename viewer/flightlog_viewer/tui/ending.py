"""The end of an application that is told to go, by a signal or by a terminal or a server that hangs up.

A handler that raises would raise in the middle of Textual's loop, and leave threads behind that keep the process for
ever: the one that reads keys, or a worker whose answer nobody takes any more. So the application is left as with its
own key, and the signal goes on to whoever handled it before once the loop is over.
"""

import asyncio
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

from textual.app import App

_T = TypeVar("_T")
_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_AFTER_SIGHUP_S: Final = 2.0
_AGAIN_S: Final = 0.2
_OUTPUT_THREAD: Final = "textual-output"
"""Textual's name of the thread that writes to the terminal."""
_PATIENCE_S: Final = 5.0
"""How long leaving may take, the process included, before it is cut short."""


def run(app: App[_T]) -> _T | None:
    """Run an application until it is left; what it answers. A signal that ended it is raised anew behind it."""
    told: list[int] = []

    async def until_told() -> _T | None:
        loop = asyncio.get_running_loop()

        def leave(number: int, frame: FrameType | None) -> None:
            if not told:
                threading.Thread(target=_cut_short, args=(number,), name="patience", daemon=True).start()
            told.append(number)
            loop.call_soon_threadsafe(insist)

        def insist() -> None:
            """Leave once messages are taken: left while it is being mounted, an application waits for itself."""
            app.call_later(app.exit)
            loop.call_later(_AGAIN_S, insist)

        with _handled_by(leave):
            return await app.run_async()

    answer = asyncio.run(until_told())
    if told:
        signal.raise_signal(told[0])
    return answer


def end_with_the_terminal() -> None:
    """From now on, end as if told to when the terminal hangs up, or the server that stands for one is no more.

    SIGHUP has mostly ended everything by then, but not under ``nohup``, nor where the terminal is not the controlling
    one: there Textual would read the end of its input again and again, and keep a core busy. Of a server that was
    killed nothing tells but its pipes.
    """
    told = threading.excepthook

    def tell(failed: threading.ExceptHookArgs) -> None:
        # What can no longer be shown there is no error, and nobody's to read.
        is_output = failed.thread is not None and failed.thread.name == _OUTPUT_THREAD
        if not (is_output and isinstance(failed.exc_value, OSError)):
            told(failed)

    threading.excepthook = tell
    threading.Thread(target=_wait_for_hang_up, name="terminal", daemon=True).start()


def _wait_for_hang_up() -> None:
    stdin = sys.__stdin__
    if stdin is None or not hasattr(select, "poll"):
        return
    is_terminal = stdin.isatty()
    if not is_terminal and not os.environ.get("TEXTUAL_DRIVER"):  # keys come from elsewhere
        return
    other_end = select.poll()
    other_end.register(stdin.fileno(), 0)  # a hang-up is always told of
    if any(event & select.POLLHUP for _, event in other_end.poll()):
        if is_terminal:
            time.sleep(_AFTER_SIGHUP_S)
        os.kill(os.getpid(), signal.SIGTERM)


def _cut_short(number: int) -> None:
    time.sleep(_PATIENCE_S)
    os._exit(128 + number)


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    """Let a handler have the signals that ask to end, but for those that are ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
