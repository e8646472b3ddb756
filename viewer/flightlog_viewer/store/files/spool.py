"""Private copies: compressed files unpacked once, other formats as span lines, and stretches of growing files."""

import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from flightlog.errors import UnreadableError
from flightlog_exporters.line_file import BOMB, compression_of, is_bomb
from flightlog_viewer.store.files.own_folder import OwnFolder, temporary_folder

if TYPE_CHECKING:
    from flightlog_viewer.store.files.cache import Cache

_BLOCK: Final = 1 << 20
_HEAD_BYTES: Final = 1 << 20
_FREE_BYTES: Final = 1 << 30
"""Unpacking stops before the disk has less than this left: a small file can hold a huge one."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A file of span lines to read in place of the one that was named."""

    path: Path
    converted: bool = False
    """Whether its lines are made from another format: places in it are none of the original."""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """Byte offset in the original and reason of what could not be converted."""


class Spool:
    """A private folder, gone after ``close``; unpacked copies live in the cache when there is one."""

    def __init__(self, cache: "Cache | None" = None) -> None:
        self._cache = cache
        self._folder: OwnFolder | None = None
        self._count = 0

    def readable(self, path: Path, descriptor: int) -> Readable:
        """Plain span lines: the file itself, its unpacked copy, or what its spans become. Raises UnreadableError."""
        kind = compression_of(os.pread(descriptor, 4, 0))
        plain = path if kind is None else self._copy(path, descriptor, _gunzip if kind == "gzip" else _unzstd)
        converted = self._converted(plain)
        if converted is None:
            return Readable(plain)
        self.drop(plain)
        return converted

    def _converted(self, plain: Path) -> Readable | None:
        with plain.open("rb") as file:
            head = file.read(_HEAD_BYTES).lstrip().partition(b"\n")[0]
            if not head or b'"run_id"' in head:
                return None
            from flightlog_exporters.readers import recognise

            reader = recognise(head)
            if reader is None:
                return None
            file.seek(0)
            target = self.new_file()
            found = Readable(target, converted=True)
            with _private(target) as lines:
                for span in reader.read(file, lambda offset, reason: found.rejects.append((offset, reason))):
                    lines.write(span.to_json() + b"\n")
        return found

    def new_file(self) -> Path:
        """The name of a new private file."""
        if self._folder is None:
            self._folder = temporary_folder()
        self._count += 1
        return self._folder.path / f"{self._count}.jsonl"

    def drop(self, path: Path | None) -> None:
        """Delete a file if it is one of the private folder's: what is read by an open descriptor can still be read."""
        if path is not None and self._folder is not None and path.parent == self._folder.path:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete the private folder; harmless when repeated."""
        if self._folder is not None:
            self._folder.close()

    def _copy(self, path: Path, descriptor: int, unpack: Callable[[IO[bytes]], Iterator[bytes]]) -> Path:
        status = os.fstat(descriptor)
        if self._cache is None:
            target = self.new_file()
            self._unpack(path, descriptor, target, unpack)
            return target
        key = f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
        target = self._cache.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.jsonl"
        if target.exists():
            self._cache.used(target)
            return target
        try:
            with closing(self._cache.building_place()) as place:
                built = place.path / target.name
                self._unpack(path, descriptor, built, unpack)
                os.replace(built, target)
        except OSError as error:
            raise UnreadableError(f"{path} cannot be unpacked: {error}") from None
        return target

    def _unpack(
        self, path: Path, descriptor: int, target: Path, unpack: Callable[[IO[bytes]], Iterator[bytes]]
    ) -> None:
        packed_size = os.fstat(descriptor).st_size
        try:
            with open(os.dup(descriptor), "rb") as packed, _private(target) as file:
                free = shutil.disk_usage(target.parent).free
                unpacked = 0
                for block in unpack(packed):
                    unpacked += len(block)
                    if is_bomb(packed_size, unpacked):
                        raise UnreadableError(f"{path} {BOMB}")
                    if free - unpacked < _FREE_BYTES:
                        raise UnreadableError(f"{path} is too large to unpack on this disk")
                    file.write(block)
        except OSError as error:
            target.unlink(missing_ok=True)
            raise UnreadableError(f"{path} cannot be unpacked: {error}") from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _private(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _gunzip(packed: IO[bytes]) -> Iterator[bytes]:
    """What a gzip file holds, member after member, up to where it is damaged or cut short."""
    packed.seek(0)
    member = zlib.decompressobj(wbits=31)
    data = b""
    while data := data or packed.read(_BLOCK):
        try:
            if block := member.decompress(data, _BLOCK):
                yield block
        except zlib.error:
            return
        data = member.unconsumed_tail
        if member.eof:
            data = member.unused_data
            member = zlib.decompressobj(wbits=31)
    if rest := member.flush():
        yield rest


def _unzstd(packed: IO[bytes]) -> Iterator[bytes]:
    import zstandard

    packed.seek(0)
    with zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(packed, read_across_frames=True) as stream:
        try:
            while block := stream.read(_BLOCK):
                yield block
        except zstandard.ZstdError:
            return
