"""Where the values of a msgpack blob begin and end, without decoding them.

Format: https://github.com/msgpack/msgpack/blob/master/spec.md. Functions raise IndexError where the blob ends too
early, and LayoutError for what they do not pass over.
"""


class LayoutError(ValueError):
    """The blob is not laid out as expected, or passing over it would take too long."""


_FIXED = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 1),
    **{0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9},
    **{0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18},
}
"""First byte to the bytes of the whole value: nil, booleans, numbers, extension objects of a fixed size."""
_SIZED = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)},
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},
    **{0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},
}
"""First byte to the bytes of the length, and what is there beyond that length: bytes, extension objects, text."""
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""First byte to the bytes of the count, and values an element: lists and maps."""


def skip(data: bytes, at: int, count: int, most: int) -> int:
    """The offset behind as many values, those inside them included; LayoutError when there are more than `most`."""
    waiting = count
    while waiting > 0:
        waiting -= 1
        most -= 1
        if most < 0:
            raise LayoutError
        first = data[at]
        if (sized := _SIZED.get(first)) is not None:
            width, more = sized
            at += 1 + width + more + int.from_bytes(data[at + 1 : at + 1 + width], "big")
        elif first < 0x80 or first >= 0xE0:
            at += 1
        elif first < 0x90:
            waiting += 2 * (first & 0x0F)
            at += 1
        elif first < 0xA0:
            waiting += first & 0x0F
            at += 1
        elif first < 0xC0:
            at += 1 + (first & 0x1F)
        elif (counted := _COUNTED.get(first)) is not None:
            width, values = counted
            waiting += values * int.from_bytes(data[at + 1 : at + 1 + width], "big")
            at += 1 + width
        elif first in _FIXED:
            at += _FIXED[first]
        else:
            raise LayoutError
    if at > len(data):
        raise IndexError
    return at


def list_at(data: bytes, at: int) -> tuple[int, int] | None:
    """How many elements the list here has, and the offset of the first; None when no list is here."""
    first = data[at]
    if 0x90 <= first < 0xA0:
        return first & 0x0F, at + 1
    if first in (0xDC, 0xDD):
        width = _COUNTED[first][0]
        return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width
    return None


def map_at(data: bytes, at: int) -> tuple[int, int]:
    """How many entries the map here has, and the offset of the first key."""
    first = data[at]
    if 0x80 <= first < 0x90:
        return first & 0x0F, at + 1
    if first in (0xDE, 0xDF):
        width = _COUNTED[first][0]
        return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width
    raise LayoutError


def text_at(data: bytes, at: int) -> tuple[bytes, int]:
    """The text here, still encoded, and the offset behind it; LayoutError when something else is here."""
    first = data[at]
    if 0xA0 <= first < 0xC0:
        start, size = at + 1, first & 0x1F
    elif first in (0xD9, 0xDA, 0xDB):
        width = _SIZED[first][0]
        start, size = at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")
    else:
        raise LayoutError
    return data[start : start + size], start + size


def list_header(count: int) -> bytes:
    """What stands before the elements of a list."""
    return b"\xdd" + count.to_bytes(4, "big")
