"""What a stored object becomes: plain values that say what it was, and do nothing.

A tagged object is a dict, `{"__type__": "module.Class", ...fields}`; a message keeps LangChain's own fields (`type`,
`content`, `id`, `tool_calls`, ...) and loses only its Python class.
"""

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import xxhash

Inert: TypeAlias = Any
"""None, bool, int, float, str, bytes, and lists and dicts of them. Shared between steps: never change one in place."""

TYPE = "__type__"
NOTE = "__note__"
ARGS = "__args__"

SECRETS = frozenset({"SecretStr", "SecretBytes", "Secret"})
"""Classes whose content is left out."""
COLLECTIONS = frozenset({"set", "frozenset", "deque"})
# No sets: a dict of the application's own may have a list where objects have their tag.
UNORDERED = ("builtins.set", "builtins.frozenset")
"""Tags of values whose items have no order: each process writes them in another one."""
CLOSED = ("__undecodable__", "__opaque__", "__encrypted__")
"""Tags of what stands for a blob that is not opened."""
PATH_MODULES = ("pathlib", "pathlib._local")
"""Where the classes of paths live; the second in Python 3.13 alone."""
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


def undecodable(reason: str, size: int) -> dict[str, Inert]:
    """What stands for a blob that cannot be read: the reason and its size in bytes."""
    return {TYPE: "__undecodable__", NOTE: reason, "nbytes": size}


def is_opaque(value: Inert) -> bool:
    """Whether a value stands for a blob whose content is not known: pickled, encrypted, too large or broken."""
    return isinstance(value, dict) and value.get(TYPE) in CLOSED


def closed(value: Inert) -> str | None:
    """What stands for a value that is not known, in words; None for one that is."""
    if not is_opaque(value):
        return None
    match value[TYPE]:
        case "__encrypted__":
            why = "encrypted"
        case "__opaque__":
            why = "pickled" if value.get("encoding") == "pickle" else "in an encoding that is never opened"
        case _:
            why = f"cannot be read: {str(value.get(NOTE))[:200]}"
    size = value.get("nbytes")  # the data itself may be a dict of this shape
    return f"({why}, {size:,} bytes)" if type(size) is int else f"({why})"


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


def positional(module: str, name: str, args: list[Inert]) -> dict[str, Inert]:
    """Objects packed as positional arguments; the well-known ones get a readable value."""
    if module in PATH_MODULES and all(isinstance(part, str) for part in args):
        root, rest = (args[0], args[1:]) if args and args[0].endswith("/") else ("", args)
        return {TYPE: f"pathlib.{name}", "value": root + "/".join(rest) or "."}
    if (module, name) == ("re", "compile") and len(args) == 2:
        return {TYPE: "re.Pattern", "pattern": args[0], "flags": args[1]}
    if module == "datetime" and len(args) == 3 and all(isinstance(part, int) for part in args):
        if name == "date":
            return {TYPE: "datetime.date", "value": f"{args[0]:04}-{args[1]:02}-{args[2]:02}"}
        return {TYPE: f"{module}.{name}", "days": args[0], "seconds": args[1], "microseconds": args[2]}
    return {TYPE: f"{module}.{name}", ARGS: args}


def open_envelope(envelope: dict[str, Inert]) -> Inert:
    """What an "lc" envelope of LangChain's JSON holds; any other object is given back as it is."""
    if envelope.get("lc") not in (1, 2) or not isinstance(envelope.get("id"), list) or not envelope["id"]:
        return envelope
    *module, name = (str(part) for part in envelope["id"])
    path = ".".join(module)
    if envelope.get("type") == "secret" or name in SECRETS:
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
        if len(args) == 1 and name in COLLECTIONS and isinstance(args[0], list):
            value["items"] = args[0]
        elif len(args) == 1 and not fields:
            value["value"] = args[0]
        else:
            value[ARGS] = args
    return value
