"""Cuts a JSON value to a size, keeping it valid: the longest strings first, then the ends of the longest containers."""

from typing import Any, Final

import orjson

_SHORTEST: Final = 64
"""Characters to which strings are cut before whole items are left out."""


def shorten(tree: Any, limit: int) -> bytes:
    """The JSON of a tree of plain values, at most ``limit`` bytes long (but never shorter than a few bytes)."""
    longest = _longest_string(tree)
    width = min(longest, limit)
    while width >= _SHORTEST:
        json = orjson.dumps(_cut_strings(tree, width))
        if len(json) <= limit:
            return json
        # Aim by how far off the last try was, and always make progress.
        width = min(int(width * limit / len(json) * 0.95), width - 1)
    items = _longest_container(tree)
    tree = _cut_strings(tree, _SHORTEST)
    while items >= 1:
        tree = _cut_items(tree, items)
        json = orjson.dumps(tree)
        if len(json) <= limit:
            return json
        items //= 2
    json = orjson.dumps("…")
    return json if len(json) <= limit else b"null"


def _longest_string(value: Any) -> int:
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is dict:
        return max((_longest_string(item) for item in value.values()), default=0)
    if kind is list:
        return max((_longest_string(item) for item in value), default=0)
    return 0


def _longest_container(value: Any) -> int:
    kind = type(value)
    if kind is dict:
        return max(len(value), max((_longest_container(item) for item in value.values()), default=0))
    if kind is list:
        return max(len(value), max((_longest_container(item) for item in value), default=0))
    return 0


def _cut_strings(value: Any, width: int) -> Any:
    kind = type(value)
    if kind is str:
        return value if len(value) <= width else value[:width] + "…"
    if kind is dict:
        return {_cut_strings(key, width): _cut_strings(item, width) for key, item in value.items()}
    if kind is list:
        return [_cut_strings(item, width) for item in value]
    return value


def _cut_items(value: Any, items: int) -> Any:
    kind = type(value)
    if kind is dict:
        pairs = list(value.items())
        cut = {key: _cut_items(item, items) for key, item in pairs[:items]}
        return cut if len(pairs) <= items else {**cut, "…": len(pairs) - items}
    if kind is list:
        kept = [_cut_items(item, items) for item in value[:items]]
        return kept if len(value) <= items else [*kept, f"… {len(value) - items} more"]
    return value
