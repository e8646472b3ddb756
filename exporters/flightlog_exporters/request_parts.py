"""A bound on the spans of one request, known for protobuf before any of them takes memory.

An empty span is two bytes on the wire and more than a hundred in memory: a request of 20 MB, 20 kB when it is packed,
could take gigabytes.
"""

from typing import Final

from flightlog.errors import UnreadableError

MOST: Final = 500_000
"""Parts of one request: resources, scopes, spans, events and links. Real spans fill a request of 20 MB with a tenth."""
_INSIDE: Final = (1, 2, 2)
"""Numbers of the fields that lead from a request to its resources, their scopes and those' spans."""
_LENGTH: Final = 2
"""The wire type of what says its length; the sizes of the others, but for numbers, are fixed."""
_FIXED: Final = {1: 8, 5: 4}
_VARINT_BITS: Final = 70
"""Of ten bytes, the most that a number has: one of megabytes would take hours."""


def check_parts(parts: int) -> None:
    """Raises UnreadableError for more than MOST."""
    if parts > MOST:
        raise UnreadableError(f"more than {MOST:,} spans, events and links in one request")


def check_spans(request: bytes) -> None:
    """Raises UnreadableError for more resources, scopes and spans than MOST. What is broken is left to the decoder."""
    parts = 0
    within = [(0, len(request), 0)]
    try:
        while within:
            at, end, depth = within.pop()
            while at < end:
                tag, at = _varint(request, at)
                if tag & 7 == _LENGTH:
                    size, at = _varint(request, at)
                    if tag >> 3 == _INSIDE[depth]:
                        parts += 1
                        check_parts(parts)
                        if depth < 2 and size:
                            within.append((at, at + size, depth + 1))
                    at += size
                elif tag & 7 in _FIXED:
                    at += _FIXED[tag & 7]
                else:
                    _, at = _varint(request, at)
    except IndexError:
        return


def _varint(request: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next thing begins. Raises IndexError where there is none."""
    byte = request[at]
    number, shift = byte & 0x7F, 7
    while byte & 0x80:
        if shift >= _VARINT_BITS:
            raise IndexError
        at += 1
        byte = request[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    return number, at + 1
