"""Appending whole lines to one path, whatever others do to the file at that moment.

No lock is shared with another process, so no stopped neighbour can block this one. A torn tail that a killed
neighbour left is found before the write, or by looking at the byte before our line after it; the line then goes out
once more behind a newline of its own.
"""

import contextlib
import errno
import os
import stat
from typing import Final

from flightlog.rotation import prune, rotate

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
_UNKNOWN: Final = -1


class Appender:
    """One path and the descriptor of the file that was there last. For one thread at a time.

    The file is opened by the first append, and created 0600 with its folders. ``max_bytes`` rotates it before it
    would grow past that; ``max_total_bytes`` bounds it and its rotated files together.
    """

    def __init__(self, path: str, *, fsync: bool, max_bytes: int | None, max_total_bytes: int | None) -> None:
        self.path: Final = path
        self.fsync: Final = fsync
        self.max_bytes: Final = max_bytes
        self.max_total_bytes: Final = max_total_bytes
        self.opened = 0
        """How often a file was opened: another one was there, or none."""
        self.rotations = 0
        self.unsynced = 0
        """Lines written whose ``fsync`` failed."""
        self.sync_error: OSError | None = None
        self._fd = -1
        self._identity = (0, 0)
        self._end = _UNKNOWN  # where the file ended, with a newline, after our last line
        self._ctime = 0

    def append(self, data: bytes) -> bool:
        """Write ``data``, which ends with a newline; False when it must be written again.

        Raises OSError; part of the data may be in the file then, as a torn tail like any other.
        """
        fd, size = self._ready(len(data))
        if size and size != self._end and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data
        count = os.write(fd, data)
        self._end = _UNKNOWN
        if count != len(data):
            raise OSError(errno.ENOSPC, f"short write, {count} of {len(data)} bytes")
        safe = self._verify(fd, size, data)
        if safe and self.fsync:
            try:
                os.fsync(fd)
            except OSError as error:
                self.unsynced += 1
                self.sync_error = error
        return safe

    def close(self) -> None:
        """Close the descriptor if it still is ours; the next append opens the path again."""
        self._forget(close=self._is_ours())

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
        self.opened += 1
        return fd, now.st_size

    def _rotate(self, fd: int) -> tuple[int, int]:
        if rotate(fd, self.path) is not None:
            self.rotations += 1
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
