"""The difference between two states, as a reader wants it told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightlog_viewer.checkpoints.sameness import same
from flightlog_viewer.checkpoints.state_diff import Change, attributed_changes


def diff(before: dict[str, Any], after: dict[str, Any], **writers: list[str]) -> list[Change]:
    return attributed_changes(before, after, writers)


SEVEN = {"__type__": "builtins.set", "items": 7}
CLOSED = {"__type__": "__encrypted__", "nbytes": 1}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"a": 1}, [("added", "a", None, 1)]),
        ({"a": 1}, {}, [("removed", "a", 1, None)]),
        ({"a": 1}, {"a": 2}, [("changed", "a", 1, 2)]),
        ({"a": 1}, {"a": True}, [("changed", "a", 1, True)]),
        ({"a": [1]}, {"a": [True]}, [("changed", "a[0]", 1, True)]),
        ({"a": [1, {"b": [0]}]}, {"a": [1, {"b": [False]}]}, [("changed", "a[1].b[0]", 0, False)]),
        ({"a": [1, 2, 0.0]}, {"a": [1.0, 2, -0.0]}, [("changed", "a[0]", 1, 1.0), ("changed", "a[2]", 0.0, -0.0)]),
        (
            {"a": [5, 1, 2]},
            {"a": [5, 9, 1, 2.0]},
            [("changed", "a[1]", 1, 9), ("changed", "a[2]", 2, 1), ("added", "a[3]", None, 2.0)],
        ),
        ({"a": {1: "x"}}, {"a": {True: "x"}}, [("added", "a.True", None, "x"), ("removed", "a.1", "x", None)]),
        ({"a": {1: "x", 2: "y"}}, {"a": {1: "x", 2: "z"}}, [("changed", "a.2", "y", "z")]),
        ({"a": [float("nan")], "b": float("nan")}, {"a": [float("nan")], "b": float("nan")}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("changed", "a.c", 2, 3)]),
        ({"a": {"b c": 1}}, {"a": {}}, [("removed", 'a["b c"]', 1, None)]),
        ({"a": [1, 2, 3]}, {"a": [1, 2, 3, 4]}, [("added", "a[3]", None, 4)]),
        ({"a": [1, 2, 3]}, {"a": [1, 9, 3]}, [("changed", "a[1]", 2, 9)]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [("removed", "a[1]", 2, None)]),
        ({"a": None}, {"a": None}, []),
        ({"a": SEVEN}, {"a": {**SEVEN, "items": 8}}, [("changed", "a.items", 7, 8)]),
        ({"a": CLOSED}, {"a": {"b": 1}}, [("changed", "a", CLOSED, {"b": 1})]),
        ({"a": CLOSED}, {"a": {**CLOSED, "nbytes": 2}}, [("changed", "a", CLOSED, {**CLOSED, "nbytes": 2})]),
        (
            {"a": [{"id": "x", "n": 1}, {"id": "x"}]},
            {"a": [{"id": "x", "n": 2}, {"id": "x"}]},
            [("changed", "a[0].n", 1, 2)],
        ),
    ],
)
def test_differences(before: dict[str, Any], after: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    """Added, removed and changed places are named by their path, long lists by element."""
    assert [(change.op, change.path, change.before, change.after) for change in diff(before, after)] == expected


def test_messages_are_compared_by_id() -> None:
    """A message that was edited, removed or added is found by its id, wherever it stands."""
    one, two, three = ({"id": name, "type": "ai", "content": name} for name in "abc")
    edited = {**two, "content": "new"}
    changes = diff({"messages": [one, two]}, {"messages": [three, edited]}, messages=["model", "clean"])
    assert [(change.op, change.path, change.node) for change in changes] == [
        ("added", "messages[id=c]", "model, clean"),
        ("changed", "messages[id=b].content", "model, clean"),
        ("removed", "messages[id=a]", "model, clean"),
    ]


@given(
    st.lists(st.integers(0, 12), unique=True).flatmap(lambda ids: st.tuples(st.just(ids), st.permutations(ids))),
    st.sets(st.integers(0, 12)),
    st.sets(st.integers(0, 12)),
)
def test_messages_in_another_order(orders: tuple[list[int], list[int]], left: set[int], came: set[int]) -> None:
    """Exactly those that are there before and after in another order are reordered; what came or left is no move."""
    before = [{"id": f"m{number}"} for number in orders[0] if number not in came]
    after = [{"id": f"m{number}"} for number in orders[1] if number not in left]
    changes = diff({"messages": before}, {"messages": after})
    moved = [change for change in changes if change.op == "reordered"]
    kept = [item for item in before if item in after], [item for item in after if item in before]
    assert len(moved) == (kept[0] != kept[1])
    assert len(changes) - len(moved) == len(before) + len(after) - 2 * len(kept[0])
    for change in moved:
        same = int(change.path.removeprefix("messages").strip("[:]") or 0)
        assert before[:same] == after[:same]
        behind = [[item["id"] for item in items[same:] if item in kept[0]] for items in (before, after)]
        assert [change.before, change.after] == behind


def stored(items: list[Any], kind: str = "set") -> dict[str, Any]:
    return {"__type__": f"builtins.{kind}", "items": items}


@given(
    st.lists(st.integers(0, 20) | st.tuples(st.integers(0, 3), st.booleans()), unique_by=repr).flatmap(
        lambda items: st.tuples(st.just(items), st.permutations(items))
    ),
    st.sets(st.integers(30, 35)),
    st.sets(st.integers(40, 45)),
)
def test_sets_are_compared_by_what_is_in_them(
    orders: tuple[list[Any], list[Any]], left: set[int], came: set[int]
) -> None:
    """A set has no order, and every process stores another: only what came into it and what left is a change."""
    kept = [[list(item) if isinstance(item, tuple) else item for item in items] for items in orders]
    before, after = stored([*left, *kept[0]]), stored([*kept[1], *came])
    changes = diff({"seen": before, "inside": [before]}, {"seen": after, "inside": [after]})
    seen = [change for change in changes if change.path.startswith("seen")]
    assert [change.after for change in seen if change.op == "added"] == list(came)
    assert [change.before for change in seen if change.op == "removed"] == list(left)
    assert len(seen) == len(came) + len(left) == len(changes) - len(seen)
    assert same(before, after) == (not seen)


def test_sets_of_another_type_and_sets_within_sets() -> None:
    """A frozenset is no set, sets inside of sets have no order either; what is too deep is compared too."""
    assert diff({"a": stored([1])}, {"a": stored([1], "frozenset")}) != []
    inner = [stored([1, 2], "frozenset"), stored([3], "frozenset")]
    turned = [stored([3], "frozenset"), stored([2, 1], "frozenset")]
    assert diff({"a": stored(inner)}, {"a": stored(turned)}) == []
    deep: Any = 0
    other: Any = 1
    for _ in range(1100):  # deeper than Python calls
        deep, other = stored([deep]), stored([other])
    assert diff({"a": deep}, {"a": other}) != []


def test_a_channel_that_nobody_is_known_to_have_written() -> None:
    """Without a row that tells, a change names no node."""
    assert diff({"a": 1}, {"a": 2}, b=["x"])[0].node is None


def test_what_is_nested_deep_is_shown_whole_from_there() -> None:
    """Values nested deeper than Python calls are compared to their bottom, and shown whole below the fortieth level."""
    before: Any = [0]
    after: Any = [False]
    for _ in range(3000):
        before, after = [before], [after]
    assert diff({"a": before}, {"a": before}) == []
    ((op, path),) = [(change.op, change.path) for change in diff({"a": before}, {"a": after})]
    assert (op, path) == ("changed", "a" + 40 * "[0]")


def test_a_large_equal_state_costs_no_comparison() -> None:
    """Payloads that repeat are one object: they are not looked into."""

    class Untouchable:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    shared = Untouchable()
    assert diff({"a": shared, "b": [shared]}, {"a": shared, "b": [shared]}) == []


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, 0, 1, False, True, 0.0, 1.0, float("nan"), "", "1", b"1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([0, False, 1, "1", "a"]), inner),
    max_leaves=6,
)


@given(PLAIN, PLAIN)
def test_values_are_the_same_when_they_read_alike(one: Any, other: Any) -> None:
    """Two values are the same when Python writes them alike, whatever the order of keys; else there is a difference."""
    assert same(one, other) == (written(one) == written(other))
    assert (diff({"a": one}, {"a": other}) == []) == same(one, other)


def written(value: Any) -> str:
    """A value as text, keys in order."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{key!r}:{written(item)}' for key, item in value.items()))}}}"
    return repr(value)
