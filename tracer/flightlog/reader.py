"""Reading span files back as Span objects.

For programs that want a file's spans one by one; the viewer's store loads whole files faster and reports what it
rejects.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from flightlog.errors import UnreadableError
from flightlog.rotation import rotated_files
from flightlog.span import Span

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""A longer line is passed over: nothing the tracer writes comes near it."""

Key = tuple[str | None, int | None]
"""``(writer_id, seq)``: the key of a record."""


def read_spans(path: str | os.PathLike[str]) -> Iterator[Span]:
    """The finished spans of a span file and of its rotated files, oldest file first.

    Lines that are not spans (a torn one, say) are passed over, and a record that is there twice, by ``writer_id`` and
    ``seq``, comes once. Files that end in ``.zst`` are passed over: ``flightlog_viewer.open_store`` reads those.
    So is the rest of a compressed file behind the place where it is damaged. Raises UnreadableError when there is no
    such file, or when one cannot be read.
    """
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        raise UnreadableError(f"{os.fspath(path)} is a folder: name a span file in it")
    if os.fspath(path).endswith(".zst"):
        raise UnreadableError(f"{os.fspath(path)} is compressed by zstd: flightlog_viewer.open_store reads it")
    rotated = [file for file in rotated_files(path) if file.suffix != ".zst" and file.is_file()]
    files = [*rotated, Path(path)]
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


def split_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines without their newlines; blank ones and those that are too long are passed over."""
    while line := stream.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
            if line := line.rstrip(b"\n"):
                yield line
            continue
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass


def _lines(file: Path) -> Iterator[bytes]:
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as stream:
            yield from split_lines(cast("IO[bytes]", stream))
    except (FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile):
        return
    except OSError as error:
        raise UnreadableError(f"{file} cannot be read: {error.strerror}") from error
