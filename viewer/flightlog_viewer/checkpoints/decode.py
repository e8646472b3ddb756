"""Turns the blobs of a checkpoint database into plain values, and never runs anything that they name.

LangGraph's own serializer imports and calls what a blob says; a crafted database runs code through it. Here an object
becomes a dict that says what it was (`inert.py`). Nothing is imported, no constructor is called, pickles and encrypted
blobs stay closed, secrets are left out.

Formats: `langgraph.checkpoint.serde.jsonplus` (type tags, msgpack extension codes 0 to 7, "lc" envelopes in JSON).
"""

import json
from collections.abc import Callable, Hashable

import orjson
import ormsgpack

from flightlog_viewer.checkpoints.growing import GrowingLists
from flightlog_viewer.checkpoints.inert import (
    ARGS,
    COLLECTIONS,
    NOTE,
    SECRETS,
    TYPE,
    Inert,
    array_form,
    open_envelope,
    positional,
    tagged,
    undecodable,
)

MAX_BLOB_BYTES = 64 * 1024 * 1024
"""A larger blob is not decoded: a list of one-byte items takes eight times its size in memory."""
OVERSIZE = "oversize:"
"""Begins the type tag, with the size in bytes behind it, that a source gives to what it left unread for its size."""
MAX_DEPTH = 64
"""Extension objects inside one another; LangGraph's own nesting stays in single figures."""
MEMO_BYTES = 16 * 1024 * 1024
"""Bytes of repeated payloads that are remembered; a chat thread repeats every message in every checkpoint."""

_TOO_LARGE = "larger than what is decoded"
_OPTIONS = ormsgpack.OPT_NON_STR_KEYS
_SINGLE, _POSITIONAL, _KEYWORD, _METHOD, _PYDANTIC_1, _PYDANTIC_2, _NUMPY, _DELTA = range(8)


class _TooDeepError(ValueError):
    pass


class Decoder:
    """Decodes blobs, remembering payloads that repeat. Not for use by two threads at once."""

    def __init__(self, *, max_blob_bytes: int = MAX_BLOB_BYTES, memo_bytes: int = MEMO_BYTES) -> None:
        self._max_blob_bytes = max_blob_bytes
        self._memo_bytes = memo_bytes
        # One a code: what the same bytes mean depends on it.
        self._memos: dict[int, dict[bytes, Inert]] = {code: {} for code in range(_DELTA + 1)}
        self._memo_used = 0
        self._depth = 0
        self._hook = self._make_hook()
        self._growing = GrowingLists(lambda data: _unpack(data, self._hook))

    def _make_hook(self) -> Callable[[int, bytes], Inert]:
        """The decoder of extension objects as msgpack calls it: nearly always it just looks the payload up."""
        memos, decode = self._memos, self._extension

        def hook(code: int, data: bytes) -> Inert:
            known = memos[code].get(data) if code in memos else None
            return decode(code, data) if known is None else known

        return hook

    def typed(self, tag: str | None, data: bytes | str | None, place: Hashable = None) -> Inert:
        """The inert value of a blob with its type tag; never raises because of what the blob holds.

        Blobs that follow one another at a `place` are decoded together: of a list that has grown, only what is new.
        """
        if tag is not None and tag.startswith(OVERSIZE):
            return undecodable(_TOO_LARGE, int(size) if (size := tag[len(OVERSIZE) :]).isdecimal() else 0)
        if tag is None or data is None or tag in ("null", "empty"):
            return None
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if "+" in tag:
            inner, _, cipher = tag.partition("+")
            return {TYPE: "__encrypted__", "cipher": cipher, "inner": inner, "nbytes": len(data)}
        if len(data) > self._max_blob_bytes:
            return undecodable(_TOO_LARGE, len(data))
        if tag == "msgpack":
            return self._msgpack(data, self._hook, place)
        if tag == "json":
            return self.json(data)
        if tag in ("bytes", "bytearray"):
            return data
        return {TYPE: "__opaque__", "encoding": tag, "nbytes": len(data)}

    @property
    def kept_bytes(self) -> int:
        """Bytes of blobs that are kept because the next one may begin as they do."""
        return self._growing.kept_bytes

    def outline(self, tag: str | None, data: bytes | None) -> Inert:
        """As `typed`, but objects inside stay closed as `Extension`s until `open` is called on one."""
        if tag == "msgpack" and data is not None and len(data) <= self._max_blob_bytes:
            return self._msgpack(data, Extension)
        return self.typed(tag, data)

    def open(self, value: Inert) -> Inert:
        """A value of an outline decoded: the closed object that it is, or those in the list that it is."""
        if isinstance(value, Extension):
            try:
                return self._hook(value.code, value.data)
            except ValueError as error:
                return undecodable(str(error), len(value.data))
        if isinstance(value, list):
            return [self.open(item) if isinstance(item, Extension) else item for item in value]
        return value

    def json(self, data: bytes | str) -> Inert:
        """The inert value of JSON text, "lc" envelopes included."""
        try:
            return json.loads(data, object_hook=open_envelope)
        except (ValueError, RecursionError) as error:
            return undecodable(f"broken JSON: {_first_line(error)}", len(data))

    def plain_json(self, data: bytes | str) -> Inert:
        """The inert value of JSON text that LangGraph writes itself, without envelopes."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:  # NaN, half a surrogate pair, or broken
            return self.json(data)

    def _msgpack(self, data: bytes, hook: Callable[[int, bytes], Inert], place: Hashable = None) -> Inert:
        self._depth = 0
        try:
            return _unpack(data, hook) if place is None else self._growing.read(place, data)
        except (ValueError, RecursionError) as error:  # MsgpackDecodeError is a ValueError
            return undecodable(f"broken msgpack: {_first_line(error)}", len(data))

    def _extension(self, code: int, data: bytes) -> Inert:
        if self._depth >= MAX_DEPTH:
            raise _TooDeepError("objects nested too deep")
        self._depth += 1
        try:
            value = self._object(code, data)
        except _TooDeepError:
            raise
        except (IndexError, TypeError, KeyError, ValueError) as error:
            value = undecodable(f"broken object: {_first_line(error)}", len(data))
        finally:
            self._depth -= 1
        if self._memo_used + len(data) > self._memo_bytes:
            for memo in self._memos.values():
                memo.clear()
            self._memo_used = 0
        if code in self._memos:
            self._memos[code][data] = value
            self._memo_used += len(data)
        return value

    def _object(self, code: int, data: bytes) -> Inert:
        if code > _DELTA or code < 0:
            return {TYPE: "__ext__", "code": code, "nbytes": len(data)}
        parts = _unpack(data, self._hook)
        if code == _DELTA:
            return {TYPE: "langgraph.checkpoint.serde.types._DeltaSnapshot", "value": parts}
        if code == _NUMPY:
            dtype, shape, order, buffer = parts
            return array_form(str(dtype), list(shape), str(order), bytes(buffer))
        module, name, content = parts[0], parts[1], parts[2]
        if name in SECRETS:
            return {TYPE: f"{module}.{name}", NOTE: "redacted"}
        if code in (_PYDANTIC_2, _PYDANTIC_1, _KEYWORD):
            if isinstance(content, dict):
                return tagged(module, name, content)
            return {TYPE: f"{module}.{name}", ARGS: [content]}
        if code == _POSITIONAL:
            if (module, name) == ("langgraph.types", "Send"):
                return {TYPE: "langgraph.types.Send", "node": content[0], "arg": content[1]}
            return positional(str(module), str(name), list(content))
        if name in COLLECTIONS and isinstance(content, list):
            return {TYPE: f"{module}.{name}", "items": content}
        return {TYPE: f"{module}.{name}", "value": content}


class Extension:
    """A msgpack extension object left closed: telling a thread's status needs none of its messages."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


def _unpack(data: bytes, hook: Callable[[int, bytes], Inert]) -> Inert:
    return ormsgpack.unpackb(data, ext_hook=hook, option=_OPTIONS)


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:160]
