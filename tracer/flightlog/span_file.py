"""The append-only span file: one ``os.write`` a line, by any number of threads, forks and processes.

Nothing here raises: a line that cannot be written is counted, and the count is written down once writing works
again. No lock is shared with another process, so no stopped neighbour can block this one. A torn tail that a
killed neighbour left is found before the write, or by looking at the byte before our line after it; the line then
goes out once more behind a newline of its own.
"""

import atexit
import contextlib
import errno
import os
import stat
import sys
import threading
import time
import weakref
from typing import Final, TypedDict

from flightlog.in_flight import InFlight
from flightlog.reader import read_spans
from flightlog.rotation import prune, rotate
from flightlog.span import Span

__all__ = ["LOSS_NAME", "FileStats", "SpanFile", "read_spans"]

LOSS_NAME: Final = "flightlog.loss"
"""Name of the span of type ``event`` that says how many spans before it could not be written."""

_FLAGS: Final = (
    os.O_RDWR  # the byte before a line is read back
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe put at the path must not block the application
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_ATTEMPTS: Final = 3
_UNKNOWN: Final = -1


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
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fsync: bool = False,
        max_bytes: int | None = None,
        max_total_bytes: int | None = None,
    ) -> None:
        self.path: Final = os.path.abspath(os.fspath(path))
        self.fsync: Final = fsync
        if max_total_bytes is not None:
            # Half for the file that grows, half for those before it, unless the caller wants smaller files.
            max_bytes = min(max_bytes or max_total_bytes, max(1, max_total_bytes // 2))
        self.max_bytes: Final = max_bytes
        self.max_total_bytes: Final = max_total_bytes
        self.writer_id: str = ""
        """Random id of this writing process; another one after a fork."""
        self._start_over()
        _files.add(self)

    def _start_over(self) -> None:
        """Forget everything that belongs to one process: called at the start and in a forked child."""
        self.writer_id = os.urandom(8).hex()
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._busy = False
        self._closed = False
        self._fd = -1
        self._identity = (0, 0)
        self._end = _UNKNOWN  # where the file ended, with a newline, after our last line
        self._ctime = 0
        self._in_flight = InFlight(f"{self.path}.{self.writer_id}.open")
        self._written = self._written_bytes = self._lost = self._lost_bytes = 0
        self._repeated = self._rotations = self._unsynced = 0
        self._unreported = self._unreported_bytes = 0
        self._unreported_wall_ns = self._unreported_monotonic_ns = 0
        self._last_error: str | None = None

    def write(self, line: bytes) -> bool:
        """Append one line, given without its newline. True when it is in the file; never raises."""
        if os.getpid() != self._pid:
            self._after_fork_in_child()
        try:
            with self._lock:
                if self._busy or self._closed:
                    # A signal handler or finalizer that runs in the middle of a write of this same thread, or a span
                    # that ends after close(): it has a descriptor of its own.
                    return self._write_aside(line)
                self._busy = True
                try:
                    return self._write(line)
                finally:
                    self._busy = False
        except Exception as error:
            self._count_lost(line, error)
            return False

    def open_span(self, seq: int, line: bytes) -> None:
        """Note in the sidecar that the span ``seq`` has started; ``line`` is its record so far. Never raises."""
        if os.getpid() != self._pid:
            self._after_fork_in_child()
        self._in_flight.open(seq, line)

    def close_span(self, seq: int) -> None:
        """The span ``seq`` is in the file now, or will never be. Never raises."""
        self._in_flight.close(seq)

    def stats(self) -> FileStats:
        """What was written, lost and repeated since the start of this process."""
        return {
            "written": self._written,
            "written_bytes": self._written_bytes,
            "lost": self._lost,
            "lost_bytes": self._lost_bytes,
            "repeated": self._repeated,
            "rotations": self._rotations,
            "unsynced": self._unsynced,
            "in_flight": self._in_flight.count,
            "in_flight_lost": self._in_flight.lost,
            "last_error": self._last_error,
        }

    def close(self) -> None:
        """Report what was lost, remove the sidecar, close. A later write still lands. Never raises."""
        if os.getpid() != self._pid:
            self._after_fork_in_child()
        with self._lock:
            if self._closed or self._busy:
                return
            self._busy = True
            try:
                with contextlib.suppress(Exception):
                    self._report_loss()
                self._closed = True
                self._forget(close=self._is_ours())
                self._in_flight.finish()
            finally:
                self._busy = False

    def __del__(self) -> None:
        # A tracer dropped without close() must not leave its sidecar behind in a process that lives on.
        with contextlib.suppress(Exception):
            self.close()

    def _write(self, line: bytes) -> bool:
        data = line + b"\n"
        error: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                if self._append(data):
                    self._written += 1
                    self._written_bytes += len(data)
                    if self._unreported:
                        with contextlib.suppress(OSError):
                            self._report_loss()
                    return True
                self._repeated += 1
            except OSError as caught:
                error = caught
                self._forget(close=self._is_ours())
                if attempt:
                    break  # once more after an error, not twice: a full disk stays full
        self._count_lost(line, error)
        return False

    def _append(self, data: bytes) -> bool:
        """Write ``data`` at the end of the file; False when it must be written again. Raises OSError."""
        fd, size = self._ready(len(data))
        if size and size != self._end and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data
        count = os.write(fd, data)
        self._end = _UNKNOWN
        if count != len(data):
            # The disk is full or a limit is reached. What is there is a torn tail like any other.
            raise OSError(errno.ENOSPC, f"short write, {count} of {len(data)} bytes")
        safe = self._verify(fd, size, data)
        if safe and self.fsync:
            self._sync(fd)
        return safe

    def _verify(self, fd: int, size: int, data: bytes) -> bool:
        """After the write: is the line in a file that has a name, and behind a newline?"""
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_ino, there.st_dev) != self._identity:
            # Renamed: the line is in the renamed file. Deleted: it is gone with the file.
            return os.fstat(fd).st_nlink > 0
        if there.st_size == size + len(data):
            self._end = there.st_size
            self._ctime = there.st_ctime_ns
            return True
        end = os.lseek(fd, 0, os.SEEK_CUR)
        start = end - len(data)
        if start > 0 and data[0] != 0x0A and os.pread(fd, 1, start - 1) not in (b"\n", b""):
            return False
        self._end = end
        return True

    def _ready(self, count: int) -> tuple[int, int]:
        """A descriptor of the file now at the path, with room for ``count`` bytes, and its size. Raises OSError."""
        fd, size = self._fd, 0
        if fd >= 0:
            try:
                now = os.fstat(fd)
            except OSError:
                fd = self._forget(close=False)
            else:
                size = now.st_size
                if (now.st_ino, now.st_dev) != self._identity:
                    # The application closed our descriptor and its number is another file now.
                    fd = self._forget(close=False)
                elif now.st_nlink == 0 or (
                    (size != self._end or now.st_ctime_ns != self._ctime) and not self._is_at_path()
                ):
                    fd = self._forget(close=True)
        if fd < 0:
            fd, size = self._open()
        if self.max_bytes is not None and size and size + count > self.max_bytes:
            fd, size = self._rotate(fd)
        return fd, size

    def _open(self) -> tuple[int, int]:
        try:
            fd = os.open(self.path, _FLAGS, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            fd = os.open(self.path, _FLAGS, 0o600)
        try:
            now = os.fstat(fd)
            if not stat.S_ISREG(now.st_mode):
                raise OSError(errno.EINVAL, f"not a regular file: {self.path}")
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._identity, self._end = fd, (now.st_ino, now.st_dev), _UNKNOWN
        self._in_flight.restore()
        _close_at_worker_exit()
        return fd, now.st_size

    def _rotate(self, fd: int) -> tuple[int, int]:
        if rotate(fd, self.path) is not None:
            self._rotations += 1
            if self.max_total_bytes is not None and self.max_bytes is not None:
                prune(self.path, self.max_total_bytes - self.max_bytes)
        self._forget(close=True)
        return self._open()

    def _is_at_path(self) -> bool:
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return (there.st_ino, there.st_dev) == self._identity

    def _is_ours(self) -> bool:
        """Whether the descriptor still is the file we opened, and not one the application put in its place."""
        if self._fd < 0:
            return False
        try:
            now = os.fstat(self._fd)
        except OSError:
            return False
        return (now.st_ino, now.st_dev) == self._identity

    def _forget(self, *, close: bool) -> int:
        fd, self._fd, self._end = self._fd, -1, _UNKNOWN
        if close and fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
        return -1

    def _sync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError as error:
            self._unsynced += 1
            self._last_error = _sentence(error)

    def _write_aside(self, line: bytes) -> bool:
        aside = SpanFile.__new__(SpanFile)
        aside.__dict__.update(self.__dict__, _fd=-1, _closed=False, _busy=True, _unreported=0, max_bytes=None)
        aside._written = aside._written_bytes = aside._lost = aside._lost_bytes = aside._repeated = 0
        written = aside._write(line)
        aside._forget(close=aside._is_ours())
        self._written += aside._written
        self._written_bytes += aside._written_bytes
        self._repeated += aside._repeated
        if not written:
            self._count_lost(line, None)
            self._last_error = aside._last_error
        return written

    def _count_lost(self, line: bytes, error: Exception | None) -> None:
        if not self._unreported:
            self._unreported_wall_ns = time.time_ns()
            self._unreported_monotonic_ns = time.monotonic_ns()
        self._lost += 1
        self._lost_bytes += len(line)
        self._unreported += 1
        self._unreported_bytes += len(line)
        if error is not None:
            self._last_error = _sentence(error)

    def _report_loss(self) -> None:
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
            pid=self._pid,
            metadata={"lost": lost, "lost_bytes": lost_bytes},
        )
        if self._append(record.to_json() + b"\n"):
            self._unreported -= lost
            self._unreported_bytes -= lost_bytes

    def _after_fork_in_child(self) -> None:
        """Let go of the parent's files: closing, not unlocking, because the lock belongs to both copies."""
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._in_flight.let_go()
        closed = self._closed
        self._start_over()
        self._closed = closed


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
