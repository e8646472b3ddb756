import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

import duckdb
import pytest

from flightlog_viewer.store.interruptible import interruptible

LONG = "SELECT max(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection; closing it fails while something still works on it."""
    with duckdb.connect() as connection:
        yield connection


def test_what_it_raises_is_raised_here(connection: duckdb.DuckDBPyConnection) -> None:
    """Answers and errors of the work come back as if it had been called."""
    assert interruptible(connection, lambda: connection.execute("SELECT 1").fetchall()) == [(1,)]
    with pytest.raises(duckdb.BinderException):
        interruptible(connection, lambda: connection.execute("SELECT nope"))


def test_an_interrupt_as_the_work_begins(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cancels the work, which is over when the interrupt goes on."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        interruptible(connection, lambda: connection.execute(LONG).fetchall())
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_an_interrupt_before_the_work_begins(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done."""
    done: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        interruptible(connection, lambda: done.append(1))
    assert done == []


def test_an_interrupt_that_does_not_end_the_wait(connection: duckdb.DuckDBPyConnection) -> None:
    """It is found all the same: another thread may receive it, or it comes just before the wait."""

    def work() -> None:
        time.sleep(0.2)  # until the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        connection.execute(LONG).fetchall()

    with pytest.raises(KeyboardInterrupt):
        interruptible(connection, work)
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_an_impatient_interrupt(connection: duckdb.DuckDBPyConnection) -> None:
    """Asked again and again while it is being cancelled, the work is still over on the way out."""
    inside, over = threading.Event(), threading.Event()
    heard, is_raised = 0, False

    def raise_inside(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if inside.is_set():
            heard += 1
            raise KeyboardInterrupt

    def ask() -> None:
        while not over.wait(0.02):
            os.kill(os.getpid(), signal.SIGINT)

    def work() -> None:
        time.sleep(0.3)  # DuckDB has nothing to interrupt yet
        connection.execute(LONG).fetchall()

    before = signal.signal(signal.SIGINT, raise_inside)
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        inside.set()
        interruptible(connection, work)
    except KeyboardInterrupt:
        is_raised = True
    finally:
        inside.clear()
        over.set()
        asking.join()
        signal.signal(signal.SIGINT, before)
    assert is_raised
    assert heard > 3
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
