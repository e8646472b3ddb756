"""Lists that grow from checkpoint to checkpoint: what is taken over is what decoding would have given."""

from collections.abc import Sequence
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.growing import KEPT_BYTES, LEAST
from flightlog_viewer.checkpoints.msgpack_layout import skip
from tests.viewer.checkpoints.hostile import ext

PLACE = ("thread", "")
HEAD = {"v": 4, "ts": "2026-11-20T10:00:00.000000+00:00", "id": "1f1e4ca7-d8a7-6f44-8000-20fedd937284"}


def message(text: str) -> bytes:
    """A message as LangGraph packs it."""
    return ext(5, "langchain_core.messages.human", "HumanMessage", {"content": text}, "model_validate_json")


def packed_list(items: Sequence[bytes]) -> bytes:
    """A list of packed values."""
    return b"\xdd" + len(items).to_bytes(4, "big") + b"".join(items)


def packed_map(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """A map of packed values; a key may come twice."""
    return b"\xdf" + len(entries).to_bytes(4, "big") + b"".join(ormsgpack.packb(key) + value for key, value in entries)


def document(channels: Sequence[tuple[str, bytes]], usual: bool = True) -> bytes:
    """A checkpoint with these channels."""
    head = [(key, ormsgpack.packb(value)) for key, value in HEAD.items()] if usual else []
    tail = [("channel_versions", ormsgpack.packb({"messages": "7"}))]
    entries = [*head, ("channel_values", packed_map(channels)), *tail]
    return bytes([0x80 | len(entries)]) + packed_map(entries)[5:]


def assert_same(blobs: Sequence[bytes]) -> None:
    """Decoding blobs one after another gives what decoding each by itself gives."""
    together = Decoder()
    for blob in blobs:
        assert together.typed("msgpack", blob, PLACE) == Decoder().typed("msgpack", blob)


ELEMENTS = st.sampled_from(
    [message("a"), message("b" * 300), ormsgpack.packb({"role": "user"}), b"\xc0", b"\x01", ext(0, "os", "system", "x")]
    + [ormsgpack.packb(value) for value in (1.5, -7, 2**40, "text" * 20, b"bytes" * 80, [1, [2, {}]])]
    + [b"\x81\x01\xc0"]
    + [ormsgpack.packb(ormsgpack.Ext(9, b"x" * size)) for size in (1, 2, 4, 8, 16, 300)]
)
LISTS = st.lists(ELEMENTS, max_size=2 * LEAST)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=4), st.booleans()),
        min_size=2,
        max_size=6,
    ),
    st.lists(ELEMENTS, min_size=30, max_size=30),
    LISTS,
    st.sampled_from([*[None] * 4, 3, 12]),
)
def test_any_sequence_of_checkpoints(
    plan: list[tuple[list[tuple[str, int]], bool]], line: list[bytes], other: list[bytes], broken: int | None
) -> None:
    """Channels that grow, shrink, stay, vanish, come twice or hold what cannot be decoded."""
    if broken is not None:
        line[broken] = b"\xc1"  # no value at all
    blobs = []
    for channels, usual in plan:
        lists = [(name, packed_list(line[:size] if size % 7 else other)) for name, size in channels]
        blobs.append(document(lists, usual))
    assert_same(blobs)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.lists(ELEMENTS, min_size=30, max_size=30))
def test_lists_by_themselves(sizes: list[int], line: list[bytes]) -> None:
    """A channel's own blob, as Postgres keeps it."""
    assert_same([packed_list(line[:size]) for size in sizes])


def test_elements_are_taken_over() -> None:
    """The messages of a grown list are the very objects of the list before."""
    decoder = Decoder(memo_bytes=0)
    items = [message(f"{number}") for number in range(20)]
    before = decoder.typed("msgpack", document([("messages", packed_list(items[:12]))]), PLACE)
    after = decoder.typed("msgpack", document([("messages", packed_list(items))]), PLACE)
    old, new = before["channel_values"]["messages"], after["channel_values"]["messages"]
    assert [one is other for one, other in zip(old, new[:12], strict=True)] == [True] * 12
    assert (len(old), [item["content"] for item in new]) == (12, [str(number) for number in range(20)])


def test_a_channel_that_comes_twice() -> None:
    """A crafted checkpoint that names a channel twice lends none of its elements to the next."""
    items = [message(f"{number}") for number in range(LEAST)]
    false = packed_list([message("false")] * LEAST)
    assert_same(
        [
            document([("messages", packed_list(items)), ("messages", false)]),
            document([("messages", packed_list([*items, message("new")]))]),
            document([("messages", packed_list([*items, message("new")])), ("messages", false)]),
            document([("messages", packed_list([*items, message("new"), message("newer")]))]),
        ]
    )


def test_a_checkpoint_with_two_states() -> None:
    """A crafted checkpoint that holds its channels twice lends none of their elements to the next."""
    items = [message(f"{number}") for number in range(LEAST)]
    true, false = packed_map([("messages", packed_list(items))]), packed_map([("messages", packed_list(items[::-1]))])
    twice = b"\x82" + packed_map([("channel_values", true), ("channel_values", false)])[5:]
    assert_same([twice, document([("messages", packed_list([*items, message("new")]))], usual=False)])


def test_a_list_whose_bytes_go_on_behind_it() -> None:
    """Bytes that were elements before are not taken for elements when the list ends before them."""
    items = [*[ormsgpack.packb("x" * 40)] * LEAST, ormsgpack.packb("other"), b"\x02"]
    longer = document([("messages", packed_list(items)), ("last", b"\xc0")])
    shorter = document([("messages", packed_list(items[:LEAST])), ("other", b"\x02")])
    assert_same([longer, shorter, longer])


def test_a_checkpoint_cut_anywhere() -> None:
    """A blob that ends in the middle is said to be broken, as it is without a checkpoint before it."""
    items = [message(f"{number}") for number in range(LEAST + 2)]
    whole = document([("messages", packed_list(items))])
    first = document([("messages", packed_list(items[:LEAST]))])
    for size in range(0, len(whole), 7):
        assert_same([first, whole[:size], whole])


def test_what_is_kept_is_bounded() -> None:
    """Many places do not make the decoder keep many blobs."""
    decoder = Decoder()
    large = [message("x" * (KEPT_BYTES // 40)) for _ in range(LEAST)]
    for number in range(12):
        blob = document([("messages", packed_list(large))])
        assert len(decoder.typed("msgpack", blob, (number,))["channel_values"]["messages"]) == LEAST
        assert decoder.kept_bytes <= KEPT_BYTES


@pytest.mark.parametrize("value", [None, True, 1, -1, 2**63, 1.5, "x", "x" * 40, "x" * 300, "x" * 70_000])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value] * 20, lambda value: {"a": value, "b": {}}])
def test_the_end_of_any_value_is_found(value: Any, wrap: Any) -> None:
    """Passing over a value ends where it ends."""
    blob = ormsgpack.packb(wrap(value))
    assert skip(blob + b"\x01", 0, 1, 1000) == len(blob)


def test_the_same_bytes_under_two_codes() -> None:
    """What a payload means depends on its code, also when it comes again."""
    decoder = Decoder()
    first = decoder.typed("msgpack", ext(0, "builtins", "set", [1]))
    second = decoder.typed("msgpack", ext(1, "builtins", "set", [1]))
    assert (first, second) == (
        {"__type__": "builtins.set", "items": [1]},
        {"__type__": "builtins.set", "__args__": [1]},
    )
