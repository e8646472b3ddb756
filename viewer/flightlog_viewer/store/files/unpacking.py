"""Compressed files, unpacked as far as they can be read."""

import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

from flightlog_exporters.zstd_frames import is_cut_short

BLOCK: Final = 1 << 20
PACKED: Final = "the compressed file "
"""What every reason begins with."""
_CUT_SHORT: Final = f"{PACKED}ends too early: what came after this is not in it"
_DAMAGED: Final = f"{PACKED}is damaged, here or before: what comes after this cannot be read"
_TOO_LARGE: Final = f"{PACKED}takes more than 128 MB of memory to unpack from here: unpack it first if you trust it"


class DamagedError(Exception):
    """Nothing more can be unpacked; the text says why. What could be has been given."""


Unpack = Callable[[IO[bytes]], Iterator[bytes]]


def gunzip(packed: IO[bytes]) -> Iterator[bytes]:
    """What a gzip file holds, member after member. Raises DamagedError behind the last byte that can be read."""
    packed.seek(0)
    member, is_fed = zlib.decompressobj(wbits=31), False
    data = b""
    while data := data or packed.read(BLOCK):
        if not is_fed and not (data := data.lstrip(b"\0")):
            continue  # members may be followed by padding
        before = member.copy()
        try:
            block = member.decompress(data, BLOCK)
        except zlib.error:
            yield from _gunzip_bytewise(before, data)
            raise DamagedError(_DAMAGED) from None
        is_fed = True
        if block:
            yield block
        data = member.unconsumed_tail
        if member.eof:
            data = member.unused_data
            member, is_fed = zlib.decompressobj(wbits=31), False
    if rest := member.flush():
        yield rest
    if is_fed:
        raise DamagedError(_CUT_SHORT)


def _gunzip_bytewise(member: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What is in front of the damage in the block that has it."""
    found = bytearray()
    try:
        for byte in data:
            found += member.decompress(bytes((byte,)))
            if len(found) >= BLOCK:
                yield bytes(found)
                found.clear()
    except zlib.error:
        pass
    yield bytes(found)


def unzstd(packed: IO[bytes]) -> Iterator[bytes]:
    """What a zstd file holds, frame after frame. Raises DamagedError behind the last block that can be read."""
    import zstandard

    done, why = 0, _DAMAGED
    for size in (BLOCK, 1):
        packed.seek(0)
        unpacking = zstandard.ZstdDecompressor()
        with unpacking.stream_reader(packed, read_across_frames=True, closefd=False) as stream:
            try:
                passed = 0
                while passed < done:  # the second time: a block that fails gives nothing of what is in front
                    passed += len(stream.read(min(BLOCK, done - passed)))
                while block := stream.read(size):
                    done += len(block)
                    yield block
            except zstandard.ZstdError as error:
                # It asks for a window of up to 2 GB, as `zstd --long=31` does, and may itself have some kilobytes.
                why = _TOO_LARGE if "too much memory" in str(error) else _DAMAGED
                continue
        if is_cut_short(packed.fileno()):
            raise DamagedError(_CUT_SHORT)
        return
    raise DamagedError(why)
