"""Long work behind the interface, such that whoever draws is not kept waiting."""

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from textual.app import App

Answer = TypeVar("Answer")

_NICER = 4
"""Steps of Unix niceness."""


def gently(work: Callable[[], None]) -> None:
    """Do ``work`` in a thread of its own, at a lower priority where that can be had; returns when it is done.

    What it raises is raised here. A thread of its own, because nobody may take back a priority that was given up.
    """
    raised: list[BaseException] = []

    def run() -> None:
        with contextlib.suppress(AttributeError, OSError):
            # Linux keeps a niceness for every thread, and those it starts inherit it; elsewhere this finds no process.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + _NICER)
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="flightlog-load", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def ask_behind(app: App[Any], group: str, ask: Callable[[], Answer], tell: Callable[[Answer], None]) -> None:
    """Call ``ask`` in a thread, and ``tell`` with its answer on the application's own."""
    # Not call_from_thread: a loop that was ended by a signal meanwhile never answers.
    app.run_worker(lambda: app.call_later(tell, ask()), thread=True, group=group, exit_on_error=False)


@contextlib.contextmanager
def uncollected(large: bool) -> Iterator[None]:
    """Nobody looks for garbage cycles while the block makes what is ``large``, and only rarely among it later.

    A large trace is a million small objects without cycles that live long, and every look at them stops all threads.
    """
    if not large:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # To and fro makes everything old at once, without looking at it.
        gc.freeze()
        gc.unfreeze()
        gc.enable()
