"""Whether two values are the same, as a reader sees them: 1, 1.0 and True are three values, NaN is itself."""

from collections.abc import Iterator
from typing import Any

from flightlog_viewer.checkpoints.inert import TYPE, UNORDERED

MISSING: Any = object()
"""Stands for the value of a key that is not there."""
_DEEPEST = 8
"""Sets that are nested deeper are compared as they are stored."""


def same(one: Any, other: Any) -> bool:
    """Whether two plain values (None, bool, int, float, str, bytes, lists and dicts of them) are the same.

    Python's ``==`` takes 1 for True and NaN for nothing, not even for itself. Types count here, at any depth, keys of
    dicts and the sign of zero included; the order of a dict and of a stored set does not.
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
                old_items = elements(first)
                if old_items is not None and (new_items := elements(second)) is not None:
                    if first[TYPE] != second[TYPE] or old_items.keys() != new_items.keys():
                        return False
                    continue
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


def elements(value: Any) -> dict[str, int] | None:
    """Where each element of a stored set stands, by how it reads; None of what is no set, and of a set too deep."""
    try:
        return _elements(value, _DEEPEST)
    except RecursionError:
        return None


def _elements(value: Any, levels: int) -> dict[str, int] | None:
    if not isinstance(value, dict) or value.get(TYPE) not in UNORDERED or value.keys() != {TYPE, "items"}:
        return None
    items = value["items"]
    if not isinstance(items, list):
        return None
    found = {_text(item, levels - 1): index for index, item in enumerate(items)}
    return found if len(found) == len(items) else None


def _text(value: Any, levels: int) -> str:
    """A value as text that is equal exactly when the values are the same."""
    if not levels:
        raise RecursionError
    if isinstance(value, list):
        return f"[{','.join(_text(item, levels - 1) for item in value)}]"
    if isinstance(value, dict):
        found = _elements(value, levels)
        if found is not None:
            return f"{value[TYPE]}({','.join(sorted(found))})"
        return f"{{{','.join(sorted(f'{key!r}:{_text(item, levels - 1)}' for key, item in value.items()))}}}"
    return repr(value)
