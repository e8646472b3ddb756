"""Tells how far a load is, and cancels it when asked to."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final, Self

import duckdb

from flightlog.errors import FlightlogError

Progress = Callable[[int, int, int], Any]
"""Told bytes done, bytes in all and rows so far, from another thread; an answer of False cancels the load."""

_INTERVAL: Final = 0.1
"""Seconds between two calls."""
_READING: Final = 0.9
"""Share of the work on a file that DuckDB's pass over it is."""


class LoadCancelledError(FlightlogError):
    """The load was cancelled by its own progress callback."""

    def __init__(self) -> None:
        super().__init__("the load was cancelled")


class Watch:
    """Runs beside a load; a context manager. DuckDB reports its share of the statement it is in."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, total: int, progress: Progress | None) -> None:
        self._connection = connection
        self._total = total
        self._progress = progress
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._file_bytes = 0
        self._told = 0
        self.done = 0
        """Bytes of the files that are loaded."""
        self.rows = 0
        """Rows of the files that are loaded."""
        self.cancelled = False

    def file(self, size: int) -> None:
        """A file of so many bytes is loaded next."""
        self._file_bytes = size

    def file_done(self, rows: int) -> None:
        """It is loaded; there are so many rows now. Raises LoadCancelledError when that was asked for."""
        self.done += self._file_bytes
        self._file_bytes = 0
        self.rows = rows
        self.check()

    def check(self) -> None:
        """Raise LoadCancelledError when the load was cancelled."""
        if self.cancelled:
            raise LoadCancelledError

    def __enter__(self) -> Self:
        if self._progress is not None:
            # Without it only whole files are told of. DuckDB refuses it in a notebook without ipywidgets.
            with contextlib.suppress(duckdb.InvalidInputException):
                self._connection.execute("SET enable_progress_bar = true")
                self._connection.execute("SET enable_progress_bar_print = false")
            self._thread = threading.Thread(target=self._run, name="flightlog-progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            if kind is None:
                self._tell(self._total)
        if kind is None or issubclass(kind, duckdb.InterruptException):
            self.check()

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL):
            share = max(0.0, self._connection.query_progress()) / 100 * _READING
            self._tell(min(self._total, self.done + int(share * self._file_bytes)))
            if self.cancelled:
                self._connection.interrupt()

    def _tell(self, done: int) -> None:
        # Statements after the pass over a file begin at nothing again.
        self._told = done = max(done, self._told)
        if self._progress is not None and self._progress(done, self._total, self.rows) is False:
            self.cancelled = True
