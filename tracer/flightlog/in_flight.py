"""The in-flight sidecar: which spans a writer has started and not ended, on disk, so that a crash shows them.

The sidecar of one writer is ``<span file>.<writer id>.open``. It holds one line for each start (the span's record
so far, without ``status`` and ``duration_ms``) and ``{"ended":[seq, ...]}`` for those that ended since. Most ends
travel with a later start and cost no system call, because readers look for them in the span file; when nothing is in
flight any more, or the span file does not have the span, they are written at once. Its owner holds an exclusive
``flock`` on it: a free lock means that the owner is dead. It is emptied or rewritten as it grows and is gone after a
clean exit.
"""

import contextlib
import os
import threading
import time
from typing import Final

from flightlog.descriptor import above_standard
from flightlog.file_lock import try_lock
from flightlog.reader import sweep

_ONLY_OURS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _ONLY_OURS
_COMPACT_BYTES: Final = 256 * 1024
"""Size from which the sidecar is rewritten, and then again at twice of what was left."""
_EMPTY_BYTES: Final = 64 * 1024
"""Size from which it is emptied when nothing is in flight: a rewrite costs more, and changes the folder."""
_LOOK_NS: Final = 5_000_000
"""How long a look at the descriptor is good for; a span file that lost its own says so at once."""
_KEPT_DEAD: Final = 64
"""Sidecars of dead writers that stay beside a span file: a process that crashes in a loop must not fill the disk."""
_ENDS_TOGETHER: Final = 32
"""Ends that wait for a start to travel with; a few in one piece cost less than each alone."""


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
        self._look_ns = 0  # when to look next whether the descriptor is ours, monotonic
        self._size = 0
        self._position = 0  # of the descriptor; emptying the file leaves it where it was
        self._limit = _COMPACT_BYTES
        self._spans: dict[int, tuple[int, int]] = {}  # seq -> where its line is: offset and length
        self._ended: list[int] = []
        self._waiting: list[tuple[int, bytes]] = []

    @property
    def count(self) -> int:
        """Spans started and not ended."""
        return len(self._spans)

    def open(self, seq: int, line: bytes) -> None:
        """Note a start. The line may bring its newline."""
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

        On disk at once when the span file does not have the span, or nothing is in flight any more; else some starts
        later.
        """
        with self._lock:
            spans = self._spans
            if spans.pop(seq, None) is None:
                return
            self._ended.append(seq)
            if (in_file and spans) or self._busy:
                return
            self._busy = True
            try:
                self._write_ends()
            except Exception:
                return  # readers find the ends in the span file, or show the span as unfinished
            finally:
                self._busy = False

    def restore(self) -> None:
        """Put the sidecar back if its folder or it was deleted from outside, or its descriptor closed."""
        with self._lock:
            if self._fd < 0 or self._busy or self._is_ours(linked=True):
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
                    os.unlink(self.path)
                self._forget()
            self._spans.clear()
            self._ended.clear()

    def let_go(self) -> None:
        """In a forked child: close the parent's sidecar, which stays the parent's."""
        self._forget()

    def _is_ours(self, *, linked: bool = False) -> bool:
        """Whether the descriptor still is the sidecar, and not a file of the application that took its number.

        ``linked``: and whether the sidecar still has its name.
        """
        if self._fd < 0:
            return False
        try:
            now = os.fstat(self._fd)
        except OSError:
            return False
        return now.st_ino == self._inode and now.st_dev == self._device and (not linked or now.st_nlink > 0)

    def _is_where_we_left_it(self) -> bool:
        """Whether the descriptor stands behind what we wrote last; another file that took its number does not.

        A sixth of the time of looking at the file itself, which ``_is_ours`` does when this is no answer.
        """
        try:
            return os.lseek(self._fd, 0, os.SEEK_CUR) == self._position
        except OSError:
            return False

    def _forget(self) -> None:
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd, self._size, self._look_ns = -1, 0, 0

    def _write_start(self, seq: int, line: bytes) -> None:
        now = time.monotonic_ns()
        if now > self._look_ns or self._size > self._limit or not self._is_where_we_left_it():
            if self._size > self._limit or not self._is_ours(linked=True):
                self._rewrite()
            self._look_ns = now + _LOOK_NS
        if not line.endswith(b"\n"):
            line += b"\n"
        length = len(line)
        if len(self._ended) >= _ENDS_TOGETHER:
            line = self._take_ends() + line
        count = os.write(self._fd, line)
        self._size = self._position = end = self._size + count
        if count != len(line):
            self._size += os.write(self._fd, b"\n")  # so that the next line stands by itself
            self._position = self._size
            raise OSError("short write")
        self._spans[seq] = (end - length, length - 1)

    def _lines(self) -> list[tuple[int, bytes]]:
        """What is still in flight, read back; what cannot be read is given up, so that later starts are not."""
        if not self._spans:
            return []
        ours = self._is_ours()  # or the application closed our descriptor
        try:
            fd = self._fd if ours else os.open(self.path, os.O_RDONLY | _ONLY_OURS)
            try:
                return [(seq, os.pread(fd, length, offset)) for seq, (offset, length) in self._spans.items()]
            finally:
                if not ours:
                    os.close(fd)
        except OSError:
            self.lost += len(self._spans)
            return []

    def _create_span_file(self) -> None:
        """Readers look for sidecars beside a span file: a process that dies in its first span has one too."""
        with contextlib.suppress(OSError):
            os.close(os.open(self._span_file, _FLAGS, 0o600))

    def _write_ends(self) -> None:
        if not self._is_where_we_left_it() and not self._is_ours():
            return
        if self._spans or self._size <= _EMPTY_BYTES:
            self._size = self._position = self._size + os.write(self._fd, self._take_ends())
        else:
            os.ftruncate(self._fd, 0)
            self._size, self._limit = 0, _COMPACT_BYTES
            self._ended.clear()

    def _take_ends(self) -> bytes:
        line = b'{"ended":%b}\n' % str(self._ended).encode()
        self._ended.clear()
        return line

    def _rewrite(self) -> None:
        """Write what is still in flight to a new file, lock it, put it in the place of the old. Raises OSError."""
        lines = self._lines()
        new = self.path + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        try:
            fd = os.open(new, _FLAGS, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            fd = os.open(new, _FLAGS, 0o600)
        fd = above_standard(fd)
        spans, size = {}, 0
        try:
            try_lock(fd)  # before it has its name: a reader that finds it finds it locked
            for seq, line in lines:
                if os.write(fd, line + b"\n") != len(line) + 1:
                    raise OSError("short write")
                spans[seq] = (size, len(line))
                size += len(line) + 1
            now = os.fstat(fd)
            os.rename(new, self.path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
        if self._fd < 0:
            self._create_span_file()
            with contextlib.suppress(Exception):
                sweep(self._span_file, _KEPT_DEAD)
        self._forget()
        self._fd, self._inode, self._device = fd, now.st_ino, now.st_dev
        self._position = size
        self._spans, self._size, self._limit = spans, size, max(_COMPACT_BYTES, 2 * size)
        self._ended.clear()
