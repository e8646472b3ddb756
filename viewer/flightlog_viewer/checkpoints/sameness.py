"""Whether two values are the same, as a reader sees them: 1, 1.0 and True are three values, NaN is itself."""

from collections.abc import Iterator
from typing import Any

MISSING: Any = object()
"""Stands for the value of a key that is not there."""


def same(one: Any, other: Any) -> bool:
    """Whether two plain values (None, bool, int, float, str, bytes, lists and dicts of them) are the same.

    Python's ``==`` takes 1 for True and NaN for nothing, not even for itself. Types count here, at any depth, keys of
    dicts and the sign of zero included; the order of a dict does not.
    """
    pending: list[Iterator[tuple[Any, Any]]] = [iter(((one, other),))]
    while pending:  # by hand: values of a hostile database are nested deeper than Python calls
        for first, second in pending[-1]:
            if first is second:  # payloads that repeat are one object: the common case costs nothing
                continue
            if type(first) is not type(second):
                return False
            if isinstance(first, list):
                if len(first) != len(second):
                    return False
                pending.append(zip(first, second, strict=True))
                break
            if isinstance(first, dict):
                if len(first) != len(second):
                    return False
                pending.append((old, new) for _, old, new in entries(first, second))
                break
            if (repr(first) != repr(second)) if isinstance(first, float) else first != second:
                return False
        else:
            pending.pop()
    return True


def entries(one: dict[Any, Any], other: dict[Any, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Each key of two dicts with its two values, or MISSING: those of the other first. The keys 1 and True are two."""
    if all(type(key) is str for key in one) and all(type(key) is str for key in other):
        for key in [*other, *(key for key in one if key not in other)]:
            yield key, one.get(key, MISSING), other.get(key, MISSING)
        return
    exact = [{repr(key): (key, value) for key, value in values.items()} for values in (one, other)]
    for _, old, new in entries(*exact):
        key = (old if new is MISSING else new)[0]
        yield key, *(value if value is MISSING else value[1] for value in (old, new))
