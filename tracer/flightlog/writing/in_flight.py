"""The in-flight sidecar: which spans a writer has started and not ended, on disk, so that a crash shows them.

The sidecar of one writer is ``<span file>.<writer id>.open``. It holds one line for each start (the span's record so
far, without ``status`` and ``duration_ms``), and a NUL byte behind the last one: what follows the NUL is of no
meaning. It is written in place, as a stack is: a start goes behind the last span that is in flight and over those that
ended since, so that it mostly stays within a page or two that are in memory already, which costs a fraction of
appending and truncating. Most ends cost no system call, because readers look for them in the span file; a line whose
span ended below one that goes on gets ``#`` for its first byte, and when nothing is in flight the NUL is the first
byte of the file. Its owner holds an exclusive ``flock`` on it: a free lock means that the owner is dead. It is
rewritten when gaps make it grow and is gone after a clean exit.
"""

import contextlib
import os
import threading
import time
from typing import Final

from flightlog.file_lock import try_lock
from flightlog.system_calls import rename, unlink
from flightlog.writing.descriptor import open_file
from flightlog.writing.sweeping import sweep

_ONLY_OURS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _ONLY_OURS
LINE_END: Final = b"\n\0"
"""What ends the last line."""
_ENDED: Final = b"#"
_COMPACT_BYTES: Final = 256 * 1024
"""Size from which the sidecar is rewritten, and then again at twice of what was left."""
_KEPT_BYTES: Final = 64 * 1024
"""Size up to which an empty sidecar keeps its pages."""
_MARKS: Final = 1 << 30
"""Where the descriptor stands, and some random bytes more: no file of the application stands just there."""
_LOOK_NS: Final = 5_000_000
"""How long a look at the descriptor is good for; a span file that lost its own says so at once."""
_KEPT_DEAD: Final = 64
"""Sidecars of dead writers that stay beside a span file: a process that crashes in a loop must not fill the disk."""


class InFlight:
    """The sidecar of one writer; created at its first start. Nothing here raises."""

    def __init__(self, span_file: str, writer_id: str) -> None:
        self.path: Final = f"{span_file}.{writer_id}.open"
        self._span_file = span_file
        self.lost = 0
        """Starts that could not be written."""
        self._lock = threading.RLock()
        self._busy = False
        self._fd = -1
        self._inode = self._device = 0
        self._mark = 0  # the position of the descriptor, which nothing of ours moves
        self._look_ns = 0  # when to look next whether the descriptor is ours, monotonic
        self._spans: dict[int, tuple[int, int]] = {}  # seq -> where its line begins and ends, lowest first
        self._top = 0  # where the last of these lines ends
        self._size = 0
        self._limit = _COMPACT_BYTES
        self._waiting: list[tuple[int, bytes]] = []

    @property
    def count(self) -> int:
        """Spans started and not ended."""
        return len(self._spans)

    def open(self, seq: int, line: bytes) -> None:
        """Note a start; no other has this ``seq``. It costs least when the line ends with ``LINE_END`` already."""
        with self._lock:
            if self._busy:
                # A signal handler or finalizer inside a start of this same thread: written when that one is done.
                self._waiting.append((seq, line))
                return
            self._busy = True
            try:
                self._write_start(seq, line)
                while self._waiting:
                    self._write_start(*self._waiting.pop())
            except Exception:
                self.lost += 1
            finally:
                self._busy = False

    def close(self, seq: int, in_file: bool = True) -> None:
        """Note an end.

        On disk at once, except for the span that started last among those in flight when the span file has it: the
        next start takes the place of its line.
        """
        with self._lock:
            spans = self._spans
            span = spans.pop(seq, None)
            if span is None:
                return
            was_last = span[1] == self._top
            if was_last:
                self._top = next(reversed(spans.values()))[1] if spans else 0
                if in_file and spans:
                    return
            if self._busy:
                return  # readers find the span in the span file, or show it as unfinished
            self._busy = True
            try:
                self._write_end(None if was_last else span[0])
            except Exception:
                return
            finally:
                self._busy = False

    def restore(self) -> None:
        """Put the sidecar back if its folder or it was deleted from outside, or its descriptor closed."""
        with self._lock:
            if self._fd < 0 or self._busy or self._is_ours(whole=True):
                return
            self._busy = True
            try:
                self._rewrite()
            except Exception:
                self.lost += len(self._spans)
            finally:
                self._busy = False

    def finish(self) -> None:
        """A clean exit: remove the sidecar."""
        with self._lock:
            if self._fd >= 0:
                with contextlib.suppress(OSError):
                    unlink(self.path)
                self._forget()
            self._spans.clear()
            self._top = 0

    def let_go(self) -> None:
        """In a forked child: close the parent's sidecar, which stays the parent's."""
        self._forget()

    def _is_ours(self, *, whole: bool = False) -> bool:
        """Whether the descriptor still is the sidecar, and not a file of the application that took its number.

        ``whole``: and whether the sidecar still has its name and nobody has cut it.
        """
        if self._fd < 0:
            return False
        try:
            now = os.fstat(self._fd)
        except OSError:
            return False
        if now.st_ino != self._inode or now.st_dev != self._device:
            return False
        return not whole or (now.st_nlink > 0 and now.st_size >= self._top)

    def _is_at_mark(self) -> bool:
        """Whether the descriptor stands where we left it; another file that took its number does not.

        A sixth of the time of looking at the file itself, which ``_is_ours`` does when this is no answer.
        """
        try:
            return os.lseek(self._fd, 0, os.SEEK_CUR) == self._mark
        except OSError:
            return False

    def _forget(self) -> None:
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd, self._look_ns = -1, 0

    def _write_start(self, seq: int, line: bytes) -> None:
        now = time.monotonic_ns()
        if now > self._look_ns or self._top > self._limit or not self._is_at_mark():
            if self._top > self._limit or not self._is_ours(whole=True):
                self._rewrite()
            self._look_ns = now + _LOOK_NS
        if not line.endswith(LINE_END):
            line = line.rstrip(b"\n") + LINE_END
        start = self._top
        count = os.pwrite(self._fd, line, start)
        if count != len(line):
            os.ftruncate(self._fd, start)
            raise OSError("short write")
        end = start + count - 1
        self._spans[seq] = (start, end)
        self._top = end
        if end > self._size:
            self._size = end

    def _write_end(self, start: int | None) -> None:
        """One line is of no meaning any more, or, for None, what is behind the last one that is in flight."""
        if not self._is_at_mark() and not self._is_ours():
            return
        if start is not None:
            os.pwrite(self._fd, _ENDED, start)
        elif self._spans or self._size <= _KEPT_BYTES:
            os.pwrite(self._fd, LINE_END[1:], self._top)
        else:
            os.ftruncate(self._fd, 0)
            self._size, self._limit = 0, _COMPACT_BYTES

    def _lines(self) -> list[tuple[int, bytes]]:
        """What is still in flight, read back; what cannot be read is given up, so that later starts are not."""
        spans = self._spans
        if not spans:
            return []
        lines = []
        ours = self._is_ours()  # or the application closed our descriptor
        with contextlib.suppress(OSError):
            fd = self._fd if ours else os.open(self.path, os.O_RDONLY | _ONLY_OURS)
            try:
                lines = [(seq, os.pread(fd, end - start, start)) for seq, (start, end) in spans.items()]
            finally:
                if not ours:
                    os.close(fd)
        whole = [(seq, line) for seq, line in lines if line.endswith(b"\n") and b"\0" not in line]
        self.lost += len(spans) - len(whole)
        return whole

    def _create_span_file(self) -> None:
        """Readers look for sidecars beside a span file: a process that dies in its first span has one too."""
        with contextlib.suppress(OSError):
            os.close(os.open(self._span_file, _FLAGS, 0o600))

    def _rewrite(self) -> None:
        """Write what is still in flight to a new file, lock it, put it in the place of the old. Raises OSError."""
        lines = self._lines()
        new = self.path + ".new"
        try:
            fd = open_file(new, _FLAGS)
        except FileExistsError:
            unlink(new)
            fd = open_file(new, _FLAGS)
        spans, size = {}, 0
        try:
            try_lock(fd)  # before it has its name: a reader that finds it finds it locked
            for seq, line in lines:
                if os.write(fd, line) != len(line):
                    raise OSError("short write")
                spans[seq] = (size, size + len(line))
                size += len(line)
            mark = _MARKS + int.from_bytes(os.urandom(3))
            os.lseek(fd, mark, os.SEEK_SET)
            now = os.fstat(fd)
            rename(new, self.path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                unlink(new)
            raise
        if self._fd < 0:
            self._create_span_file()
            with contextlib.suppress(Exception):
                sweep(self._span_file, _KEPT_DEAD, living=self.path)
        self._forget()
        self._fd, self._inode, self._device, self._mark = fd, now.st_ino, now.st_dev, mark
        self._spans, self._top, self._size, self._limit = spans, size, size, max(_COMPACT_BYTES, 2 * size)
