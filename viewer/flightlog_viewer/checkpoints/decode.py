"""Turns the blobs of a checkpoint database into plain values, and never runs anything that they name.

LangGraph's own serializer imports and calls what a blob says; a crafted database runs code through it. Here a tagged
object becomes a dict that says what it was: `{"__type__": "module.Class", ...fields}`. Nothing is imported, no
constructor is called, pickles and encrypted blobs stay closed, secrets are left out. A message keeps LangChain's own
fields (`type`, `content`, `id`, `tool_calls`, ...) and loses only its Python class.

Formats: `langgraph.checkpoint.serde.jsonplus` (type tags, msgpack extension codes 0 to 7, "lc" envelopes in JSON).
"""

import json
import struct
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

import orjson
import ormsgpack
import xxhash

from flightlog_viewer.checkpoints.growing import GrowingLists

Inert: TypeAlias = Any
"""None, bool, int, float, str, bytes, and lists and dicts of them. Shared between steps: never change one in place."""

TYPE = "__type__"
NOTE = "__note__"
ARGS = "__args__"

MAX_BLOB_BYTES = 64 * 1024 * 1024
"""A larger blob is not decoded: a list of one-byte items takes eight times its size in memory."""
MAX_DEPTH = 64
"""Extension objects inside one another; LangGraph's own nesting stays in single figures."""
MEMO_BYTES = 16 * 1024 * 1024
"""Bytes of repeated payloads that are remembered; a chat thread repeats every message in every checkpoint."""

_OPTIONS = ormsgpack.OPT_NON_STR_KEYS
_SINGLE, _POSITIONAL, _KEYWORD, _METHOD, _PYDANTIC_1, _PYDANTIC_2, _NUMPY, _DELTA = range(8)
_SECRETS = frozenset({"SecretStr", "SecretBytes", "Secret"})
_COLLECTIONS = frozenset({"set", "frozenset", "deque"})
_MESSAGES = {
    "HumanMessage": "human",
    "HumanMessageChunk": "HumanMessageChunk",
    "AIMessage": "ai",
    "AIMessageChunk": "AIMessageChunk",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "chat",
    "RemoveMessage": "remove",
}
_MESSAGE_MODULES = ("langchain_core.messages", "langchain.schema", "langchain.messages")
_NUMPY_FORMATS = {
    "f8": "d", "f4": "f", "i8": "q", "i4": "i", "i2": "h", "i1": "b",
    "u8": "Q", "u4": "I", "u2": "H", "u1": "B", "b1": "?",
}  # fmt: skip
NUMPY_PREVIEW = 64
"""Elements of an array that are shown; a digest of all its bytes stands for the rest."""


class _TooDeepError(ValueError):
    pass


def undecodable(reason: str, size: int) -> dict[str, Inert]:
    """What stands for a blob that cannot be read: the reason and its size in bytes."""
    return {TYPE: "__undecodable__", NOTE: reason, "nbytes": size}


def is_opaque(value: Inert) -> bool:
    """Whether a value stands for a blob whose content is not known: pickled, encrypted, too large or broken."""
    return isinstance(value, dict) and value.get(TYPE) in {"__undecodable__", "__opaque__", "__encrypted__"}


def same(one: Inert, other: Inert) -> bool:
    """Whether two values are equal; values nested too deep to be compared are not."""
    try:
        return one is other or bool(one == other)
    except RecursionError:
        return False


def tagged(module: object, name: object, fields: Mapping[Any, Inert]) -> dict[str, Inert]:
    """The inert form of an object with named fields; a message keeps its fields only."""
    for key in fields:
        if type(key) is not str:
            fields = {str(key): value for key, value in fields.items()}
            break
    if name in _MESSAGES and str(module).startswith(_MESSAGE_MODULES):
        return {"type": _MESSAGES[str(name)], **fields}
    if TYPE in fields:  # a field that would hide the type
        return {TYPE: f"{module}.{name}", ARGS: [dict(fields)]}
    return {TYPE: f"{module}.{name}", **fields}


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
        if tag is None or data is None or tag in ("null", "empty"):
            return None
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if "+" in tag:
            inner, _, cipher = tag.partition("+")
            return {TYPE: "__encrypted__", "cipher": cipher, "inner": inner, "nbytes": len(data)}
        if len(data) > self._max_blob_bytes:
            return undecodable("larger than what is decoded", len(data))
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
            return json.loads(data, object_hook=_open_envelope)
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
        if name in _SECRETS:
            return {TYPE: f"{module}.{name}", NOTE: "redacted"}
        if code in (_PYDANTIC_2, _PYDANTIC_1, _KEYWORD):
            if isinstance(content, dict):
                return tagged(module, name, content)
            return {TYPE: f"{module}.{name}", ARGS: [content]}
        if code == _POSITIONAL:
            if (module, name) == ("langgraph.types", "Send"):
                return {TYPE: "langgraph.types.Send", "node": content[0], "arg": content[1]}
            return _positional(str(module), str(name), list(content))
        if name in _COLLECTIONS and isinstance(content, list):
            return {TYPE: f"{module}.{name}", "items": content}
        return {TYPE: f"{module}.{name}", "value": content}


class Extension:
    """A msgpack extension object left closed: telling a thread's status needs none of its messages."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


def array_form(dtype: str, shape: list[int], order: str, buffer: bytes) -> dict[str, Inert]:
    """The inert form of a numpy array: its first elements, and a digest of all its bytes."""
    preview: list[Inert] | None = None
    if (letter := _NUMPY_FORMATS.get(dtype[1:])) is not None:
        count = min(NUMPY_PREVIEW, len(buffer) // struct.calcsize("=" + letter))
        layout = (">" if dtype[0] == ">" else "<") + letter * count
        preview = list(struct.unpack_from(layout, buffer))
    return {
        TYPE: "numpy.ndarray",
        "dtype": dtype,
        "shape": shape,
        "order": order,
        "nbytes": len(buffer),
        "digest": xxhash.xxh3_64_hexdigest(buffer),
        "preview": preview,
    }


def _unpack(data: bytes, hook: Callable[[int, bytes], Inert]) -> Inert:
    return ormsgpack.unpackb(data, ext_hook=hook, option=_OPTIONS)


def _positional(module: str, name: str, args: list[Inert]) -> dict[str, Inert]:
    """Objects packed as positional arguments; the well-known ones get a readable value."""
    if module == "pathlib" and args and all(isinstance(part, str) for part in args):
        root, rest = (args[0], args[1:]) if args[0].endswith("/") else ("", args)
        return {TYPE: f"{module}.{name}", "value": root + "/".join(rest)}
    if (module, name) == ("re", "compile") and len(args) == 2:
        return {TYPE: "re.Pattern", "pattern": args[0], "flags": args[1]}
    if module == "datetime" and len(args) == 3 and all(isinstance(part, int) for part in args):
        if name == "date":
            return {TYPE: "datetime.date", "value": f"{args[0]:04}-{args[1]:02}-{args[2]:02}"}
        return {TYPE: f"{module}.{name}", "days": args[0], "seconds": args[1], "microseconds": args[2]}
    return {TYPE: f"{module}.{name}", ARGS: args}


def _open_envelope(envelope: dict[str, Inert]) -> Inert:
    if envelope.get("lc") not in (1, 2) or not isinstance(envelope.get("id"), list) or not envelope["id"]:
        return envelope
    *module, name = (str(part) for part in envelope["id"])
    path = ".".join(module)
    if envelope.get("type") == "secret" or name in _SECRETS:
        return {TYPE: f"{path}.{name}" if path else name, NOTE: "redacted"}
    if envelope.get("type") == "not_implemented":
        return {TYPE: f"{path}.{name}", NOTE: "not serialized", "repr": envelope.get("repr")}
    if envelope.get("type") != "constructor":
        return envelope
    fields, args = envelope.get("kwargs"), envelope.get("args")
    if module[:2] == ["langchain", "schema"]:  # lc=1 ids name where the class once lived
        path = "langchain_core.messages"
    value = tagged(path, name, fields if isinstance(fields, dict) else {})
    if args:
        if len(args) == 1 and name in _COLLECTIONS and isinstance(args[0], list):
            value["items"] = args[0]
        elif len(args) == 1 and not fields:
            value["value"] = args[0]
        else:
            value[ARGS] = args
    return value


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:160]
