"""The span file: lines by any number of threads, forks and processes, and the count of what could not be written.

Nothing here raises: a line that cannot be written is counted, and the count is written down once writing works
again. How a line gets into the file whole is flightlog.writing.appender's.
"""

import atexit
import contextlib
import errno
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, TypedDict

from flightlog.errors import UsageError
from flightlog.span import Span
from flightlog.system_calls import absolute
from flightlog.writing.appender import Appender
from flightlog.writing.in_flight import InFlight

_logger: Final = logging.getLogger("flightlog")

LOSS_NAME: Final = "flightlog.loss"
"""Name of the span of type ``event`` that says how many spans before it could not be written."""

_ATTEMPTS: Final = 8
"""How often a line is written that others put behind a torn tail, or delete, as soon as it is there."""
_ERRORS: Final = 2
"""Failing calls after which a line is given up: a full disk stays full."""


class FileStats(TypedDict):
    """What became of the lines given to one span file."""

    written: int
    written_bytes: int
    lost: int
    """Lines that could not be written."""
    lost_bytes: int
    repeated: int
    """Lines written twice because the first copy fell behind a torn tail or into a deleted file."""
    rotations: int
    unsynced: int
    """Lines written whose ``fsync`` failed."""
    in_flight: int
    """Spans started and not ended."""
    in_flight_lost: int
    """Starts that could not be written to the sidecar."""
    last_error: str | None


class SpanFile:
    """One path that span lines are appended to; created on the first write, 0600, its folders too.

    ``max_bytes`` renames the file before it would grow past it; ``max_total_bytes`` bounds the file and its rotated
    files together, oldest deleted first. None means unlimited. ``fsync`` makes every line survive the machine too.
    ``given_again``: whoever writes gives a line again that could not be written, and says what is lost (``lose``).

    Raises UsageError here, and only here, for a path that no file can have.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fsync: bool = False,
        max_bytes: int | None = None,
        max_total_bytes: int | None = None,
        given_again: bool = False,
    ) -> None:
        self.path: Final = whole_path(path)
        self.fsync: Final = fsync
        if max_total_bytes is not None:
            # Half for the file that grows, half for those before it, unless the caller wants smaller files.
            max_bytes = min(max_bytes or max_total_bytes, max(1, max_total_bytes // 2))
        self.max_bytes: Final = max_bytes
        self.max_total_bytes: Final = max_total_bytes
        self.given_again: Final = given_again
        self.writer_id: str = ""
        """Random id of this writing process; another one after a fork."""
        self._start_over()
        _files.add(self)

    def _start_over(self) -> None:
        """Forget everything that belongs to one process: called at the start and in a forked child."""
        self.writer_id = os.urandom(8).hex()
        self._lock = threading.RLock()
        self._busy = False
        self._closed = False
        self._appender = self._new_appender()
        self._opened = 0
        self._in_flight = in_flight = InFlight(self.path, self.writer_id)
        self.open_span: Callable[[int, bytes], None] = in_flight.open
        """``(seq, line)``: note in the sidecar that a span has started; ``line`` is its record so far. Never raises."""
        self.close_span: Callable[..., None] = in_flight.close
        """``(seq, in_file=True)``: a span has ended, and is in the file now unless that is False. Never raises."""
        self._written = self._written_bytes = self._lost = self._lost_bytes = self._repeated = 0
        self._unreported = self._unreported_bytes = 0
        self._unreported_wall_ns = self._unreported_monotonic_ns = 0
        self._last_error: str | None = None
        self._has_warned = self._has_warned_of_size = False

    def _new_appender(self) -> Appender:
        return Appender(self.path, fsync=self.fsync, max_bytes=self.max_bytes, max_total_bytes=self.max_total_bytes)

    def write(self, line: bytes) -> bool:
        """Append one line; its newline is added when it has none. True when it is in the file; never raises."""
        try:
            with self._lock:
                if self._busy or self._closed:
                    return self._write_aside(line)
                self._busy = True
                try:
                    return self._write(self._appender, line)
                finally:
                    self._busy = False
        except Exception as error:
            self._not_written(line, error)
            return False

    def lose(self, size: int) -> None:
        """Count a line of ``size`` bytes as lost; that is written down as soon as writing works."""
        if not self._unreported:
            self._unreported_wall_ns = time.time_ns()
            self._unreported_monotonic_ns = time.monotonic_ns()
        self._lost += 1
        self._lost_bytes += size
        self._unreported += 1
        self._unreported_bytes += size

    def stats(self) -> FileStats:
        """What was written, lost and repeated since the start of this process."""
        appender = self._appender
        error = appender.rotation_error or appender.sync_error
        return {
            "written": self._written,
            "written_bytes": self._written_bytes,
            "lost": self._lost,
            "lost_bytes": self._lost_bytes,
            "repeated": self._repeated,
            "rotations": appender.rotations,
            "unsynced": appender.unsynced,
            "in_flight": self._in_flight.count,
            "in_flight_lost": self._in_flight.lost,
            "last_error": self._last_error or (None if error is None else self._sentence(error)),
        }

    def close(self) -> None:
        """Report what was lost, remove the sidecar, close. A later write still lands. Never raises."""
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                if not self._closed:
                    with contextlib.suppress(Exception):
                        self._report_loss(self._appender)
                    self._closed = True
                    self._appender.close()
                # Also when closed before: a run that began after that has brought the sidecar back.
                self._in_flight.finish()
            finally:
                self._busy = False

    def __del__(self) -> None:
        # A tracer dropped without close() must not leave its sidecar behind in a process that lives on.
        try:  # noqa: SIM105 - at the end of an interpreter whose garbage is frozen the names of this module are None
            self.close()
        except Exception:
            pass

    def _write(self, appender: Appender, line: bytes) -> bool:
        data = line if line.endswith(b"\n") else line + b"\n"
        error: Exception | None = None
        errors = 0
        for _ in range(_ATTEMPTS):
            try:
                if appender.append(data):
                    self._written += 1
                    self._written_bytes += len(data)
                    if appender.opened != self._opened:
                        self._file_opened(appender)
                    if appender.rotation_error is not None and not self._has_warned_of_size:
                        self._warn_of_size(appender.rotation_error)
                    if self._unreported and (appender is self._appender or not self._busy):
                        with contextlib.suppress(OSError):
                            self._report_loss(appender)
                    return True
                self._repeated += 1
            except OSError as caught:
                error = caught
                appender.close()
                errors += not isinstance(caught, FileNotFoundError)  # a folder that was taken away can be made again
                if errors == _ERRORS:
                    break
        self._not_written(line, error)
        return False

    def _write_aside(self, line: bytes) -> bool:
        """Write through a descriptor of its own.

        For a signal handler or finalizer that runs in the middle of a write of this same thread, and for a span that
        ends after close().
        """
        appender = Appender(self.path, fsync=self.fsync, max_bytes=None, max_total_bytes=None)
        try:
            return self._write(appender, line)
        finally:
            appender.close()

    def _file_opened(self, appender: Appender) -> None:
        if appender is self._appender:
            self._opened = appender.opened
            self._in_flight.restore()
            _close_at_worker_exit()

    def _warn_of_size(self, error: OSError) -> None:
        self._has_warned_of_size = True
        with contextlib.suppress(Exception):
            _logger.warning("%s grows beyond its size: it cannot be renamed: %s", self.path, self._sentence(error))

    def _not_written(self, line: bytes, error: Exception | None) -> None:
        if not self.given_again:
            self.lose(len(line))
        if error is not None:
            self._last_error = self._sentence(error)
        if not self._has_warned:
            self._has_warned = True
            # Whatever the logging handlers of the application do.
            with contextlib.suppress(Exception):
                _logger.warning(
                    "%s: cannot write %s: %s; later losses are only counted",
                    "spans have to come again" if self.given_again else "spans are being lost",
                    self.path,
                    self._last_error,
                )

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.errno == errno.ELOOP and os.path.islink(self.path):
            return "it is a symbolic link: give the path of the file it points to"
        return f"{type(error).__name__}: {error}"

    def _report_loss(self, appender: Appender) -> None:
        """Write down how many spans were lost, when, and why. Raises OSError when that cannot be written either."""
        if not self._unreported:
            return
        run_id = os.urandom(16).hex()
        lost, lost_bytes = self._unreported, self._unreported_bytes
        record = Span(
            type="event",
            name=LOSS_NAME,
            run_id=run_id,
            trace_id=run_id,
            writer_id=self.writer_id,
            start_ns=self._unreported_wall_ns,
            duration_ms=(time.monotonic_ns() - self._unreported_monotonic_ns) / 1e6,
            status="error",
            error={"type": "SpansLost", "message": f"{lost} spans could not be written: {self._last_error}"},
            host=os.uname().nodename if hasattr(os, "uname") else None,
            pid=os.getpid(),
            metadata={"lost": lost, "lost_bytes": lost_bytes},
        )
        if appender.append(record.to_json() + b"\n"):
            self._unreported -= lost
            self._unreported_bytes -= lost_bytes

    def _after_fork_in_child(self) -> None:
        """Let go of the parent's files: closing, not unlocking, because the lock belongs to both copies."""
        self._appender.close()
        self._in_flight.let_go()
        closed = self._closed
        self._start_over()
        self._closed = closed


def whole_path(path: str | os.PathLike[str]) -> str:
    """The absolute path of a span file, ``~`` expanded. Raises UsageError for one that no file can have."""
    try:
        if not os.fspath(path):
            raise ValueError("it is empty")
        # No shell expands what an environment file or a unit says; and a folder called ~ invites `rm -r ~`.
        whole = absolute(os.fsdecode(os.path.expanduser(os.fspath(path))))
        if "\0" in whole:
            raise ValueError("it holds a null character")
        os.fsencode(whole)
    except OSError:
        raise UsageError(f"{path!r} cannot be the path of a span file: the current folder is gone") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path!r} cannot be the path of a span file: {error}") from None
    return whole


_files: "weakref.WeakSet[SpanFile]" = weakref.WeakSet()


def _after_fork() -> None:
    for file in list(_files):
        file._after_fork_in_child()


def _close_all() -> None:
    for file in list(_files):
        file.close()


_worker_exit_pids: set[int] = set()


def _close_at_worker_exit() -> None:
    """A worker of ``multiprocessing`` leaves by ``os._exit`` and runs its own finalizers instead of ``atexit``."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None or os.getpid() in _worker_exit_pids:
        return
    from multiprocessing.util import Finalize

    _worker_exit_pids.clear()
    _worker_exit_pids.add(os.getpid())
    Finalize(None, _close_all, exitpriority=-100)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
