"""Rotated span files: their names, the rename, and the bound on the disk.

A span file ``NAME.jsonl`` that has grown to its limit is renamed to ``NAME.<utc time>.jsonl``, for example
``trace.20261120T101502.123456Z.jsonl``; the time is the one of the rename, so names sort from oldest to newest.
"""

import contextlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from flightlog.file_lock import try_lock, unlock
from flightlog.system_calls import absolute, names_in, rename, status, unlink

_SUFFIX = ".jsonl"
_STAMP = r"\d{8}T\d{6}(?:\.\d{1,9})?Z(?:-\d+)?"  # without a fraction too: logrotate can write that
_ROTATED = re.compile(rf"(.+)\.({_STAMP})\.jsonl(?:\.gz|\.zst)?", re.DOTALL)


def stem_of(path: str) -> str:
    """The path without its ``.jsonl``: what rotated names begin with."""
    return path.removesuffix(_SUFFIX)


def rotated_files(path: str | os.PathLike[str]) -> list[Path]:
    """The rotated files of a span file, oldest first; compressed ones (``.gz``, ``.zst``) too.

    A folder that is gone or cannot be read has none.
    """
    folder, name = os.path.split(absolute(os.fspath(path)))
    return rotated_in(folder).get(stem_of(name), [])


def rotated_in(folder: str) -> dict[str, list[Path]]:
    """All rotated files of a folder by the stem of their span file, oldest first."""
    found: dict[str, list[tuple[str, str]]] = {}
    try:
        for entry in names_in(folder):
            if match := _ROTATED.fullmatch(entry):
                found.setdefault(match.group(1), []).append((match.group(2), entry))
    except OSError:
        return {}
    return {stem: [Path(folder, entry) for _, entry in sorted(files)] for stem, files in found.items()}


def span_file_of(name: str) -> str | None:
    """The name of the span file that a file was rotated from; None for any other name."""
    match = _ROTATED.fullmatch(name)
    return None if match is None else match.group(1) + _SUFFIX


def rotated_name(path: str) -> str:
    """A name for the file that is rotated now; never one that exists."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = f"{stem_of(path)}.{stamp}{_SUFFIX}"
    again = 1
    while os.path.lexists(name):
        name = f"{stem_of(path)}.{stamp}-{again}{_SUFFIX}"
        again += 1
    return name


def rotate(fd: int, path: str) -> str | None:
    """Rename the file that ``fd`` has open at ``path``; its new name, or None when another writer did or does it.

    The lock is the open file's own, and it is never waited for. Raises OSError.
    """
    if not try_lock(fd):
        return None
    try:
        there, ours = status(path), os.fstat(fd)
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            return None
        name = rotated_name(path)
        rename(path, name)
        return name
    except FileNotFoundError:
        return None
    finally:
        unlock(fd)


def prune(path: str, keep_bytes: int) -> int:
    """Delete the oldest rotated files until those left hold at most ``keep_bytes``; how many were deleted."""
    files: list[tuple[Path, int]] = []
    for file in rotated_files(path):
        with contextlib.suppress(OSError):
            files.append((file, status(file).st_size))
    total = sum(size for _, size in files)
    deleted = 0
    for file, size in files:
        if total <= keep_bytes:
            break
        with contextlib.suppress(OSError):
            unlink(file)
            deleted += 1
            total -= size
    return deleted
