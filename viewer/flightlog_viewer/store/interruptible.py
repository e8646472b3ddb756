"""Ctrl-C while DuckDB works: its Python client looks at no signal until a call is done, which can take hours."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Final, TypeVar

import duckdb

_AGAIN_S: Final = 0.05
"""Between two calls of ``interrupt``: one that comes before the work has begun is lost."""

T = TypeVar("T")


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Do ``work`` on ``connection``, and cancel it on KeyboardInterrupt.

    Signals reach the main thread only, so that is where it matters: there the work is done in a thread beside, and
    what it raises is raised here.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="flightlog-sql") as beside:
        future = beside.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            while not future.done():
                connection.interrupt()
                wait_for([future], timeout=_AGAIN_S)
            raise
