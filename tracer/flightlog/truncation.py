"""Cuts a JSON value to a size, keeping it valid: the longest strings first, then the ends of the longest containers.

And to a depth, for values of others that the encoder does not take.
"""

from itertools import accumulate
from typing import Any, Final

import orjson

_SHORTEST: Final = 64
"""Characters to which strings are cut before whole items are left out."""
MAX_LEVELS: Final = 200
"""Levels of a nested value that are written: orjson reads 1024 and writes 254, less what stands around the value."""


def shorten(tree: Any, limit: int) -> bytes:
    """The JSON of a tree of plain values, at most ``limit`` bytes long; ``null`` where nothing else fits."""
    size = len(orjson.dumps(tree))
    if size <= limit:
        return orjson.dumps(tree)
    lengths: list[int] = []
    longest = _survey(tree, lengths)
    width = _width(sorted(lengths), size, limit)
    while width >= _SHORTEST:
        json = orjson.dumps(_cut_strings(tree, width))
        if len(json) <= limit:
            return json
        # Characters are not bytes: aim by how far off the last try was.
        width = int(width * limit / len(json) * 0.97)
    tree = _cut_strings(tree, _SHORTEST)
    cut, items = tree, longest
    while items >= 1:
        json = orjson.dumps(cut)
        if len(json) <= limit:
            return json
        items = int(items * limit / len(json) * 0.95)
        cut = _cut_items(tree, items)
    json = orjson.dumps("…")
    return json if len(json) <= limit else b"null"


def write_any_depth(value: Any, option: int = 0) -> bytes:
    """The JSON of a JSON value; "…" stands for what lies deeper than MAX_LEVELS when that is too deep to be written."""
    try:
        return orjson.dumps(value, option=option)
    except TypeError:
        return orjson.dumps(_cut_levels(value, MAX_LEVELS), option=option)


def _cut_levels(value: Any, levels: int) -> Any:
    kind = type(value)
    if kind is not dict and kind is not list:
        return value
    if not levels:
        return "…"
    if kind is dict:
        return {key: _cut_levels(item, levels - 1) for key, item in value.items()}
    return [_cut_levels(item, levels - 1) for item in value]


def _width(lengths: list[int], size: int, limit: int) -> int:
    """The length to which the longest strings must be cut so that the rest fits; ``lengths`` ascending, in bytes."""
    room = int(limit * 0.98) - (size - sum(lengths))
    shorter = [0, *accumulate(lengths)]
    for index in range(len(lengths) - 1, -1, -1):
        # Strings from ``index`` on are cut to one width, those before stay.
        width = (room - shorter[index]) // (len(lengths) - index)
        if index == 0 or width > lengths[index - 1]:
            return width
    return 0


def _survey(value: Any, lengths: list[int]) -> int:
    """Note how long every string is in JSON; answers the number of items of the longest container."""
    kind = type(value)
    if kind is str:
        lengths.append(len(orjson.dumps(value)) - 2)
        return 0
    if kind is dict:
        items = value.values()
    elif kind is list:
        items = value
    else:
        return 0
    longest = len(items)
    for item in items:
        if type(item) is str:
            lengths.append(len(orjson.dumps(item)) - 2)
        elif (inside := _survey(item, lengths)) > longest:
            longest = inside
    return longest


def _cut_strings(value: Any, width: int) -> Any:
    kind = type(value)
    if kind is str:
        return value if len(value) <= width else value[:width] + "…"
    if kind is dict:
        cut: dict[str, Any] = {}
        for key, item in value.items():
            name = key if len(key) <= width else key[:width] + "…"
            # Keys that begin alike, as addresses do, stay as many as they are.
            cut[name if name not in cut else f"{name} {len(cut)}"] = _cut_strings(item, width)
        return cut
    if kind is list:
        return [_cut_strings(item, width) for item in value]
    return value


def _cut_items(value: Any, items: int) -> Any:
    kind = type(value)
    if kind is dict:
        cut: dict[str, Any] = {}
        for key, item in value.items():
            if len(cut) == items:
                cut["…"] = len(value) - items
                break
            cut[key] = _cut_items(item, items)
        return cut
    if kind is list:
        kept = [_cut_items(item, items) for item in value[:items]]
        return kept if len(value) <= items else [*kept, f"… {len(value) - items} more"]
    return value
