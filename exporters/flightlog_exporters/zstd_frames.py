"""Whether a zstd file is whole: the library gives what there is of a frame that lacks its end, and says nothing."""

import os
from typing import Final

_HEADER_BYTES: Final = 18
"""The most that a frame's header has."""
_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_RLE: Final = 1
"""The kind of block that is one byte, repeated."""
_CHECKSUM_BYTES: Final = 4
_MOST: Final = 1_000_000
"""Frames and blocks that are looked at, which can hold 128 GB: a file made of empty ones is not gone through."""


def is_cut_short(descriptor: int) -> bool:
    """Whether the last frame of a file lacks its end. Nothing is unpacked: blocks say how long they are.

    The format is RFC 8878's, sections 3.1.1 and 3.1.2. The file's offset stays where it is. Of more than a million
    frames and blocks it is not known, and the answer is no.
    """
    import zstandard

    at, size = 0, os.fstat(descriptor).st_size
    left = _MOST
    while at < size:
        left -= 1
        head = os.pread(descriptor, _HEADER_BYTES, at)
        if left < 0:
            return False
        if int.from_bytes(head[:4], "little") in _SKIPPABLE:
            at += 8 + int.from_bytes(head[4:8], "little")
            continue
        try:
            at += zstandard.frame_header_size(head)
            has_checksum = zstandard.get_frame_parameters(head).has_checksum
        except zstandard.ZstdError:
            return True
        is_last = False
        while not is_last:
            left -= 1
            if left < 0:
                return False
            header = os.pread(descriptor, 3, at)
            if len(header) < 3:
                return True
            bits = int.from_bytes(header, "little")
            is_last = bool(bits & 1)
            at += 3 + (1 if bits >> 1 & 3 == _RLE else bits >> 3)
        at += _CHECKSUM_BYTES * has_checksum
    return at > size
