"""Private copies: compressed files unpacked once, other formats as span lines, and stretches of growing files."""

import hashlib
import os
import re
import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from flightlog.errors import UnreadableError
from flightlog_exporters.line_file import BOMB, LineFile, compression_of, is_bomb
from flightlog_viewer.file_head import head_of
from flightlog_viewer.store.files.own_folder import OwnFolder, temporary_folder
from flightlog_viewer.store.files.unpacking import DamagedError, Unpack, gunzip, unzstd

if TYPE_CHECKING:
    from flightlog_viewer.store.files.cache import Cache

_HEAD_BYTES: Final = 4096
_OWN: Final = re.compile(rb'\s*\{\s*"(?!resource)')
"""How a span file begins; only what does not is worth a closer look, which brings the readers of other formats."""
_FORM: Final = "whole"
"""Of unpacked copies in the cache; another name than that of earlier ones, which may lack their ends unnoticed."""
_FREE_BYTES: Final = 1 << 30
"""Unpacking stops before the disk has less than this left: a small file can hold a huge one."""


Damage = tuple[int, str]
"""Bytes of a compressed file that could be unpacked, and why there is no more."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A file of span lines to read in place of the one that was named."""

    path: Path
    converted: bool = False
    """Whether its lines are made from another format: places in it are none of the original."""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """Byte offset in the original, unpacked, and reason of what could not be unpacked or converted."""


class Spool:
    """A private folder, gone after ``close``; unpacked copies live in the cache when there is one."""

    def __init__(self, cache: "Cache | None" = None) -> None:
        self._cache = cache
        self._folder: OwnFolder | None = None
        self._count = 0

    def readable(self, path: Path, descriptor: int) -> Readable:
        """Plain span lines: the file itself, its unpacked copy, or what its spans become. Raises UnreadableError."""
        start = os.pread(descriptor, 4, 0)
        if not start:
            return Readable(path)
        kind = compression_of(start)
        plain, damage = path, None
        if kind is not None:
            plain, damage = self._copy(path, descriptor, gunzip if kind == "gzip" else unzstd)
        readable = self._converted(plain)
        if readable is None:
            readable = Readable(plain)
        else:
            self.drop(plain)
        if damage is not None:
            readable.rejects.append(damage)
        return readable

    def _converted(self, plain: Path) -> Readable | None:
        if _OWN.match(head_of(plain, _HEAD_BYTES)):
            return None
        from flightlog_exporters.readers import reader_of

        with LineFile(plain) as file:
            reader = reader_of(file)
            if reader is None:
                return None
            target = self.new_file()
            found = Readable(target, converted=True)
            with _private(target) as lines:
                for span in reader.read(file.lines(), lambda offset, reason: found.rejects.append((offset, reason))):
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

    def prune(self) -> None:
        """Keep the cache within its limit, which copies are part of."""
        if self._cache is not None:
            self._cache.prune()

    def close(self) -> None:
        """Delete the private folder; harmless when repeated."""
        if self._folder is not None:
            self._folder.close()

    def _copy(self, path: Path, descriptor: int, unpack: Unpack) -> tuple[Path, Damage | None]:
        try:
            if self._cache is None:
                target = self.new_file()
                return target, self._unpack(path, descriptor, target, unpack)
            status = os.fstat(descriptor)
            key = f"{_FORM}-{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
            target = self._cache.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.jsonl"
            if target.exists():
                self._cache.used(target)
                return target, None
            with closing(self._cache.building_place()) as place:
                built = place.path / target.name
                damage = self._unpack(path, descriptor, built, unpack)
                if damage is None:
                    os.replace(built, target)
                else:
                    target = self.new_file()  # from the cache it would come without its damage
                    shutil.move(built, target)
        except OSError as error:
            raise UnreadableError(f"{path} cannot be unpacked: {error}") from None
        return target, damage

    def _unpack(self, path: Path, descriptor: int, target: Path, unpack: Unpack) -> Damage | None:
        """Write what a file holds up to where it is damaged: whole lines then."""
        packed_size = os.fstat(descriptor).st_size
        damage = None
        try:
            with open(os.dup(descriptor), "rb") as packed, _private(target) as file:
                free = shutil.disk_usage(target.parent).free
                unpacked = whole = 0
                try:
                    for block in unpack(packed):
                        newline = block.rfind(b"\n")
                        whole = whole if newline < 0 else unpacked + newline + 1
                        unpacked += len(block)
                        if is_bomb(packed_size, unpacked):
                            raise UnreadableError(f"{path} {BOMB}")
                        if free - unpacked < _FREE_BYTES:
                            raise UnreadableError(f"{path} is too large to unpack on this disk")
                        file.write(block)
                except DamagedError as error:
                    file.truncate(whole)
                    damage = whole, str(error)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return damage


def _private(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
