"""Decodes the states of a thread one after another, and of a list that has only grown nothing but what is new.

A chat's checkpoints repeat all its messages: the bytes of a list begin with all the bytes of the list before it. One
comparison of memory tells; the elements that are decoded already are taken over, and the blob is decoded without them.

Format: `langgraph.checkpoint.base.Checkpoint`, whose `channel_values` hold the lists, or one list by itself.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from flightlog_viewer.checkpoints.msgpack_layout import LayoutError, list_at, list_header, map_at, skip, text_at

LEAST = 8
"""Elements of a list from which on taking them over is worth the search."""
PATIENCE = 8
"""Times in a row that a place's lists have changed instead of grown, after which it is left alone."""
KEPT_BYTES = 16 * 1024 * 1024
"""Blobs that are kept for the comparison, of all places together."""
PASSED = 256
"""Values that are passed over, one by one, in search of a list."""
ELEMENTS_PASSED = 100_000
"""Values of a list that are passed over to find its end."""
_COMPARED = 32
"""Bytes that tell most lists that begin otherwise."""
_VALUES = "channel_values"
_USUAL_HEAD = re.compile(
    rb"[\x80-\x8f]\xa1v[\x00-\x7f]\xa2ts\xd9\x20.{32}\xa2id\xd9\x24.{36}\xae%b" % _VALUES.encode(), re.DOTALL
)
"""A checkpoint up to its channels: version, time and id, which have one length nearly always."""


class _List:
    """A list in a blob."""

    __slots__ = ("channel", "count", "data", "end", "items", "start", "taken")

    def __init__(self, channel: str | None, data: bytes, start: int, count: int) -> None:
        self.channel = channel
        """None in a blob that is itself the list."""
        self.data = data
        self.start = start
        """Offset of its first element."""
        self.count = count
        self.end = -1
        """Offset behind its last element; -1 while nobody has needed it."""
        self.taken: Sequence[Any] = ()
        """Elements taken over."""
        self.items: Sequence[Any] = ()
        """All elements, decoded."""

    def begins(self, other: "_List") -> bool:
        """Whether another list begins with all elements of this one."""
        if other.count < self.count:
            return False
        if not other.data.startswith(self.data[self.start : self.start + _COMPARED], other.start):
            return False
        if self.end < 0:
            self.end = skip(self.data, self.start, self.count, ELEMENTS_PASSED)
        return other.data.startswith(self.data[self.start : self.end], other.start)


class _Layout(NamedTuple):
    """Where a blob's channels are, and how many entries its maps say that they have."""

    at: int
    """0 for a blob that is a list."""
    channels: int
    entries: int


class _Place:
    """What is known of the blob that was read last at a place."""

    __slots__ = ("lists", "misses", "size")

    def __init__(self, misses: int = 0) -> None:
        self.lists: dict[str | None, _List] = {}
        self.size = 0
        self.misses = misses


class GrowingLists:
    """Remembers the last blob of every place. The values that it gives out share elements: never change one."""

    def __init__(self, unpack: Callable[[bytes], Any]) -> None:
        """`unpack` raises ValueError or RecursionError for what it cannot decode."""
        self._unpack = unpack
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self.kept_bytes = 0
        """Of the blobs that are kept for the comparison."""

    def read(self, place: Hashable, data: bytes) -> Any:
        """The value of a blob, as `unpack` gives it and with what it raises."""
        before = self._places.pop(place, None) or _Place()
        self.kept_bytes -= before.size
        now = self._places[place] = _Place(before.misses)
        layout = _layout(data) if len(data) <= KEPT_BYTES and before.misses <= PATIENCE else None
        if layout is None:
            return self._unpack(data)
        lists, shortened = _shortened(data, layout, before.lists)
        if shortened is None:
            value = self._unpack(data)
            now.misses += bool(before.lists)
            filled = _fill(value, lists, layout)
        else:
            try:
                value = self._unpack(shortened)
                filled = _fill(value, lists, layout)
            except (ValueError, RecursionError):
                filled = False
            if not filled:
                value = self._unpack(data)
            now.misses = 0
        if filled and lists:
            now.lists, now.size = {found.channel: found for found in lists}, len(data)
            self.kept_bytes += now.size
            while self.kept_bytes > KEPT_BYTES:
                self.kept_bytes -= self._places.popitem(last=False)[1].size
        return value


def _fill(value: Any, lists: Sequence[_List], layout: _Layout) -> bool:
    """Put the elements that were taken over into the lists; False when it is not certain which lists they are.

    A crafted blob can hold one key twice; its maps then have fewer entries than they say, and nothing is changed.
    """
    values: Any = {None: value}
    if layout.at > 0:
        values = value.get(_VALUES) if isinstance(value, dict) and len(value) == layout.entries else None
        if not isinstance(values, dict) or len(values) != layout.channels:
            return False
    for found in lists:
        items = values[found.channel]
        if found.taken:
            items[:0] = found.taken
            found.taken = ()
        found.items = items
    return True


def _shortened(data: bytes, layout: _Layout, known: dict[str | None, _List]) -> tuple[list[_List], bytes | None]:
    """The long lists of a blob, and the blob without the elements that they share with the lists known.

    No blob when they share nothing. A list is passed by, in search of the next, only when its end is known: when it
    has grown.
    """
    lists: list[_List] = []
    pieces: list[bytes] = []
    at, done = layout.at, 0
    try:
        for _ in range(layout.channels):
            channel: str | None = None
            if at > 0:
                name, at = text_at(data, at)
                channel = name.decode()
            long = list_at(data, at)
            if long is None or not LEAST <= long[0] <= len(data):
                at = skip(data, at, 1, PASSED)
                continue
            count, start = long
            found, before = _List(channel, data, start, count), known.get(channel)
            if before is None or not before.begins(found):
                lists.append(found)
                break
            behind = start + before.end - before.start
            at_end = skip(data, behind, count - before.count, ELEMENTS_PASSED)
            pieces += (data[done:at], list_header(count - before.count))
            found.taken, found.end = before.items, at_end
            lists.append(found)
            done, at = behind, at_end
    except (LayoutError, IndexError, UnicodeDecodeError):
        pass  # what was found so far stands
    if not pieces:
        return lists, None
    pieces.append(data[done:])
    return lists, b"".join(pieces)


def _layout(data: bytes) -> _Layout | None:
    """Where the channels are, None when that cannot be told."""
    try:
        if (usual := _USUAL_HEAD.match(data)) is not None:
            channels, at = map_at(data, usual.end())
            return _Layout(at, channels, data[0] & 0x0F)
        if list_at(data, 0) is not None:
            return _Layout(0, 1, 0)
        entries, at = map_at(data, 0)
        for _ in range(min(entries, PASSED)):
            key, at = text_at(data, at)
            if key == _VALUES.encode():
                channels, at = map_at(data, at)
                return _Layout(at, channels, entries)
            at = skip(data, at, 1, PASSED)
    except (LayoutError, IndexError):
        pass
    return None
