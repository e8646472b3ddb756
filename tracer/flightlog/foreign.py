"""Where the tracer runs code of the application: a ``repr``, a redaction rule, a sink.

Such code may itself call something traced, whose recording runs such code again, and so on. Runs started two levels
deep are therefore not recorded: the application gets its answer, and what began as one call cannot become millions.
"""

import sys
import threading
from typing import Final

MAX_DEPTH: Final = 1
"""Levels of foreign code in which runs are still recorded."""


class Foreign(threading.local):
    """How deep this thread is in foreign code called by the tracer.

    Counted by ``foreign.depth += 1`` before a ``try`` and ``-= 1`` in its ``finally``, not as a context: a signal
    handler that raises at the entry of ``__exit__`` would leave the count wrong for good.
    """

    depth = 0


foreign: Final = Foreign()


def goes_through(error: BaseException) -> bool:
    """Whether what came out of foreign code is the application's own way to end, and must not be held.

    That is KeyboardInterrupt, and what a signal handler raised (``sys.exit()`` at SIGTERM) that happened to run in
    the middle. SystemExit from a ``repr`` is neither.
    """
    kind = type(error)
    if issubclass(kind, KeyboardInterrupt):
        return True
    if issubclass(kind, Exception):
        return False
    signal = sys.modules.get("signal")
    if signal is None:
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(handler, "__code__", None) for handler in handlers}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False
