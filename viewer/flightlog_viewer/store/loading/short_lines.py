"""Files of lines that are mostly too short to be spans: whatever they are, they must not fill the memory.

DuckDB spends some hundred bytes on each line, whatever is in it, and a small file can have millions. So such a file is
read in chunks, and only lines that are long enough are looked at.
"""

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightlog_viewer.store.loading.lines import Lines

SHORTEST: Final = 64
"""Bytes; the required fields alone take more."""
_FEW_BYTES: Final = 1 << 20
"""A smaller file does no harm."""
_SAMPLES: Final = 16
_SAMPLE_BYTES: Final = 4096
_CHUNK: Final = 1 << 23
_SPACES: Final = np.isin(np.arange(256), np.frombuffer(b" \t\r\n\f\v", np.uint8))
"""By byte: whether a line of such bytes alone is blank."""


class Chunk(NamedTuple):
    """Some of the lines."""

    long: Lines
    short: NDArray[np.int64]
    """Where those begin that are too short, blank ones left out."""


def typical_size(descriptor: int, size: int) -> float:
    """Bytes a line, newline included, in samples of a file of so many bytes."""
    step = max(1, (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
    blocks = [os.pread(descriptor, _SAMPLE_BYTES, index * step) for index in range(_SAMPLES)]
    return sum(map(len, blocks)) / max(1, sum(block.count(b"\n") for block in blocks))


def mostly_short(descriptor: int, size: int) -> bool:
    """Whether a file is to be read by ``chunks``."""
    return size > _FEW_BYTES and typical_size(descriptor, size) < SHORTEST


def chunks(descriptor: int, size: int) -> Iterator[Chunk]:
    """The lines of the first ``size`` bytes, some at a time."""
    at = 0
    while at < size:
        wanted = _CHUNK
        while True:
            data = os.pread(descriptor, min(wanted, size - at), at)
            if not data or b"\n" in data or at + len(data) >= size:
                break
            wanted *= 2
        if not data:
            return
        values = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(values == 0x0A)
        unfinished = at + len(data) >= size and not data.endswith(b"\n")
        if unfinished:
            ends = np.append(ends, len(data))
        begins = np.concatenate([[0], ends[:-1] + 1])
        ink = np.concatenate([[0], np.cumsum(~_SPACES[values], dtype=np.int32)])
        blank = ink[ends] == ink[begins]
        long = ~blank & (ends - begins >= SHORTEST)
        end = at + (int(begins[-1]) if unfinished else int(ends[-1]) + 1)
        stop = at + int(ends[-1]) + (not unfinished)
        yield Chunk(Lines(begins[long] + at, (ends - begins)[long], end, stop), begins[~blank & ~long] + at)
        at = stop
