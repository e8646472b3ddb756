"""Chat messages as JSON, encoded once per trace, however many spans they travel through.

A message is known again by identity and by a snapshot of the fields that are recorded: immutable values compare by
identity, containers by equality with a copy, so that a message changed in place is encoded anew. The memo holds the
messages it knows, so an identity is never used again while it is remembered.
"""

from collections.abc import Callable
from operator import is_, itemgetter
from typing import Any, Final

import orjson

_GENERATION: Final = 1_024
"""Messages remembered before the older half is forgotten."""
_WORTH_A_LIST: Final = 6
"""Messages from which a list is remembered as one."""
_LISTS: Final = 4
"""Lists of messages remembered."""

Fields = Callable[[dict[str, Any]], tuple[Any, ...]]

_BASE: Final = itemgetter("id", "content", "name", "additional_kwargs")
_AI: Final = itemgetter(
    "id", "content", "name", "additional_kwargs", "tool_calls", "invalid_tool_calls", "usage_metadata"
)
_TOOL: Final = itemgetter("id", "content", "name", "additional_kwargs", "tool_call_id", "status")
_CLASSES: Final[dict[str, Fields]] = {
    "HumanMessage": _BASE,
    "SystemMessage": _BASE,
    "AIMessage": _AI,
    "AIMessageChunk": _AI,
    "ToolMessage": _TOOL,
}
"""The recorded fields of LangChain's own classes, the id first; other messages are encoded every time."""
_fields: dict[type, Fields | None] = {}
_MAX_CLASSES: Final = 1_024

_NO_DICT: Final[dict[str, Any]] = {}
_NO_LIST: Final[list[Any]] = []
_PLAIN_CONTENT: Final = 1_000_000
"""Characters up to which a text is taken without a second look."""

Short = dict[str, Any]
Encode = Callable[[Any], Short]
"""Gives what to record of a message as what orjson takes, without the id."""

Known = tuple[Any, Fields, tuple[Any, ...], bytes, bytes]
"""A message, the getter of its recorded fields, their snapshot, its JSON without and with the id."""


class _KnownList:
    """A list of messages and its JSON."""

    __slots__ = ("getters", "json", "messages", "snapshots")

    def __init__(self, messages: list[Any], getters: list[Fields], snapshots: list[Any], json: bytes) -> None:
        self.messages = messages
        self.getters = getters
        self.snapshots = snapshots
        self.json = json


class Memo:
    """The messages of one trace."""

    __slots__ = ("_lists", "_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, Known] = {}
        self._old: dict[int, Known] = {}
        self._lists: list[_KnownList] = []

    def message(self, message: Any, encode: Encode) -> bytes:
        """The JSON of one message."""
        return self._known(message, encode)[4]

    def messages(self, messages: list[Any], encode: Encode) -> bytes:
        """The JSON of a list of messages. A list that grew costs what was added to it."""
        count = len(messages)
        if count < _WORTH_A_LIST:
            return b"[" + b",".join([self._known(message, encode)[4] for message in messages]) + b"]"
        best: _KnownList | None = None
        for entry in self._lists:
            known = entry.messages
            length = len(known)
            if (
                length <= count
                and known[-1] is messages[length - 1]
                and known[0] is messages[0]
                and (best is None or length > len(best.messages))
            ):
                best = entry
        if best is None or not _is_unchanged(best, messages):
            return self._all(messages, encode)
        start = len(best.messages)
        if start == count:
            return best.json
        entries = [self._known(message, encode) for message in messages[start:]]
        json = b"".join((best.json[:-1], b",", b",".join([entry[4] for entry in entries]), b"]"))
        snapshots = [entry[2] for entry in entries]
        if all(snapshots):
            getters = best.getters + [entry[1] for entry in entries]
            self._remember(_KnownList(list(messages), getters, best.snapshots + snapshots, json))
        return json

    def _all(self, messages: list[Any], encode: Encode) -> bytes:
        """A list of which nothing is known: encoded in one piece."""
        getters, snapshots, shorts = [], [], []
        for message in messages:
            fields, snapshot, short = _look(message)
            if short is None:
                short = encode(message)
            if identity := message.__dict__["id"]:
                short["id"] = identity
            getters.append(fields)
            snapshots.append(snapshot)
            shorts.append(short)
        json = orjson.dumps(shorts)
        if all(snapshots):
            self._remember(_KnownList(list(messages), getters, snapshots, json))
        return json

    def _remember(self, entry: _KnownList) -> None:
        self._lists = [entry, *self._lists[: _LISTS - 1]]

    def _known(self, message: Any, encode: Encode) -> Known:
        key = id(message)
        entry = self._new.get(key) or self._old.get(key)
        if entry is not None:
            now = entry[1](message.__dict__)
            snapshot = entry[2]
            if snapshot == now:
                return entry
            if snapshot[1:] == now[1:]:
                # LangGraph gives messages their ids when it first puts them into a state.
                entry = (message, entry[1], (now[0], *snapshot[1:]), entry[3], _with_id(entry[3], now[0]))
                self._new[key] = entry
                return entry
        fields, snapshot, short = _look(message)
        body = orjson.dumps(encode(message) if short is None else short)
        entry = (message, fields, snapshot, body, _with_id(body, message.__dict__["id"]))
        if snapshot:
            if len(self._new) >= _GENERATION:
                self._old, self._new = self._new, {}
            self._new[key] = entry
        return entry


def _look(message: Any) -> tuple[Fields, tuple[Any, ...], Short | None]:
    """The getter of a message's fields, their snapshot (empty when it cannot be known again), and, for the many
    messages that are a text and nothing else, what to record."""
    kind = type(message)
    fields = _fields[kind] if kind in _fields else _learn(kind)
    if fields is None:
        return _BASE, (), None
    known = message.__dict__
    values = fields(known)
    content = values[1]
    if type(content) is str and values[2] is None and not values[3] and len(content) < _PLAIN_CONTENT:
        if fields is _BASE:
            return fields, (values[0], content, None, _NO_DICT), {"type": known["type"], "content": content}
        if fields is _AI and not values[4] and not values[5] and values[6] is None:
            snapshot = (values[0], content, None, _NO_DICT, _NO_LIST, _NO_LIST, None)
            return fields, snapshot, {"type": known["type"], "content": content}
    try:
        return fields, tuple([_copy(value, 0) for value in values]), None
    except TypeError:
        return fields, (), None


def _learn(kind: type) -> Fields | None:
    fields = _CLASSES.get(kind.__name__) if kind.__module__.startswith("langchain_core.messages.") else None
    if len(_fields) >= _MAX_CLASSES:
        _fields.clear()
    _fields[kind] = fields
    return fields


def _with_id(body: bytes, identity: Any) -> bytes:
    if not identity:
        return body
    return b"".join((body[:-1], b',"id":', orjson.dumps(identity), b"}"))


def _is_unchanged(entry: _KnownList, messages: list[Any]) -> bool:
    """Whether the messages known are the first of the list, and none of them has changed."""
    if not all(map(is_, entry.messages, messages)):
        return False
    try:
        return [get(message.__dict__) for get, message in zip(entry.getters, messages, strict=False)] == entry.snapshots
    except KeyError:
        return False


def _copy(value: Any, depth: int) -> Any:
    """A copy of plain data that compares equal until the original changes. Raises TypeError for anything else."""
    kind = type(value)
    if kind is str or value is None or kind is int or kind is float or kind is bool:
        return value
    if depth > 8:
        raise TypeError
    if kind is dict:
        return {key: _copy(item, depth + 1) for key, item in value.items()} if value else {}
    if kind is list:
        return [_copy(item, depth + 1) for item in value] if value else []
    raise TypeError
