"""Files of lines, plain or compressed, read from an offset: the way in for every export and import."""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self, cast

from flightlog.errors import MissingExtraError, UnreadableError
from flightlog.reader import MAX_LINE_BYTES
from flightlog_exporters.zstd_frames import is_cut_short

BOMB: Final = "unpacks to more than 100 times its size, as no span file does: unpack it first if you trust it"
_BOMB_RATIO: Final = 100
_BOMB_BYTES: Final = 1 << 30
"""Less is unpacked whatever it comes from."""
_BLOCK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_CUT_SHORT: Final = "compressed file ended before its last frame did"


def compression_of(head: bytes) -> str | None:
    """``"gzip"`` or ``"zstd"`` by the first four bytes, None for anything else."""
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD) else None


def is_bomb(packed_bytes: int, unpacked_bytes: int) -> bool:
    """Whether a compressed file holds so much that it was made to fill a disk."""
    return unpacked_bytes > max(_BOMB_BYTES, _BOMB_RATIO * packed_bytes)


def size_of(path: Path) -> int:
    """Bytes of a file on the disk; 0 when it is gone: rotation takes files away at any time."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Line(NamedTuple):
    """One line with its newline; empty when it was too long."""

    offset: int
    """Of its first byte, in the unpacked file."""
    data: bytes
    end: int
    """Where the next line begins."""


class LineFile:
    """A regular file of lines, unpacked when it begins as gzip or zstd does; a context manager.

    Raises UnreadableError when it is missing or no regular file, MissingExtraError when zstd is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._errors: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
        try:
            # A FIFO would block the open, a device would never end.
            descriptor = os.open(self.name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise self._unreadable(error) from None
        self.stat = os.fstat(descriptor)
        """Of the open file, whatever its name is by now."""
        if not stat.S_ISREG(self.stat.st_mode):
            os.close(descriptor)
            raise UnreadableError(f"{self.name} is not a regular file")
        self._plain = open(descriptor, "rb")  # noqa: SIM115 - closed by close()
        head = self._plain.peek(4)[:4]
        self.packing: Final = compression_of(head) or "none"
        """How the file is compressed."""
        self._stream = self._unpacked()
        self._is_whole = False  # as far as was looked
        self._at = 0
        """Bytes of the unpacked file that were read."""

    @property
    def is_packed(self) -> bool:
        """A compressed file is complete: nobody appends to it."""
        return self.packing != "none"

    def _unpacked(self) -> BinaryIO:
        if self.packing == "gzip":
            return cast("BinaryIO", gzip.GzipFile(fileobj=self._plain))
        return self._zstd() if self.packing == "zstd" else cast("BinaryIO", self._plain)

    def _zstd(self) -> BinaryIO:
        try:
            import zstandard
        except ImportError:
            self.close()
            raise MissingExtraError("reading .zst files", "viewer") from None
        self._errors = (*self._errors, zstandard.ZstdError)
        reader = zstandard.ZstdDecompressor().stream_reader(self._plain, read_across_frames=True, closefd=False)
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader), 1 << 18))

    def lines(self, offset: int = 0, *, torn: bool = True) -> Iterator[Line]:
        """The lines from a byte offset on. ``torn`` answers a last line without its newline too: without it, that
        line is left for later, since its writer may be at it. Raises UnreadableError.
        """
        self._seek(offset)
        while data := self._read():
            end = offset + len(data)
            complete = data.endswith(b"\n")
            if not complete and len(data) == MAX_LINE_BYTES:
                while not complete and (rest := self._read()):
                    end += len(rest)
                    complete = rest.endswith(b"\n")
                data = b""
            if not complete and not torn:
                return
            yield Line(offset, data, end)
            offset = end

    def bytes_before(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of the unpacked file that end at an offset; fewer when the file is shorter. The next
        ``lines`` begins where it is told, as ever. Raises UnreadableError.
        """
        start = max(0, offset - size)
        self._seek(start)
        with self._reading():
            data = self._stream.read(offset - start)
            self._at += len(data)
            return data

    def position(self) -> int:
        """How many bytes of the file have been taken from the disk: for a progress bar."""
        return self._plain.tell()

    def _seek(self, offset: int) -> None:
        with self._reading():
            if not self.is_packed:
                self._stream.seek(offset)
                return
            # Packed streams go forward only.
            if offset < self._at:
                self._plain.seek(0)
                self._stream, self._at = self._unpacked(), 0
            while self._at < offset and (passed := self._stream.read(min(_BLOCK, offset - self._at))):
                self._at += len(passed)

    def _read(self) -> bytes:
        try:
            data = self._stream.readline(MAX_LINE_BYTES)
        except self._errors as error:
            raise self._unreadable(error) from None
        self._at += len(data)
        if not data and self.packing == "zstd" and not self._is_whole:
            if is_cut_short(self._plain.fileno()):
                raise UnreadableError(f"cannot read {self.name}: {_CUT_SHORT}")
            self._is_whole = True
        if self.is_packed and is_bomb(self.stat.st_size, self._at):
            raise UnreadableError(f"{self.name} {BOMB}")
        return data

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> UnreadableError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return UnreadableError(f"cannot read {self.name}: {reason}")

    def close(self) -> None:
        """Close the file."""
        self._plain.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
