"""One opened span file: the descriptor it is read by, how far it is loaded, and what became of it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from flightlog.errors import UnreadableError
from flightlog.sidecars import sidecars
from flightlog_viewer.store.files.rejects import Rejects
from flightlog_viewer.store.files.spool import Spool

Change = Literal["none", "grown", "truncated", "replaced", "deleted", "rewritten"]
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe that came in the place of a file would be waited for."""
_REST: Final = 20
"""A file that has to be unpacked or converted anew rests so many times as long as that took."""
_BLOCK: Final = 1 << 20
_EDGE: Final = 256
"""Bytes of a line that tell it from others: its run id is among them."""


@dataclass(slots=True)
class SourceFile:
    """A file of the store."""

    file_id: int
    path: Path
    """As it is shown; a rotated file keeps the name it was opened by until its new one is seen."""
    identity: tuple[int, int]
    """Device and inode."""
    state: tuple[int, int]
    """Size and modification time in nanoseconds, when it was opened or copied."""
    copy: Path | None
    """What is read in its place: its unpacked or converted copy."""
    converted: bool
    """Whether the copy is of another format."""
    held: int | None
    """The descriptor that stays open, so that payloads survive a rename or deletion; None when there are too many."""
    read_identity: tuple[int, int]
    """Device and inode of what is read."""
    end: int = 0
    """Bytes loaded; reading goes on there."""
    followed: bool = True
    """False when nothing more can come: another file has replaced it."""
    rests_until: float = 0.0
    """On the monotonic clock, for a copy: when it may be made anew."""
    rejects: Rejects = field(default_factory=Rejects)
    """What a conversion could not read."""
    edges: tuple[int, bytes] = (0, b"")
    """How far it was loaded, and the first and the last bytes up to there."""

    @property
    def read_path(self) -> Path:
        """What is read: the file, or its copy."""
        return self.copy or self.path

    @contextmanager
    def reading(self) -> Iterator[int]:
        """A descriptor to read it by. Raises OSError when it is not held open and no longer at its path."""
        if self.held is not None:
            yield self.held
            return
        descriptor = os.open(self.read_path, _FLAGS)
        try:
            if _identity(os.fstat(descriptor)) != self.read_identity:
                raise FileNotFoundError(f"{self.read_path} is another file now")
            yield descriptor
        finally:
            os.close(descriptor)

    def is_at_its_path(self) -> bool:
        """Whether others who open what is read by its path get the same file."""
        try:
            return _identity(os.stat(self.read_path)) == self.read_identity
        except OSError:
            return False

    def size(self) -> int:
        """Bytes there are to read now; those loaded when the file is gone."""
        try:
            with self.reading() as descriptor:
                return os.fstat(descriptor).st_size
        except OSError:
            return self.end

    def change(self) -> Change:
        """What happened to the file since it was loaded."""
        if not self.followed:
            return "none"
        size = self.size()
        if size < self.end:
            return "truncated"
        if size > self.end:
            return "grown" if self._begins_as_loaded() else "truncated"
        try:
            there = os.stat(self.path)
        except OSError:
            return "deleted" if self._has_no_name() else "none"
        if _identity(there) != self.identity:
            return "replaced"
        is_stale = self.copy is not None and _state(there) != self.state
        return "rewritten" if is_stale and time.monotonic() >= self.rests_until else "none"

    def settle(self) -> None:
        """Note what the loaded part begins and ends with."""
        if self.followed and self.copy is None and self.edges[0] != self.end:
            self.edges = self.end, self._edges()

    def _begins_as_loaded(self) -> bool:
        """Whether what was loaded is still there: a file that was emptied may have grown beyond it since."""
        end, edges = self.edges
        return end == 0 or end != self.end or edges == self._edges()

    def _edges(self) -> bytes:
        try:
            with self.reading() as descriptor:
                size = min(_EDGE, self.end)
                return os.pread(descriptor, size, 0) + os.pread(descriptor, size, self.end - size)
        except OSError:
            return b""

    def _has_no_name(self) -> bool:
        """Whether the file that is held was deleted, and not only renamed; of one read by its copy that is unknown."""
        return self.held is not None and (self.copy is not None or os.fstat(self.held).st_nlink == 0)

    def deleted_bytes(self) -> int:
        """What the disk still has of the file for our sake alone: it was deleted and is held."""
        if self.followed or self.held is None or not self._has_no_name():
            return 0
        return os.fstat(self.held).st_size

    def is_behind(self) -> bool:
        """Whether the file has changed since it was copied, and rests."""
        if self.copy is None or not self.followed:
            return False
        try:
            return _state(os.stat(self.path)) != self.state
        except OSError:
            return False

    def renew(self, spool: Spool) -> bool:
        """Copy the file anew; False when the copy does not begin with what is loaded. Raises UnreadableError."""
        fresh = open_source_file(self.file_id, self.path, spool, hold=True)
        assert fresh.held is not None
        try:
            with self.reading() as descriptor:
                if not _begins_alike(descriptor, fresh.held, self.end):
                    spool.drop(fresh.copy)
                    return False
                if self.held is not None:
                    # In one step: a reader in another thread has the old one or the new one.
                    os.dup2(fresh.held, self.held, inheritable=False)
        except OSError:
            return False
        finally:
            fresh.close()
        spool.drop(self.copy)
        self.identity, self.state, self.copy, self.converted = fresh.identity, fresh.state, fresh.copy, fresh.converted
        self.read_identity, self.rejects, self.rests_until = fresh.read_identity, fresh.rejects, fresh.rests_until
        return True

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.held is not None:
            os.close(self.held)
            self.held = None


def open_source_file(file_id: int, path: Path, spool: Spool, *, hold: bool) -> SourceFile:
    """Open a file, unpacking or converting it first if need be, and ``hold`` it open. Raises UnreadableError."""
    began = time.monotonic()
    descriptor = _open(path)
    held = None
    try:
        status = os.fstat(descriptor)
        readable = spool.readable(path, descriptor)
        copy = None if readable.path == path else readable.path
        if copy is not None:
            os.close(descriptor)
            descriptor = -1
            descriptor = _open(copy)
        read_identity = _identity(os.fstat(descriptor))
        held = descriptor if hold else None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        if held is None and descriptor >= 0:
            os.close(descriptor)
    source = SourceFile(file_id, path, _identity(status), _state(status), copy, readable.converted, held, read_identity)
    source.rests_until = time.monotonic() + _REST * (time.monotonic() - began)
    for byte_offset, reason in readable.rejects:
        source.rejects.add(file_id, byte_offset, reason)
    return source


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError as error:
        if sidecars(path):
            # All that is left is what was in flight: as if the file were empty, until there is one again.
            return os.open(os.devnull, _FLAGS)
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _begins_alike(one: int, other: int, size: int) -> bool:
    for at in range(0, size, _BLOCK):
        block = os.pread(one, min(_BLOCK, size - at), at)
        if not block or block != os.pread(other, len(block), at):
            return False
    return True
