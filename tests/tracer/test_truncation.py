"""Cutting a JSON value to a size: what goes first, and what it says of itself."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from flightlog.truncation import MAX_LEVELS, shorten, write_any_depth

BIG = 10**17


def shortened(value: Any, limit: int) -> Any:
    """The value after a cut to that many bytes, which are used up to a tenth."""
    json = shorten(value, limit)
    assert limit * 0.9 < len(json) <= limit
    return orjson.loads(json)


@pytest.mark.parametrize("short", [["y" * 50], ["y" * 50] * 9])
def test_the_longest_strings_are_cut_to_one_length(short: list[str]) -> None:
    """Strings that are short stay whole, the others share what room there is."""
    found = shortened({"a": "x" * 5_000, "b": "z" * 2_000, "short": short}, 1_500)
    assert found["short"] == short
    assert len(found["a"]) == len(found["b"]) > 450


def test_long_keys_are_cut_too() -> None:
    """A key is no way around the bound."""
    assert orjson.loads(shorten({"k" * 5_000: 1, "b": "c"}, 1_000)) == {"k" * 64 + "…": 1, "b": "c"}


def test_long_keys_that_begin_alike_stay_apart() -> None:
    """No entry is lost for a key that is the same as another as far as it is kept."""
    found = orjson.loads(shorten({f"https://example.com/{'x' * 300}/{n}": n for n in range(10)}, 2_000))
    assert list(found.values()) == list(range(10))
    many = {f"{'x' * 300}/{n}": n for n in range(100)}
    found = orjson.loads(shorten(many, 2_000))
    assert found.pop("…") + len(found) == 100
    assert list(found.values()) == list(range(len(found)))


@pytest.mark.parametrize(("length", "cut"), [(100, "x" * 64 + "…"), (64, "x" * 64)])
def test_strings_keep_a_beginning_when_items_are_left_out(length: int, cut: str) -> None:
    """Below 64 characters strings are cut no further: items go instead."""
    *kept, last = shortened(["x" * length] * 1_000, 10_000)
    assert kept == [cut] * len(kept)
    assert last == f"… {1_000 - len(kept)} more"


@pytest.mark.parametrize("large", [0, 60], ids=["small items", "large items first"])
def test_containers_say_how_many_items_are_left_out(large: int) -> None:
    """The count is that of the whole value, however often it took a new try to fit."""
    numbers = [BIG] * large + list(range(10_000))
    *kept, last = orjson.loads(shorten(numbers, 1_000))
    assert (kept, last) == (numbers[: len(kept)], f"… {len(numbers) - len(kept)} more")
    named = {f"{index:04}": number for index, number in enumerate(numbers)}
    found = orjson.loads(shorten(named, 1_000))
    left_out = found.pop("…")
    assert found == dict(list(named.items())[: len(found)])
    assert len(found) + left_out == len(named)


def test_where_nothing_fits() -> None:
    """A bound too small for anything gives an ellipsis, one too small for that null."""
    assert shorten([[[[1, 2], 3], 4], 5], 6) == b'"\xe2\x80\xa6"'
    assert shorten([[[[1, 2], 3], 4], 5], 4) == b"null"
    assert orjson.loads(shorten([BIG, BIG], 38)) == [BIG, "… 1 more"], "one item does"


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {7: value}], ids=["list", "dict"])
def test_what_lies_too_deep_is_an_ellipsis(wrap: Callable[[Any], Any]) -> None:
    """Of a value that no encoder takes the upper levels are written, and keys that are not text stay."""
    value: Any = "bottom"
    for _ in range(MAX_LEVELS * 3):
        value = wrap(value)
    found, levels = orjson.loads(write_any_depth(value, orjson.OPT_NON_STR_KEYS)), 0
    while not isinstance(found, str):
        [found] = found.values() if isinstance(found, dict) else found
        levels += 1
    assert (found, levels) == ("…", MAX_LEVELS)


@pytest.mark.parametrize(
    "text", ["x" * 9_000, "é" * 9_000, "漢字" * 9_000, '"\n' * 9_000, "x\x01" * 9_000, "x漢" * 9_000]
)
def test_a_text_uses_its_room_in_any_script(text: str) -> None:
    """Its beginning stays, as long as the bound lets it be, however many bytes a character takes."""
    for found in (shortened(text, 1_000), shortened({"short": "a", "long": text}, 1_000)["long"]):
        assert found[-1] == "…"
        assert text.startswith(found[:-1])
