"""Ctrl-C while DuckDB works: its Python client looks at no signal until a call is done, which can take hours."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Final, TypeVar

import duckdb

_AGAIN_S: Final = 0.05
"""Between two calls of ``interrupt``: one that comes before the work has begun is lost."""
_LOOK_S: Final = 0.1
"""Longest wait without a look at signals: one that comes just before a thread begins to wait does not end its wait."""

_LISTENS_S: Final = 2.0
"""A query that has not ended so long after the first ``interrupt`` is in a function that does not look for one."""

T = TypeVar("T")


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Do ``work`` on ``connection``, and cancel it on KeyboardInterrupt.

    Signals reach the main thread only, so that is where it matters: there the work is done in a thread beside, and
    what it raises is raised here. Whenever the interrupt comes, and however often, the work is over on the way out:
    a connection that still works cannot be closed, and its thread would keep the process. Some of DuckDB's functions
    do not look for an interrupt; who then asks again ends the process, where that is the program's own.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    future: Future[T] = Future()
    try:
        threading.Thread(target=_run, args=(work, future), name="flightlog-sql").start()
        while not wait_for([future], timeout=_LOOK_S).done:
            pass
        return future.result()
    except KeyboardInterrupt:
        _cancel(connection, future)
        raise
    finally:
        del future  # what it raised holds this frame, which would hold it


def _run(work: Callable[[], T], future: "Future[T]") -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
        del future  # what it raised holds this frame too
    else:
        future.set_result(result)


def _cancel(connection: duckdb.DuckDBPyConnection, future: "Future[T]") -> None:
    began = time.monotonic()
    while True:
        try:
            while not (future.cancel() or future.done()):
                connection.interrupt()
                wait_for([future], timeout=_AGAIN_S)
            return
        except KeyboardInterrupt:  # asked again, and already at it
            if time.monotonic() - began > _LISTENS_S:
                end_now = getattr(signal.getsignal(signal.SIGINT), "end_now", None)
                if end_now is not None:
                    end_now("the query did not listen")
