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
_FIELDS: Final[dict[str, Fields]] = {
    "HumanMessage": _BASE,
    "SystemMessage": _BASE,
    "AIMessage": _AI,
    "AIMessageChunk": _AI,
    "ToolMessage": _TOOL,
}
"""The recorded fields of LangChain's own classes, the id first; other messages are encoded every time."""

_NO_DICT: Final[dict[str, Any]] = {}
_NO_LIST: Final[list[Any]] = []

Known = tuple[Any, Fields, tuple[Any, ...], bytes, bytes]
"""A message, the getter of its recorded fields, their snapshot, its JSON without and with the id."""

Encode = Callable[[Any], bytes]
"""Gives the JSON of a message without its id."""


class _KnownList:
    """A list of messages and its JSON."""

    __slots__ = ("getters", "json", "messages", "snapshots")

    def __init__(self, messages: list[Any], known: list[Known], json: bytes) -> None:
        self.messages = messages
        self.getters = [entry[1] for entry in known]
        self.snapshots = [entry[2] for entry in known]
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
        start = 0
        if best is not None and _is_unchanged(best, messages):
            start = len(best.messages)
            if start == count:
                return best.json
        entries = [self._known(message, encode) for message in messages[start:]]
        json = b",".join([entry[4] for entry in entries])
        json = b"".join((best.json[:-1], b",", json, b"]")) if start and best is not None else b"[" + json + b"]"
        if all([entry[2] for entry in entries]):  # noqa: C419 - a list is faster than a generator
            grown = _KnownList(list(messages), entries, json)
            if start and best is not None:
                grown.getters = best.getters + grown.getters
                grown.snapshots = best.snapshots + grown.snapshots
            self._lists = [grown, *self._lists[: _LISTS - 1]]
        return json

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
        body = encode(message)
        values = message.__dict__
        json = _with_id(body, values["id"])
        fields = _FIELDS.get(type(message).__name__)
        if fields is None:
            return (message, _BASE, (), body, json)
        try:
            entry = (message, fields, _snapshot(fields(values)), body, json)
        except (TypeError, KeyError):
            return (message, fields, (), body, json)
        if len(self._new) >= _GENERATION:
            self._old, self._new = self._new, {}
        self._new[key] = entry
        return entry


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


def _snapshot(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, containers as copies. Raises TypeError for what is not plain data."""
    copies: list[Any] = []
    for value in values:
        if value is None or type(value) is str:
            copies.append(value)
        elif value == _NO_DICT:
            copies.append(_NO_DICT)
        elif value == _NO_LIST:
            copies.append(_NO_LIST)
        else:
            copies.append(_copy(value, 0))
    return tuple(copies)


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
