"""Payloads: any Python value to one bounded JSON value, fast and total.

The fast path is one pass of orjson. It leaves a NUL byte where a chat message stands, which JSON text can never hold,
and the messages' own JSON, encoded once per message and kept for the trace, is set in at the NULs. What orjson
refuses, what may hold a secret, and what is too large takes the careful walk of ``plain``.
"""

import contextlib
import hashlib
from typing import Any, Final, NamedTuple

import orjson

from flightlog.capture import Mode
from flightlog.messages import HASH_LIMIT, compact
from flightlog.plain import Walk, convert, is_message, type_name
from flightlog.redaction import Redactor
from flightlog.span import Truncation
from flightlog.truncation import shorten

MAX_STRING: Final = 16 * 1024 * 1024
"""Characters of a string above which it is cut before it is encoded at all."""

_MARK: Final = orjson.Fragment(b"\0")
_OPTION: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_GENERATION: Final = 2_048
"""Messages remembered before the older half is forgotten."""


class Payload(NamedTuple):
    """The JSON text of one field, and what was cut from it."""

    json: bytes
    truncation: Truncation | None = None


class Memo:
    """The messages of one trace, each with its JSON; guarded against mutation.

    A message is known again by identity and by a snapshot of its fields: immutable values by identity, containers by
    equality with a copy. The memo holds the message, so an identity is never reused while it is remembered.
    """

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, tuple[Any, tuple[Any, ...], bytes]] = {}
        self._old: dict[int, tuple[Any, tuple[Any, ...], bytes]] = {}

    def find(self, message: Any, fields: dict[str, Any]) -> bytes | None:
        """The JSON of a message that has not changed since it was kept."""
        key = id(message)
        entry = self._new.get(key) or self._old.get(key)
        if entry is not None and entry[1] == tuple(fields.values()):
            return entry[2]
        return None

    def keep(self, message: Any, fields: dict[str, Any], json: bytes) -> None:
        """Remember the JSON of a message, unless its fields cannot be copied cheaply."""
        try:
            snapshot = tuple([_copy(value, 0) for value in fields.values()])
        except TypeError:
            return
        if len(self._new) >= _GENERATION:
            self._old, self._new = self._new, {}
        self._new[id(message)] = (message, snapshot, json)


class PayloadEncoder:
    """Encodes the payloads of one tracer."""

    def __init__(self, redactor: Redactor, max_field_bytes: int) -> None:
        self._redactor = redactor
        self._max = max_field_bytes
        self._walks_all = redactor.sees_every_string or bool(redactor.callables)

    def encode(self, field: str, value: Any, memo: Memo, mode: Mode = "all") -> Payload:
        """The JSON of a value, redacted and bounded.

        Raises what a redaction rule raises: the caller drops the field.
        """
        found = None
        if not self._walks_all:
            with contextlib.suppress(TypeError, ValueError, RuntimeError, AttributeError, RecursionError):
                found = self._fast(value, memo)
        json = self._walk(field, value) if found is None else found
        if mode == "metadata":
            return Payload(orjson.dumps({"type": type_name(type(value)), **_measure(json)}))
        if len(json) <= self._max:
            return Payload(json)
        return self._bounded(field, value, json)

    def _fast(self, value: Any, memo: Memo) -> bytes | None:
        """One pass of orjson, or None when the careful walk must do it."""
        messages: list[Any] = []

        def default(item: Any) -> Any:
            kind = type(item)
            known = _is_message.get(kind)
            if known is None:
                known = _learn(kind)
            if known:
                messages.append(item)
                return _MARK
            return convert(item)

        if _has_giant(value):
            return None
        skeleton = orjson.dumps(value, default, _OPTION)
        if len(skeleton) > 2 and self._redactor.may_match(skeleton):
            return None
        if not messages:
            return skeleton
        parts = skeleton.split(b"\0")
        pieces = [parts[0]]
        for message, part in zip(messages, parts[1:], strict=True):
            fields = message.__dict__
            json = memo.find(message, fields)
            if json is None:
                if (json := self._message(fields)) is None:
                    return None
                memo.keep(message, fields, json)
            pieces.append(json)
            pieces.append(part)
        return b"".join(pieces)

    def _message(self, fields: dict[str, Any]) -> bytes | None:
        short = compact(fields)
        if _has_giant(short):
            return None
        json = orjson.dumps(short, convert, _OPTION)
        # Text alone cannot hold a key: JSON writes a quote inside a string as \", and a key ends with a plain one.
        if self._redactor.may_match(json):
            return None
        return json

    def _walk(self, field: str, value: Any) -> bytes:
        tree = Walk(self._redactor, MAX_STRING).value(value)
        if self._redactor.callables:
            tree = Walk(Redactor(None), MAX_STRING).value(self._redactor.payload(field, tree))
        return orjson.dumps(tree)

    def _bounded(self, field: str, value: Any, json: bytes) -> Payload:
        """A payload that is too large: media as chips first, then the longest strings cut."""
        truncation = _measure(json)
        tree = Walk(self._redactor, MAX_STRING).value(orjson.loads(json))
        return Payload(shorten(tree, self._max), truncation)


_is_message: dict[type, bool] = {}


def _learn(kind: type) -> bool:
    if len(_is_message) >= 4_096:
        _is_message.clear()
    known = _is_message[kind] = is_message(kind)
    return known


def _measure(json: bytes) -> Truncation:
    if len(json) <= HASH_LIMIT:
        return {"bytes": len(json), "sha256": hashlib.sha256(json).hexdigest()}
    return {"bytes": len(json)}


def _has_giant(value: Any) -> bool:
    """Whether a string near the top would be too costly even to encode."""
    kind = type(value)
    if kind is str:
        return len(value) > MAX_STRING
    if kind is dict:
        return any(type(item) is str and len(item) > MAX_STRING for item in value.values())
    return False


def _copy(value: Any, depth: int) -> Any:
    """A copy of plain data that compares equal until the original changes. Raises TypeError for anything else."""
    kind = type(value)
    if value is None or kind is str or kind is int or kind is float or kind is bool:
        return value
    if depth > 8:
        raise TypeError
    if kind is dict:
        return {key: _copy(item, depth + 1) for key, item in value.items()} if value else {}
    if kind is list:
        return [_copy(item, depth + 1) for item in value] if value else []
    raise TypeError
