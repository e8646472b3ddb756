"""Appending whole lines to one path, whatever others do to the file at that moment.

No lock is shared with another process, so no stopped neighbour can block this one. Whether somebody else wrote since
our last line is seen from where the next one landed. If so, and the byte before it is no newline, a killed neighbour
left a torn tail there, and the line goes out once more, behind a newline.
"""

import contextlib
import errno
import os
import stat
import time
from typing import Final

from flightlog.rotation import prune, rotate
from flightlog.writing.descriptor import open_file
from flightlog.writing.folder import Folder

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
_MOMENT_NS: Final = 1_000_000
"""How long a look at the path holds before a write. The look after the write finds what happened in that time: a line
in a file that was deleted goes out again. One in a file that was renamed stays there, and nobody has packed that file
within a millisecond."""


_STUCK_NS: Final = 1_000_000_000
"""How long after a rename that was refused the next is tried."""


class Appender:
    """One path and the descriptor of the file that was there last. For one thread at a time.

    The file is opened by the first append, and created 0600 with its folders. ``max_bytes`` rotates it before it
    would grow past that; ``max_total_bytes`` bounds it and its rotated files together. A file that cannot be renamed,
    being a mount of its own, say, grows on as far as ``max_total_bytes`` lets it.
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
        self.rotation_error: OSError | None = None
        """Why the file could not be renamed the last time."""
        self._stuck_until_ns = 0
        self._fd = -1
        self._inode = self._device = 0
        self._position = 0  # of the descriptor after our last line
        self._looked_ns = 0  # when the file was last known to be at the path, monotonic
        self._folder = Folder("")

    def append(self, data: bytes) -> bool:
        """Write ``data``, which ends with a newline; False when it must be written again.

        Raises OSError; part of the data may be in the file then, as a torn tail like any other.
        """
        # Once for each span: calls of 0.2 us that only ask for positions, instead of looking at the file itself.
        now = time.monotonic_ns()
        fd = self._fd
        try:
            if os.lseek(fd, 0, os.SEEK_CUR) != self._position or not (
                now < self._looked_ns + _MOMENT_NS or self._folder.is_unchanged(now)
            ):
                fd = self._keep_or_open()
        except OSError:
            fd = self._keep_or_open()
        if self.max_bytes is not None:
            size = os.lseek(fd, 0, os.SEEK_END)
            if size and size + len(data) > self.max_bytes:
                fd = self._rotate(fd, size + len(data), now)
        if not self._position and self._ends_torn(fd):
            data = b"\n" + data
        count = os.write(fd, data)
        if count != len(data):
            raise OSError(errno.ENOSPC, f"short write, {count} of {len(data)} bytes")
        expected = self._position + count
        self._position = position = os.lseek(fd, 0, os.SEEK_CUR)
        if position != expected and not self._is_whole(fd, position - count, data):
            return False
        if not self._folder.is_unchanged(now) and not self._has_name(fd):
            return False
        self._looked_ns = now
        if self.fsync:
            self._sync(fd)
        return True

    def close(self) -> None:
        """Close the descriptor if it still is ours; the next append opens the path again."""
        self._forget(close=self._is_ours())

    def _ends_torn(self, fd: int) -> bool:
        """Whether the file that was there before our first line ends in the middle of one."""
        size = os.lseek(fd, 0, os.SEEK_END)
        return size > 0 and os.pread(fd, 1, size - 1) != b"\n"

    def _is_whole(self, fd: int, start: int, data: bytes) -> bool:
        """After a write with company: is the line behind a newline?"""
        return start <= 0 or data[0] == 0x0A or os.pread(fd, 1, start - 1) in (b"\n", b"")

    def _has_name(self, fd: int) -> bool:
        """Whether the line that was just written is in a file with a name; the next one goes to the path."""
        if self._is_at_path():
            return True
        # Renamed: the line is in the renamed file. Deleted: it is gone with the file.
        is_linked = os.fstat(fd).st_nlink > 0
        self._forget(close=True)
        return is_linked

    def _keep_or_open(self) -> int:
        """The descriptor, if it still is the file at the path, or a new one.

        When the application closed ours and its number became another file, that one is left alone.
        """
        is_ours = self._is_ours()
        if is_ours and self._is_at_path():
            return self._fd
        self._forget(close=is_ours)
        return self._open()

    def _is_at_path(self) -> bool:
        mark = self._folder.mark()
        try:
            if not self._is_file(os.lstat(self.path)):
                return False
        except FileNotFoundError:
            return False
        self._folder.trust(mark)
        return True

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

    def _open(self) -> int:
        fd = open_file(self.path, _FLAGS)
        try:
            now = os.fstat(fd)
            if not stat.S_ISREG(now.st_mode):
                raise OSError(errno.EINVAL, f"not a regular file: {self.path}")
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._inode, self._device, self._position = fd, now.st_ino, now.st_dev, 0
        self._folder = Folder(os.path.dirname(self.path))
        self.opened += 1
        if self.fsync and now.st_size == 0:
            self._sync_folder()
        return fd

    def _rotate(self, fd: int, size: int, now: int) -> int:
        """The descriptor of what follows; ``size`` is what the file would have without."""
        if now < self._stuck_until_ns and self._may_grow(size):
            return fd
        try:
            renamed = rotate(fd, self.path)
            self.rotation_error = None
        except OSError as error:
            if not self._may_grow(size):
                raise
            self.rotation_error, self._stuck_until_ns = error, now + _STUCK_NS
            if self.max_total_bytes is not None:
                prune(self.path, self.max_total_bytes - size)
            return fd
        if renamed is not None:
            self.rotations += 1
            if self.max_total_bytes is not None and self.max_bytes is not None:
                prune(self.path, self.max_total_bytes - self.max_bytes)
        self._forget(close=True)
        return self._open()

    def _may_grow(self, size: int) -> bool:
        return self.max_total_bytes is None or size <= self.max_total_bytes

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

    def _forget(self, *, close: bool) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._folder.close()
            if close:
                with contextlib.suppress(OSError):
                    os.close(fd)
