"""One opened span file: its held descriptor, how far it is loaded, and what became of it."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flightlog.errors import UnreadableError
from flightlog_viewer.store.rejects import Rejects
from flightlog_viewer.store.spool import Spool

Change = Literal["none", "grown", "truncated", "replaced"]


@dataclass(slots=True)
class SourceFile:
    """A file of the store. ``descriptor`` stays open, so that its payloads survive a rename or deletion."""

    file_id: int
    path: Path
    """As it is shown; a rotated file keeps the name it was opened by until its new one is seen."""
    read_path: Path
    """What is read: the file, or its unpacked copy."""
    descriptor: int
    device: int
    inode: int
    rows: int = 0
    end: int = 0
    """Bytes loaded; reading goes on there."""
    followed: bool = True
    """False when nothing more can come: an unpacked copy, or a file that another one replaced."""
    rejects: Rejects = field(default_factory=Rejects)
    """What an import could not read."""

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the original."""
        return self.device, self.inode

    @property
    def is_current(self) -> bool:
        """Whether the file of this identity is still this one; an emptied file has to be read anew."""
        return self.followed or self.read_path != self.path

    def size(self) -> int:
        """Bytes that the open file has now."""
        return os.fstat(self.descriptor).st_size

    def change(self) -> Change:
        """What happened to the file since it was loaded."""
        if not self.followed:
            return "none"
        size = self.size()
        if size < self.end:
            return "truncated"
        if size > self.end:
            return "grown"
        try:
            there = os.stat(self.path)
        except OSError:
            return "none"
        return "none" if (there.st_dev, there.st_ino) == self.identity else "replaced"


def open_source(file_id: int, path: Path, spool: Spool) -> SourceFile:
    """Open a file, unpacking or converting it first if need be. Raises UnreadableError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        readable = spool.readable(path, descriptor)
        if readable.path == path:
            return SourceFile(file_id, path, path, descriptor, status.st_dev, status.st_ino)
        copy = os.open(readable.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    source = SourceFile(file_id, path, readable.path, copy, status.st_dev, status.st_ino, followed=False)
    for byte_offset, reason in readable.rejects:
        source.rejects.add(file_id, byte_offset, reason)
    return source
