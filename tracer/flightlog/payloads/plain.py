"""Any Python value as what JSON knows: the kinds of objects, and the careful walk for values JSON cannot take.

``convert`` opens one object by one level, reading fields rather than calling the application's code. ``Walk`` goes all
the way, for what the fast encoder refuses (cycles, depth, surrogates, huge integers, odd keys) and for redaction.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final
from uuid import UUID

from flightlog.foreign import foreign, goes_through
from flightlog.payloads.messages import chip, compact, media
from flightlog.payloads.redaction import REDACTED, Redactor

MAX_DEPTH: Final = 100
"""Levels kept of a nested value."""
MAX_NODES: Final = 100_000
"""Objects and containers kept of one payload by the careful walk."""
MAX_VALUES: Final = 1_000_000
"""Values of any kind kept of it: one list may be in many places."""
MAX_CHARACTERS: Final = 32 * 1024 * 1024
"""Characters kept of all strings of one payload together: one string may be in many places."""
MAX_REPR: Final = 2_000
"""Characters kept of the text of an object we cannot open."""
MIN_MEDIA: Final = 1_024
"""Characters above which a data URL becomes a chip."""
MAX_ARRAY: Final = 1_000
"""Elements of a numeric array that are written out; larger ones become a chip."""

Opener = Callable[[Any], Any]

_openers: dict[type, Opener] = {}
_MAX_OPENERS: Final = 4_096


def convert(value: Any) -> Any:
    """One object, opened by one level; raises nothing but what ends the application (see ``goes_through``)."""
    kind = type(value)
    foreign.depth += 1
    try:
        opener = _openers.get(kind)
        if opener is None:
            if len(_openers) >= _MAX_OPENERS:  # an application that makes classes without end must not grow us
                _openers.clear()
            opener = _openers[kind] = _opener(kind)
        return opener(value)
    except BaseException as error:
        if goes_through(error):
            raise
        return {"type": type_name(kind)}
    finally:
        foreign.depth -= 1


def is_message(kind: type) -> bool:
    """Whether a class is one of LangChain's chat messages; by name, so that nothing is imported."""
    return any(
        base.__name__ == "BaseMessage" and base.__module__ == "langchain_core.messages.base" for base in mro(kind)
    )


def mro(kind: type) -> tuple[type, ...]:
    """The classes of a class, also when its metaclass lies."""
    classes: tuple[type, ...] = type.__getattribute__(kind, "__mro__")
    return classes


def type_name(kind: type) -> str:
    """``module.Class``, or ``Class`` for builtins."""
    module, name = type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


def text_of(value: Any) -> str:
    """``str(value)``, or the name of its class when it has no text."""
    foreign.depth += 1
    try:
        return str(value)
    except BaseException as error:  # hostile code may raise anything, SystemExit too
        if goes_through(error):
            raise
        return type_name(type(value))
    finally:
        foreign.depth -= 1


def describe(value: Any) -> dict[str, str]:
    """The type and the start of the text of an object we cannot open."""
    answer = {"type": type_name(type(value))}
    try:
        text = repr(value)
        answer["repr"] = text if len(text) <= MAX_REPR else text[:MAX_REPR] + "…"
    except BaseException as error:  # hostile code may raise anything, SystemExit too
        if goes_through(error):
            raise
    return answer


def _opener(kind: type) -> Opener:
    names = [(base.__module__, base.__name__) for base in mro(kind)]
    if any(pair == ("langchain_core.messages.base", "BaseMessage") for pair in names):
        return lambda value: compact(value.__dict__)
    if any(pair in (("pydantic.main", "BaseModel"), ("pydantic.v1.main", "BaseModel")) for pair in names):
        return _model_opener(kind)
    if issubclass(kind, str):
        return str.__str__
    if issubclass(kind, int):
        return int.__int__
    if issubclass(kind, float):
        return float.__float__
    if issubclass(kind, dict):
        return dict
    if issubclass(kind, list | tuple | set | frozenset | deque):
        names_of_tuple: Any = getattr(kind, "_fields", None)
        if isinstance(names_of_tuple, tuple) and issubclass(kind, tuple):
            return lambda value: dict(zip(names_of_tuple, tuple.__iter__(value), strict=False))
        return list
    if issubclass(kind, bytes | bytearray | memoryview):
        return lambda value: chip(bytes(value))
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, Decimal | PurePath | complex | UUID | timedelta):
        return str
    if issubclass(kind, date | time):
        return kind.isoformat
    if issubclass(kind, BaseException):
        return lambda value: {"type": type_name(kind), "message": str(value)}
    if issubclass(kind, type):
        return type_name
    if names[0][0].split(".")[0] == "numpy":
        return _array
    slots = {"langgraph.types": ("node", "arg", "value", "id", "resume", "goto", "update", "graph")}.get(names[0][0])
    if slots:
        return lambda value: {name: found for name in slots if (found := getattr(value, name, None)) not in (None, ())}
    if hasattr(kind, "__dataclass_fields__"):
        fields = tuple(kind.__dataclass_fields__)
        return lambda value: {name: getattr(value, name, None) for name in fields}
    if issubclass(kind, Mapping):
        return lambda value: dict(value.items())
    if kind in (FunctionType, MethodType, BuiltinFunctionType):
        return lambda value: {"type": "function", "name": f"{value.__module__}.{value.__qualname__}"}
    return describe


def _model_opener(kind: type) -> Opener:
    """Pydantic models by their fields; those declared ``exclude`` stay out."""
    declared = getattr(kind, "model_fields", None) or getattr(kind, "__fields__", None) or {}
    hidden = frozenset(
        name
        for name, info in declared.items()
        if getattr(info, "exclude", None) or getattr(getattr(info, "field_info", None), "exclude", None)
    )

    def open_model(value: Any) -> dict[str, Any]:
        fields = dict(object.__getattribute__(value, "__dict__"))
        extra = getattr(value, "__pydantic_extra__", None)
        if isinstance(extra, dict):
            fields.update(extra)
        return {name: item for name, item in fields.items() if name not in hidden} if hidden else fields

    return open_model


def _array(value: Any) -> Any:
    """A numpy scalar as its number, a small array as lists, a large one as a chip."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    if value.size <= MAX_ARRAY and value.dtype.kind in "biuf":
        return value.tolist()
    return {**chip(value.tobytes(), f"numpy/{value.dtype}"), "shape": list(value.shape)}


class Walk:
    """One careful walk over one payload."""

    def __init__(self, redactor: Redactor, longest: int) -> None:
        self._redactor = redactor
        self._longest = longest
        """Characters kept of one string."""
        self._left = MAX_NODES
        self._values_left = MAX_VALUES
        self._characters_left = MAX_CHARACTERS
        self._path: set[int] = set()

    def value(self, value: Any, depth: int = 0) -> Any:
        """The value as dicts with string keys, lists, strings, 64-bit integers, finite floats, booleans and None."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            if len(value) > MIN_MEDIA and value.startswith("data:") and (found := media(value)):
                return found
            return self.text(value)
        if kind is int:
            return value if -(2**63) <= value < 2**64 else _huge(value)
        if kind is float:
            return value if math.isfinite(value) else None
        self._left -= 1
        if self._left < 0 or depth >= MAX_DEPTH:
            return "…"
        if id(value) in self._path:
            return "[cycle]"
        self._path.add(id(value))
        try:
            return self._inside(value, kind, depth)
        finally:
            self._path.discard(id(value))

    def text(self, value: str) -> str:
        """A string that UTF-8 can take, redacted and bounded."""
        longest = min(self._longest, self._characters_left)
        if len(value) > longest:
            value = value[:longest] + "…"
        self._characters_left -= len(value) - 1
        if not value.isascii():
            value = value.encode("utf-8", "backslashreplace").decode("utf-8", "replace")
        return self._redactor.text(value) if self._redactor.patterns else value

    def _inside(self, value: Any, kind: type, depth: int) -> Any:
        if kind is dict:
            return self._pairs(value, depth)
        if kind is list or kind is tuple:
            return self._items(value, depth)
        # What an object opens to may be an object again, without end: each opening counts as a level.
        return self.value(convert(value), depth + 1)

    def _pairs(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        hides = self._redactor.hides
        pairs, are_all = self._some(value.items)
        for key, item in pairs:
            name = key if type(key) is str else _key(key)
            if self._left < 0:
                are_all = False
                break
            # Asked of the key as it was: what a pattern leaves of it is no rule's key any more.
            answer[self.text(name)] = REDACTED if hides(name) else self.value(item, depth + 1)
        if not are_all:
            answer["…"] = "…"
        return answer

    def _items(self, value: Iterable[Any], depth: int) -> list[Any]:
        answer: list[Any] = []
        items, are_all = self._some(value.__iter__)
        for item in items:
            if self._left < 0:
                are_all = False
                break
            answer.append(self.value(item, depth + 1))
        if not are_all:
            answer.append("…")
        return answer

    def _some(self, items: Callable[[], Iterable[Any]]) -> tuple[list[Any], bool]:
        """The items, as many of them as are still kept, and whether these are all."""
        found = _snapshot(items)
        kept = found if len(found) <= self._values_left else found[: self._values_left]
        self._values_left -= len(kept)
        return kept, kept is found


def _snapshot(items: Callable[[], Iterable[Any]]) -> list[Any]:
    """The items at one moment; another thread may be changing the container."""
    for _ in range(3):
        try:
            return list(items())
        except RuntimeError:  # changed size during iteration
            continue
    return []


def _huge(value: int) -> str:
    return str(value) if value.bit_length() <= 4_096 else f"[integer of {value.bit_length()} bits]"


def _key(key: Any) -> str:
    if isinstance(key, bytes):  # as in the headers of ASGI: a rule must know the key
        return key.decode("utf-8", "backslashreplace")
    if key is None or isinstance(key, bool | int | float):
        return "null" if key is None else str(key).lower() if isinstance(key, bool) else _number_key(key)
    found = convert(key)
    return found if isinstance(found, str) else str(describe(key).get("repr", type_name(type(key))))


def _number_key(key: float) -> str:
    return _huge(key) if isinstance(key, int) else repr(key)
