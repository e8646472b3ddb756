"""A structural diff between two states: what was added, removed and changed, and which node wrote it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeAlias

from flightlog_viewer.checkpoints.inert import TYPE, is_opaque
from flightlog_viewer.checkpoints.sameness import MISSING, elements, entries, same

MAX_DEPTH = 40
"""Below this the values are compared whole."""

Op: TypeAlias = Literal["added", "removed", "changed", "reordered"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` of an addition and `after` of a removal are None."""

    op: Op
    """``reordered``: messages that are there before and after, in another order; the values are their ids."""
    path: str
    """Where: `messages[2].content`; a message of a list is named by its id: `messages[id=abc]`; of those that were
    reordered, behind the first two that were not: `messages[2:]`."""
    before: Any
    after: Any
    node: str | None = None
    """The node that wrote the channel; several are joined by `, `; None when no row tells."""

    def to_json(self) -> dict[str, Any]:
        """The change as a JSON object."""
        return {"op": self.op, "path": self.path, "before": self.before, "after": self.after, "node": self.node}


def attributed_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], writers: Mapping[str, Sequence[str]]
) -> list[Change]:
    """The diff between two states by channel, each change with the nodes that wrote its channel."""
    changes = []
    for channel in [*after, *(name for name in before if name not in after)]:
        node = ", ".join(writers.get(channel, ())) or None
        name, old, new = _name(channel), before.get(channel, MISSING), after.get(channel, MISSING)
        changes += [Change(*difference, node) for difference in _differences(name, old, new, 0)]
    return changes


_Difference: TypeAlias = tuple[Op, str, Any, Any]


def _differences(path: str, before: Any, after: Any, depth: int) -> Iterator[_Difference]:
    if before is after:  # payloads that repeat are one object: the common case costs nothing
        return
    if before is MISSING:
        yield "added", path, None, after
    elif after is MISSING:
        yield "removed", path, before, None
    elif is_opaque(before) or is_opaque(after):  # one change: what stands for it is no part of the state
        if not same(before, after):
            yield "changed", path, before, after
    elif (sets := _sets(before, after)) is not None:
        yield from _set_differences(path, before["items"], after["items"], *sets)
    elif isinstance(before, dict) and isinstance(after, dict) and depth < MAX_DEPTH:
        for key, old, new in entries(before, after):
            name = _name(str(key))
            inner = f"{path}{name}" if name.startswith("[") else f"{path}.{name}"
            yield from _differences(inner, old, new, depth + 1)
    elif isinstance(before, list) and isinstance(after, list) and depth < MAX_DEPTH:
        yield from _list_differences(path, before, after, depth + 1)
    elif not same(before, after):
        yield "changed", path, before, after


def _sets(before: Any, after: Any) -> tuple[dict[str, int], dict[str, int]] | None:
    """The elements of two stored sets of one type; None of anything else."""
    old = elements(before)
    new = elements(after) if old is not None else None
    return (old, new) if old is not None and new is not None and before[TYPE] == after[TYPE] else None


def _set_differences(
    path: str, before: list[Any], after: list[Any], old: dict[str, int], new: dict[str, int]
) -> Iterator[_Difference]:
    """An element has no place in a set: it is there or it is not. Its path is where it happens to be stored."""
    for text, index in new.items():
        if text not in old:
            yield "added", f"{path}.items[{index}]", None, after[index]
    for text, index in old.items():
        if text not in new:
            yield "removed", f"{path}.items[{index}]", before[index], None


def _list_differences(path: str, before: list[Any], after: list[Any], depth: int) -> Iterator[_Difference]:
    alike = 0
    for old, new in zip(before, after, strict=False):
        if not same(old, new):
            break
        alike += 1
    tail_before, tail_after = before[alike:], after[alike:]
    old_ids, new_ids = _ids(tail_before), _ids(tail_after)
    if old_ids is not None and new_ids is not None:
        old_items = dict(zip(old_ids, tail_before, strict=True))
        yield from _by_id(path, old_items, tail_after, new_ids, depth)
        stayed = set(old_ids) & set(new_ids)
        orders = [name for name in old_ids if name in stayed], [name for name in new_ids if name in stayed]
        if orders[0] != orders[1]:
            yield "reordered", f"{path}[{alike}:]" if alike else path, *orders
        return
    end = 0
    while end < min(len(tail_before), len(tail_after)) and same(tail_before[-1 - end], tail_after[-1 - end]):
        end += 1
    tail_before, tail_after = tail_before[: len(tail_before) - end], tail_after[: len(tail_after) - end]
    for index, (old, new) in enumerate(zip_longest(tail_before, tail_after, fillvalue=MISSING), alike):
        yield from _differences(f"{path}[{index}]", old, new, depth)


def _by_id(
    path: str, before: dict[str, Any], after: list[Any], new_ids: list[str], depth: int
) -> Iterator[_Difference]:
    for name, new in zip(new_ids, after, strict=True):
        yield from _differences(f"{path}[id={name}]", before.get(name, MISSING), new, depth)
    kept = set(new_ids)
    for name, old in before.items():
        if name not in kept:
            yield "removed", f"{path}[id={name}]", old, None


def _ids(items: list[Any]) -> list[str] | None:
    """The ids of a list of messages or other things with ids of their own; None when it is not such a list."""
    ids = []
    for item in items:
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            return None
        ids.append(name)
    return ids if len(set(ids)) == len(ids) else None


def _name(key: str) -> str:
    return key if key.replace("_", "a").replace("-", "a").isalnum() else f'["{key}"]'
