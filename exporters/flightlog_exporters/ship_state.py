"""How far each span file has been delivered, kept on disk between runs.

A file is known by its first line, not by its name or inode, so that it stays known when it is rotated, moved or
compressed. Offsets are of the unpacked file. The bytes before an offset are remembered by a hash: if they are not there
any more, it is another file, and it is sent from its beginning. Too much is sent rather than too little.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import orjson

from flightlog.errors import UsageError
from flightlog.file_lock import try_lock
from flightlog_exporters.delivery.settings import Settings
from flightlog_exporters.line_file import LineFile

_VERSION: Final = 1
TAIL_BYTES: Final = 256
"""Bytes before an offset by which a file is known again."""
_KEPT_FILES: Final = 5_000


@dataclass(slots=True)
class Place:
    """How far one file has been delivered."""

    head: str
    """Hash of the first line."""
    offset: int = 0
    tail: str = ""
    """Hash of the bytes before the offset."""


class ShipState:
    """The saved offsets for one destination. Raises UsageError when its file is of no use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: list[Place] = []
        try:
            saved = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, orjson.JSONDecodeError) as error:
            raise UsageError(
                f"the saved offsets in {path} cannot be read ({error}): delete it to send all again"
            ) from None
        self._places = _places(saved, path)

    def place(self, file: LineFile, first_line: bytes) -> Place:
        """Where to go on in a file; its beginning when it is not known."""
        head = _hash(first_line)
        known = [place for place in self._places if place.head == head]
        for place in sorted(known, key=lambda place: place.offset, reverse=True):
            if place.offset > file.stat.st_size and not file.is_packed:
                continue
            if _hash(file.bytes_before(place.offset, TAIL_BYTES)) == place.tail:
                return place
        place = Place(head)
        self._places.append(place)
        return place

    def advance(self, place: Place, offset: int, tail: bytes) -> None:
        """Save that everything before the offset is delivered. ``tail``: the file's bytes right before it."""
        place.offset = offset
        place.tail = _hash(tail[-TAIL_BYTES:])
        self._save()

    def forget(self) -> None:
        """Send everything again."""
        self._places.clear()

    def _save(self) -> None:
        started = [place for place in self._places if place.offset]
        record = {
            "v": _VERSION,
            "files": [{"head": p.head, "offset": p.offset, "tail": p.tail} for p in started[-_KEPT_FILES:]],
        }
        draft = self.path.with_name(self.path.name + ".part")
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(orjson.dumps(record))
            os.replace(draft, self.path)
        except OSError as error:
            raise UsageError(
                f"cannot save offsets in {self.path}: {error.strerror}; --state names another file"
            ) from None


def state_path(folder: Path, settings: Settings) -> Path:
    """Where the offsets for a destination are kept when nobody says otherwise."""
    return folder / f".flightlog-shipped-{_hash(f'{settings.protocol} {settings.endpoint}'.encode())[:8]}.json"


@contextmanager
def locked(path: Path) -> Iterator[ShipState]:
    """The state, for this process alone. Raises UsageError when another one is at it, or it cannot be written."""
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device read without end
        what = "a folder" if path.is_dir() else "no regular file"
        raise UsageError(f"cannot save offsets in {path}: it is {what}; --state names another file")
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = _locked_file(lock)
    except OSError as error:
        raise UsageError(f"cannot save offsets in {path}: {error.strerror}; --state names another file") from None
    if descriptor is None:
        raise UsageError(f"another export to the same place is under way (its offsets are in {path})")
    try:
        yield ShipState(path)
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked_file(lock: Path) -> int | None:
    """The lock file, held; None when somebody else holds it. Raises OSError."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return None
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == lock.stat().st_ino:
                return descriptor
        # Whoever held it before has taken it away between our open and our lock.
        os.close(descriptor)


def _places(saved: Any, path: Path) -> list[Place]:
    if not isinstance(saved, dict) or saved.get("v") != _VERSION or not isinstance(saved.get("files"), list):
        raise UsageError(
            f"{path} has no saved offsets of this version: delete it to send all again, or name another --state"
        )
    return [
        Place(item["head"], item["offset"], item["tail"])
        for item in saved["files"]
        if isinstance(item, dict)
        and isinstance(item.get("head"), str)
        and isinstance(item.get("offset"), int)
        and item["offset"] >= 0
        and isinstance(item.get("tail"), str)
    ]


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
