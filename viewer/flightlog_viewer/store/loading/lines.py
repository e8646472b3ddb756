"""The lines of a span file: where each begins, by one pass over the bytes with numpy, and their bytes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 18
"""Bytes at a time; small enough to stay in the processor's cache."""
_READ_BLOCK = 1 << 16
"""Bytes at a time when chosen lines are read."""
_NEWLINE = 0x0A


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a stretch of a file, blank ones left out."""

    starts: NDArray[np.int64]
    """Byte offsets in the file."""
    sizes: NDArray[np.int64]
    """Bytes without the newline."""
    end: int
    """Where the next line will begin: behind the last newline, or at the start of an unfinished line."""
    stop: int
    """Where the bytes ended; more than ``end`` when the last line has no newline yet, which is then listed too."""

    @property
    def unfinished(self) -> bool:
        """Whether the last line listed has no newline."""
        return self.stop > self.end

    def __len__(self) -> int:
        return len(self.starts)


def find_lines(descriptor: int, start: int = 0, stop: int | None = None) -> Lines:
    """Find the lines of an open file from byte ``start`` (the beginning of a line) to ``stop``, else to its end."""
    block = bytearray(_BLOCK)
    view = memoryview(block)
    values = np.frombuffer(block, np.uint8)
    is_newline = np.empty(_BLOCK, np.bool_)
    found: list[NDArray[np.int64]] = []
    at = start
    # Not `preadv`, which macOS lacks; nothing else moves the offset that the copy shares.
    with open(os.dup(descriptor), "rb", buffering=0) as file:
        file.seek(start)
        while stop is None or at < stop:
            size = file.readinto(view if stop is None else view[: min(_BLOCK, stop - at)])
            if not size:
                break
            newlines = np.flatnonzero(np.equal(values[:size], _NEWLINE, out=is_newline[:size]))
            newlines += at
            found.append(newlines)
            at += size
    ends = np.concatenate(found) if found else np.empty(0, np.int64)
    starts = np.empty(len(ends) + 1, np.int64)
    starts[0] = start
    starts[1:] = ends + 1
    end = int(starts[-1])
    if at > end:
        ends = np.append(ends, at)
    else:
        starts = starts[:-1]
    sizes = ends - starts
    kept = sizes > 0
    # A short line may consist of spaces only, which is blank to DuckDB too.
    for index in np.flatnonzero(kept & (sizes < 64)):
        if not os.pread(descriptor, int(sizes[index]), int(starts[index])).strip(b" \t\r\n\f\v"):
            kept[index] = False
    if not kept.all():
        starts, sizes = starts[kept], sizes[kept]
    return Lines(starts, sizes, end, at)


def read_line(descriptor: int, lines: Lines, index: int, limit: int) -> bytes:
    """The bytes of one line, ``limit`` at most."""
    return os.pread(descriptor, min(int(lines.sizes[index]), limit), int(lines.starts[index]))


def read_lines(
    descriptor: int, lines: Lines, indices: NDArray[np.int64], limit: int
) -> Iterator[tuple[int, int, bytes]]:
    """Index, byte offset and bytes (``limit`` at most) of the chosen lines, in their order."""
    starts, sizes = lines.starts[indices], np.minimum(lines.sizes[indices], limit)
    block, begin, end = b"", 0, 0
    for index, start, size in zip(indices.tolist(), starts.tolist(), sizes.tolist(), strict=True):
        # Lines that lie close together come with one read.
        if start < begin or start + size > end:
            begin = start
            block = os.pread(descriptor, max(size, _READ_BLOCK), start)
            end = begin + len(block)
        yield index, start, block[start - begin : start - begin + size]
