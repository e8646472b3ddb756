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

from flightlog.descriptor import above_standard
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
_FOLDER_ATTEMPTS: Final = 8
"""How often the folder is made again when it is removed right away."""


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
        self._inode = self._device = 0
        self._end = _UNKNOWN  # where the file ended, with a newline, after our last line
        self._ctime = 0

    def append(self, data: bytes) -> bool:
        """Write ``data``, which ends with a newline; False when it must be written again.

        Raises OSError; part of the data may be in the file then, as a torn tail like any other.
        """
        # Once for each span, so the common case is spelled out: the file is as our last line left it, and nobody else
        # writes during this one.
        fd, size = self._fd, 0
        if fd >= 0:
            try:
                now = os.fstat(fd)
            except OSError:
                fd = self._forget(close=False)
            else:
                size = now.st_size
                if (
                    size != self._end
                    or now.st_ctime_ns != self._ctime
                    or now.st_ino != self._inode
                    or now.st_dev != self._device
                    or now.st_nlink == 0
                ):
                    fd = self._keep_or_forget(now)
        if fd < 0:
            fd, size = self._open()
        if self.max_bytes is not None and size and size + len(data) > self.max_bytes:
            fd, size = self._rotate(fd)
        if size and size != self._end and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data
        count = os.write(fd, data)
        if count != len(data):
            raise OSError(errno.ENOSPC, f"short write, {count} of {len(data)} bytes")
        try:
            there = os.lstat(self.path)
        except FileNotFoundError:
            there = None
        if (
            there is not None
            and there.st_size == size + count
            and there.st_ino == self._inode
            and there.st_dev == self._device
        ):
            self._end, self._ctime = size + count, there.st_ctime_ns
        elif not self._verify(fd, data, there):
            return False
        if self.fsync:
            self._sync(fd)
        return True

    def close(self) -> None:
        """Close the descriptor if it still is ours; the next append opens the path again."""
        self._forget(close=self._is_ours())

    def _verify(self, fd: int, data: bytes, there: os.stat_result | None) -> bool:
        """After a write with company: is the line in a file that has a name, and behind a newline?"""
        if there is None or not self._is_file(there):
            # Renamed: the line is in the renamed file. Deleted: it is gone with the file.
            return os.fstat(fd).st_nlink > 0
        end = os.lseek(fd, 0, os.SEEK_CUR)
        start = end - len(data)
        if start > 0 and data[0] != 0x0A and os.pread(fd, 1, start - 1) not in (b"\n", b""):
            return False
        self._end = end
        return True

    def _keep_or_forget(self, now: os.stat_result) -> int:
        """The descriptor, if the file that changed since our last line is still ours and still at the path."""
        if not self._is_file(now):
            # The application closed our descriptor and its number is another file now.
            return self._forget(close=False)
        if now.st_nlink == 0 or not self._is_at_path():
            return self._forget(close=True)
        return self._fd

    def _sync_folder(self) -> None:
        """A new file survives the machine only when its name does."""
        with contextlib.suppress(OSError):
            fd = os.open(os.path.dirname(self.path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _sync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError as error:
            self.unsynced += 1
            self.sync_error = error

    def _open(self) -> tuple[int, int]:
        fd = above_standard(self._open_or_create())
        try:
            now = os.fstat(fd)
            if not stat.S_ISREG(now.st_mode):
                raise OSError(errno.EINVAL, f"not a regular file: {self.path}")
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._inode, self._device, self._end = fd, now.st_ino, now.st_dev, _UNKNOWN
        self.opened += 1
        if self.fsync and now.st_size == 0:
            self._sync_folder()
        return fd, now.st_size

    def _open_or_create(self) -> int:
        for _ in range(_FOLDER_ATTEMPTS):
            try:
                return os.open(self.path, _FLAGS, 0o600)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        return os.open(self.path, _FLAGS, 0o600)

    def _rotate(self, fd: int) -> tuple[int, int]:
        if rotate(fd, self.path) is not None:
            self.rotations += 1
            if self.max_total_bytes is not None and self.max_bytes is not None:
                prune(self.path, self.max_total_bytes - self.max_bytes)
        self._forget(close=True)
        return self._open()

    def _is_at_path(self) -> bool:
        try:
            return self._is_file(os.lstat(self.path))
        except OSError:
            return False

    def _is_ours(self) -> bool:
        """Whether the descriptor still is the file we opened, and not one the application put in its place."""
        if self._fd < 0:
            return False
        try:
            return self._is_file(os.fstat(self._fd))
        except OSError:
            return False

    def _is_file(self, found: os.stat_result) -> bool:
        return found.st_ino == self._inode and found.st_dev == self._device

    def _forget(self, *, close: bool) -> int:
        fd, self._fd, self._end = self._fd, -1, _UNKNOWN
        if close and fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
        return -1
