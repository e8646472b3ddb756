"""Any value becomes one valid JSON value, whatever it does."""

import collections
import dataclasses
import datetime
import decimal
import enum
import hashlib
import pathlib
import types
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from flightlog import JsonlTracer
from flightlog.payloads.memo import Memo
from flightlog.payloads.messages import HASH_LIMIT
from flightlog.payloads.payload import PayloadEncoder
from flightlog.payloads.plain import MAX_VALUES, Walk
from flightlog.payloads.redaction import Redactor
from tests.tracer.graphs import is_clean

LIMIT = 262_144
NOTHING: Any = RunnableLambda(lambda _: None)


def recorded(value: Any, limit: int = LIMIT) -> Any:
    """What a span shows of a value that passes through a runnable as its input."""
    tracer = JsonlTracer(max_field_bytes=limit)
    NOTHING.invoke(value, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert is_clean(tracer)
    return span.inputs


def cycle() -> Any:
    inner: list[Any] = [1]
    inner.append({"again": inner})
    return inner


class Color(enum.Enum):
    RED = "red"


class Custom(enum.Enum):
    THING = object()


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]


class Model(pydantic.BaseModel):
    name: str
    secret: pydantic.SecretStr = pydantic.SecretStr("hush")
    hidden: str = pydantic.Field(default="hide me", exclude=True)
    point: Point = dataclasses.field(default_factory=lambda: Point(1, ["a"]))


class OpenModel(pydantic.BaseModel, extra="allow"):
    name: str


class Level(enum.IntEnum):
    HIGH = 3


class Unlisted(Mapping[str, int]):
    """A mapping that cannot be opened."""

    def __len__(self) -> int:
        raise KeyError

    __iter__ = __getitem__ = __len__  # type: ignore[assignment]


class Pair(collections.namedtuple("Pair", "left right")):
    """A named tuple."""


class Text(str):
    """A subclass of str whose methods lie."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        ([float("inf"), 1.5], [None, 1.5]),
        ("\ud800 lone", "\\ud800 lone"),
        ({"\udfff": "key"}, {"\\udfff": "key"}),
        (2**63 - 1, 2**63 - 1),
        ([2**64 - 1, -(2**63), 2**64], [2**64 - 1, -(2**63), str(2**64)]),
        (2**70, str(2**70)),
        (10**5000, f"[integer of {(10**5000).bit_length()} bits]"),
        ({1: "a", None: "b", False: "c", 2.5: "d"}, {"1": "a", "null": "b", "false": "c", "2.5": "d"}),
        ({(1, 2): "tuple key"}, {"(1, 2)": "tuple key"}),
        ({"s": {3}}, {"s": [3]}),
        (frozenset(["x"]), ["x"]),
        (collections.deque([1, 2]), [1, 2]),
        (Pair(1, "r"), {"left": 1, "right": "r"}),
        (Color.RED, "red"),
        (Point(1, ["t"]), {"x": 1, "tags": ["t"]}),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (np.float64(1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
        (np.bool_(True), True),
        (ValueError("bad"), {"type": "ValueError", "message": "bad"}),
        (dict, "dict"),
        (complex(1, 2), "(1+2j)"),
        (Text("kept"), "kept"),
        (Level.HIGH, 3),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (datetime.timedelta(seconds=90), "0:01:30"),
        (datetime.time(12, 30), "12:30:00"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05+00:00"),
        (len, {"type": "function", "name": "builtins.len"}),
        (Unlisted(), {"type": f"{__name__}.Unlisted"}),
        ((), []),
        (None, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_kinds_of_values(value: Any, expected: Any) -> None:
    """Each kind has one plain form."""
    assert recorded({"v": value}) == {"v": expected}
    assert recorded(value) == expected


def test_binary_data_is_a_chip() -> None:
    """Bytes are recorded by size and hash (none above 8 MiB), large arrays by type and shape too."""
    assert recorded({"b": b"\x00" * 10}) == {
        "b": {
            "media_type": "application/octet-stream",
            "bytes": 10,
            "sha256": hashlib.sha256(b"\x00" * 10).hexdigest(),
        }
    }
    assert recorded({"b": bytes(HASH_LIMIT + 1)})["b"] == {
        "media_type": "application/octet-stream",
        "bytes": HASH_LIMIT + 1,
    }
    large = recorded({"a": np.zeros((100, 50))})["a"]
    assert (large["media_type"], large["bytes"], large["shape"]) == ("numpy/float64", 40_000, [100, 50])


def test_models_are_read_by_their_fields() -> None:
    """Pydantic models keep their fields, hide secrets, and leave out what is declared excluded."""
    found = recorded({"m": Model(name="n", point=Point(2, []))})["m"]
    assert found["name"] == "n"
    assert found["point"] == {"x": 2, "tags": []}
    assert "hush" not in str(found)
    assert "hide me" not in str(found)
    more: Any = {"name": "n", "more": Color.RED}
    assert recorded({"m": OpenModel(**more)}) == {"m": {"name": "n", "more": "red"}}


def test_models_of_pydantic_v1_are_read_too() -> None:
    """The compatibility classes of pydantic v1 are read in the same way, without what is declared excluded."""
    v1: Any = pytest.importorskip("pydantic.v1")
    hidden = v1.Field("hide me", exclude=True)
    old = v1.create_model("Old", name=(str, "old"), inner=(list[int], [1]), hidden=(str, hidden))
    assert recorded({"m": old()}) == {"m": {"name": "old", "inner": [1]}}


def test_cycles_and_depths_end() -> None:
    """A cycle is named where it closes; nesting stops at a depth."""
    assert recorded(cycle()) == [1, {"again": "[cycle]"}]
    for wrap, opening in ((lambda one: {"d": one}, "{"), (lambda one: [one], "[")):
        for levels in (150, 100_000):
            text = orjson.dumps(recorded(nested(levels, "bottom", wrap))).decode()
            assert 50 < text.count(opening) <= 101


class Hostile:
    """Raises whatever it can wherever it is asked."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def _raise(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error

    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __hash__ = __eq__ = _raise
    model_dump = dict = to_json = _raise

    def __getattr__(self, name: str) -> Any:
        raise self.error


class HostileModel(pydantic.BaseModel):
    """A model that must not be dumped."""

    x: int = 1

    def model_dump(self, *args: Any, **kwargs: Any) -> Any:
        raise SystemExit("dumped")

    def __repr__(self) -> str:
        raise RuntimeError


class Endless:
    """Opens into ever new objects."""

    @property
    def __dataclass_fields__(self) -> Any:
        return {"next": None}


class Bomb(dict[str, Any]):
    """A dict that changes while it is read."""

    def items(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")


@pytest.mark.parametrize(
    "value",
    [
        Hostile(RuntimeError("x")),
        Hostile(SystemExit("x")),
        Hostile(RecursionError()),
        HostileModel(),
        Endless(),
        Bomb(a=1),
        Slotted(),
        Custom.THING,
        object(),
        lambda: None,
        (n for n in range(3)),
        memoryview(b"abc"),
        type("Fake", (), {"__module__": None}),
        type("numpy.ndarray", (), {"__module__": "numpy"})(),
    ],
    ids=lambda value: type.__getattribute__(type(value), "__name__"),
)
def test_hostile_objects_harm_nobody(value: Any) -> None:
    """Objects that raise, lie or never end are recorded by what can be said of them."""
    assert set(recorded({"before": 1, "value": value, "after": 2})) == {"before", "value", "after"}
    recorded([value, {"deeper": [value]}])
    recorded({"messages": [HumanMessage("hi", additional_kwargs={"x": value}), AIMessage("ho")]})


def test_generators_are_not_consumed() -> None:
    """Recording a generator takes nothing from it."""
    numbers = (n for n in range(3))
    recorded({"g": numbers})
    assert list(numbers) == [0, 1, 2]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=6),
    max_leaves=40,
)


@given(PLAIN)
@settings(max_examples=80)
def test_any_value_is_one_valid_json_value(value: Any) -> None:
    """Whatever the value, the JSON parses; the fast path and the careful walk agree."""
    encoder = PayloadEncoder(Redactor(), LIMIT)
    careful = orjson.loads(encoder.encode("inputs", value).json)
    quick = encoder.quick(value, Memo())
    assert quick is None or orjson.loads(quick) == careful


@given(PLAIN, st.integers(min_value=64, max_value=2_000))
@settings(max_examples=80)
def test_any_value_fits_its_bound(value: Any, limit: int) -> None:
    """A payload never exceeds the bound, and says so exactly when it was cut."""
    payload = PayloadEncoder(Redactor(), limit).encode("inputs", {"v": [value] * 3, "text": "x" * 500})
    assert len(payload.json) <= limit
    orjson.loads(payload.json)
    whole = PayloadEncoder(Redactor(), 10**9).encode("inputs", {"v": [value] * 3, "text": "x" * 500}).json
    if len(whole) > limit:
        assert payload.truncation == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    else:
        assert payload.truncation is None


@pytest.mark.parametrize("secret", [False, True])
def test_a_long_table_is_taken_in_one_piece_unless_it_hides_something(secret: bool) -> None:
    """Rows of plain data are looked at as text; a key to hide in one of many rows is found there."""
    rows: list[dict[str, Any]] = [{"id": n, "text": 'say "password": x', "v": [n, None]} for n in range(200)]
    expected = [dict(row) for row in rows]
    if secret:
        rows[150]["v"] = {"Pass-Word": 1, "PASSWORD": "hush"}
        expected[150]["v"] = {"Pass-Word": 1, "PASSWORD": "[redacted]"}
    assert recorded({"rows": rows}) == {"rows": expected}


def test_long_strings_are_cut_first() -> None:
    """What is short stays readable beside a long string that is cut, and the span says how long it was."""
    tracer = JsonlTracer(max_field_bytes=1_000)
    NOTHING.invoke({"id": 7, "text": "é" * 5_000, "list": [1, 2]}, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert (span.inputs["id"], span.inputs["list"]) == (7, [1, 2])
    assert span.inputs["text"].startswith("ééé")
    assert span.inputs["text"].endswith("…")
    cut = (span.truncated or {})["inputs"]
    whole = orjson.dumps({"id": 7, "text": "é" * 5_000, "list": [1, 2]})
    assert cut == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    assert (span.chunks, tracer.summary()["chain"].get("streamed", 0)) == (None, 0)


def test_a_giant_string_costs_no_giant_copy() -> None:
    """A string of 64 million characters is cut before it is encoded; no hash is taken."""
    tracer = JsonlTracer()
    NOTHING.invoke({"text": "x" * 64_000_000}, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert len(span.inputs["text"]) < LIMIT
    assert "sha256" not in (span.truncated or {})["inputs"]


def nested(levels: int, inside: Any, wrap: Callable[[Any], Any]) -> Any:
    for _ in range(levels):
        inside = wrap(inside)
    return inside


TEXT = "x" * 100_000


@pytest.mark.parametrize(
    "value",
    [
        nested(9, "lol", lambda one: [one] * 10),
        nested(9, [{"a": 1}] * 100, lambda one: [{"rows": one}] * 100),
        [TEXT] * 20_000,
        [{"a": TEXT}] * 20_000,
        {"messages": [HumanMessage(TEXT)] * 10_000},
        [HumanMessage([{"type": "text", "text": TEXT}])] * 10_000,
        [{"messages": [AIMessage(TEXT)] * 3} for _ in range(1_000)],
        AIMessage("", additional_kwargs={"x": nested(4, [1] * 1_000, lambda one: [one] * 1_000)}),
        AIMessage("", additional_kwargs={"x": [TEXT] * 20_000}),
    ],
    ids=[
        "lists",
        "tables",
        "strings",
        "rows",
        "texts",
        "blocks",
        "lists of messages",
        "lists in a message",
        "strings in a message",
    ],
)
def test_one_object_in_very_many_places(value: Any) -> None:
    """What is small in memory and endless as JSON is cut before it is encoded."""
    encoder = PayloadEncoder(Redactor(), LIMIT)
    assert encoder.quick(value, Memo()) is None
    assert len(encoder.encode("inputs", value).json) <= LIMIT


def test_a_careful_walk_keeps_a_long_list_up_to_its_bound() -> None:
    """More values than are kept of a payload end in a mark; what came before stays."""
    walk = Walk(Redactor(None), 100)
    assert walk.value([7] * (MAX_VALUES + 5)) == [7] * MAX_VALUES + ["…"]
    assert walk.value([[1], {"a": 2}]) == ["…"]
