"""Reading span files back: finished spans, and what was in flight.

These are the small readers of the tracer's own tests and of programs that want Span objects; the viewer's store
loads whole files faster and reports what it rejects.
"""

import contextlib
import gzip
import os
import re
import stat
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

import orjson

from flightlog.errors import UnreadableError
from flightlog.file_lock import is_locked
from flightlog.rotation import rotated_files
from flightlog.span import Span

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""A longer line is passed over: nothing the tracer writes comes near it."""

_SIDECAR_FLAGS: Final = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)

_ABANDONED_S: Final = 60
_OWN_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.open\Z")

Key = tuple[str | None, int | None]
"""``(writer_id, seq)``: the key of a record."""


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """A span that has started and not ended; its ``status`` and ``duration_ms`` are None."""

    span: Span
    state: Literal["running", "unfinished"]
    """``running`` while the writer lives, ``unfinished`` when it died."""
    sidecar: Path


def read_spans(path: str | os.PathLike[str]) -> Iterator[Span]:
    """The finished spans of a span file and of its rotated files, oldest file first.

    Lines that are no spans (a torn one, say) are passed over, and a record that is there twice, by ``writer_id`` and
    ``seq``, comes once. Files that end in ``.zst`` are passed over: ``flightlog_viewer.open_store`` reads those.
    Raises UnreadableError when there is no such file.
    """
    if os.path.isdir(path):
        raise UnreadableError(f"{os.fspath(path)} is a folder: name a span file in it")
    if os.fspath(path).endswith(".zst"):
        raise UnreadableError(f"{os.fspath(path)} is compressed by zstd: flightlog_viewer.open_store reads it")
    files = [file for file in (*rotated_files(path), Path(path)) if file.suffix != ".zst"]
    if not any(file.exists() for file in files):
        raise UnreadableError(f"no span file {os.fspath(path)}")
    seen: set[Key] = set()
    for file in files:
        for line in _lines(file):
            try:
                span = Span.from_json(line)
            except UnreadableError:
                continue
            if span.writer_id is not None and span.seq is not None:
                key = (span.writer_id, span.seq)
                if key in seen:
                    continue
                seen.add(key)
            yield span


def sidecars(path: str | os.PathLike[str]) -> list[Path]:
    """The in-flight sidecars beside a span file."""
    return _beside(path, ".open")


def _beside(path: str | os.PathLike[str], ending: str) -> list[Path]:
    """``PATH.*ENDING``. Without glob, which compiles a regular expression for each path."""
    folder, name = os.path.split(os.path.abspath(os.fspath(path)))
    start, least = f"{name}.", len(name) + len(ending) + 1
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(Path(folder, n) for n in names if n.endswith(ending) and n.startswith(start) and len(n) >= least)


def sweep(path: str | os.PathLike[str], keep: int) -> None:
    """Delete the sidecars of dead writers in which everything ended, and the oldest of the others above ``keep``."""
    dead: list[tuple[int, Path]] = []
    for sidecar in sidecars(path):
        if not _OWN_NAME.search(sidecar.name):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(sidecar, _SIDECAR_FLAGS)
            try:
                if is_locked(fd):
                    continue
                modified = os.fstat(fd).st_mtime_ns
            finally:
                os.close(fd)
            if _read_sidecar(sidecar):
                dead.append((modified, sidecar))
            else:
                sidecar.unlink()
    for leftover in _beside(path, ".open.new"):  # of a writer killed while it rewrote its sidecar
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat(follow_symlinks=False).st_mtime > _ABANDONED_S:
                leftover.unlink()
    for _, sidecar in sorted(dead)[: max(0, len(dead) - keep)]:
        with contextlib.suppress(OSError):
            sidecar.unlink()


def read_open_spans(path: str | os.PathLike[str], finished: Container[Key] | None = None) -> list[OpenSpan]:
    """What the sidecars beside a span file say is in flight and the span file does not have, by start time.

    ``finished``: the keys that the span file has, read after the sidecars, so that a span which ends in between is
    found in one of them; None: look through the span file and its rotated files. Never raises for what it finds.
    """
    found = [one for sidecar in sidecars(path) for one in _read_sidecar(sidecar)]
    if finished is None:
        finished = _keys(path) if found else ()
    found = [one for one in found if (one.span.writer_id, one.span.seq) not in finished]
    return sorted(found, key=lambda one: one.span.start_ns)


def _keys(path: str | os.PathLike[str]) -> set[Key]:
    try:
        return {(span.writer_id, span.seq) for span in read_spans(path)}
    except UnreadableError:
        return set()


def _read_sidecar(sidecar: Path) -> list[OpenSpan]:
    try:
        fd = os.open(sidecar, _SIDECAR_FLAGS)
    except OSError:
        return []
    spans: dict[int, Span] = {}
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return []
        alive = is_locked(fd)
        for line in _split(file):
            if b"\0" in line:
                break  # what is behind the NUL was in flight once
            with contextlib.suppress(orjson.JSONDecodeError, UnreadableError):
                span = open_span_from(orjson.loads(line))
                spans[span.seq or 0] = span
    return [OpenSpan(span, "running" if alive else "unfinished", sidecar) for span in spans.values()]


def open_span_from(record: Any) -> Span:
    """Read the JSON object of a start. Raises UnreadableError."""
    if not isinstance(record, dict):
        raise UnreadableError("not a JSON object")
    span = Span.from_record({**record, "status": "ok", "duration_ms": 0})
    span.status = span.duration_ms = None
    return span


def _lines(file: Path) -> Iterator[bytes]:
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as stream:
            yield from _split(cast("IO[bytes]", stream))
    except (FileNotFoundError, EOFError, gzip.BadGzipFile):
        return


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines without their newlines; blank ones and those that are too long are passed over."""
    while line := stream.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
            if line := line.rstrip(b"\n"):
                yield line
            continue
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
