"""Where bases are kept between two openings: the user's cache folder, bounded in size, private."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from flightlog_viewer.store.columns import LIGHT
from flightlog_viewer.store.files.own_folder import OwnFolder, sweep
from flightlog_viewer.store.views import TRACE_COLUMNS

LIMIT_BYTES: Final = 4 << 30
"""What all of the cache may take; the files not used for longest go first."""


class Cache:
    """The cache folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls) -> "Cache | None":
        """The user's cache, made if need be; None when there can be none."""
        from platformdirs import user_cache_path

        folder = user_cache_path("flightlog", appauthor=False) / "index"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            if status.st_mode & 0o077:
                folder.chmod(0o700)
        except OSError:
            return None
        if not os.access(folder, os.W_OK):
            return None
        cache = cls(folder)
        sweep(cache._building)
        cache.prune()
        return cache

    def path(self, paths: Sequence[str | Path], price_file: Path | None) -> Path:
        """Where the base of these paths is or would be; another version of anything that made it has another name."""
        own_prices = b""
        if price_file is not None:
            with contextlib.suppress(OSError):
                own_prices = price_file.read_bytes()
        key = [
            [os.path.abspath(path) for path in paths] or [os.getcwd(), ""],
            _versions(),
            [[column.name, column.type] for column in LIGHT],
            TRACE_COLUMNS,
            hashlib.sha256(own_prices).hexdigest(),
        ]
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.duckdb"

    @property
    def _building(self) -> Path:
        return self.folder / "building"

    def building_place(self) -> OwnFolder:
        """A folder to build a file in before it is moved to its place; close it. Raises OSError."""
        return OwnFolder(self._building)

    def publish(self, built: Path, path: Path) -> None:
        """Put a built file in its place; those who have the old one open keep it. Raises OSError."""
        built.chmod(0o600)
        os.replace(built, path)
        self.prune(keep=path)

    def used(self, path: Path) -> None:
        """Note that a file was of use."""
        with contextlib.suppress(OSError):
            os.utime(path)

    def prune(self, keep: Path | None = None) -> None:
        """Delete what is over the limit, but not ``keep``."""
        found: list[tuple[float, int, Path]] = []
        with contextlib.suppress(OSError):
            for entry in self.folder.iterdir():
                with contextlib.suppress(OSError):
                    status = entry.lstat()
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, status.st_size, entry))
        total = sum(size for _, size, _ in found)
        for _, size, entry in sorted(found):
            if total <= LIMIT_BYTES:
                return
            if entry != keep:
                with contextlib.suppress(OSError):
                    entry.unlink()
                    total -= size


@cache
def _versions() -> list[str]:
    """Of what makes a base; to look them up takes as long as to read a small file."""
    return [version(name) for name in ("flightlog", "duckdb", "genai-prices")]
