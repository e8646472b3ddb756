"""Chat messages as JSON, encoded once per trace, however many spans they travel through.

A message is known again by identity and by a snapshot of the fields that are recorded: immutable values compare by
identity, containers by equality with a copy, so that a message changed in place is encoded anew. The memo holds the
messages it knows, so an identity is never used again while it is remembered.
"""

from collections.abc import Callable
from operator import is_, itemgetter
from typing import Any, Final

_GENERATION: Final = 1_024
"""Messages remembered before the older half is forgotten."""
_WORTH_A_LIST: Final = 6
"""Messages from which a list is remembered as one."""
_LISTS: Final = 4
"""Lists of messages remembered."""

Fields = Callable[[dict[str, Any]], tuple[Any, ...]]

_BASE: Final = itemgetter("content", "id", "name", "additional_kwargs")
_AI: Final = itemgetter(
    "content", "id", "name", "additional_kwargs", "tool_calls", "invalid_tool_calls", "usage_metadata"
)
_TOOL: Final = itemgetter("content", "id", "name", "additional_kwargs", "tool_call_id", "status")
_FIELDS: Final[dict[str, Fields]] = {
    "HumanMessage": _BASE,
    "SystemMessage": _BASE,
    "AIMessage": _AI,
    "AIMessageChunk": _AI,
    "ToolMessage": _TOOL,
}
"""The recorded fields of LangChain's own classes; messages of other classes are encoded every time."""


class _Known:
    """One message and its JSON."""

    __slots__ = ("fields", "json", "message", "snapshot")

    def __init__(self, message: Any, fields: Fields, snapshot: tuple[Any, ...], json: bytes) -> None:
        self.message = message
        self.fields = fields
        self.snapshot = snapshot
        self.json = json


class _KnownList:
    """A list of messages and its JSON without brackets."""

    __slots__ = ("getters", "json", "messages", "snapshots")

    def __init__(self, messages: list[Any], known: list[_Known], json: bytes) -> None:
        self.messages = messages
        self.getters = [entry.fields for entry in known]
        self.snapshots = [entry.snapshot for entry in known]
        self.json = json


class Memo:
    """The messages of one trace."""

    __slots__ = ("_lists", "_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, _Known] = {}
        self._old: dict[int, _Known] = {}
        self._lists: list[_KnownList] = []

    def message(self, message: Any, encode: Callable[[Any], bytes]) -> bytes:
        """The JSON of one message."""
        return self._known(message, encode).json

    def messages(self, messages: list[Any], encode: Callable[[Any], bytes]) -> bytes:
        """The JSON of a list of messages, brackets included. A list that grew costs what was added to it."""
        count = len(messages)
        if count < _WORTH_A_LIST:
            return b"[" + b",".join([self._known(message, encode).json for message in messages]) + b"]"
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
        if best is not None and _unchanged(best, messages):
            start = len(best.messages)
            if start == count:
                return b"[" + best.json + b"]"
        entries = [self._known(message, encode) for message in messages[start:]]
        json = b",".join([entry.json for entry in entries])
        if start and best is not None:
            json = best.json + b"," + json
        if all(entry.snapshot for entry in entries):
            grown = _KnownList(list(messages), entries, json)
            if start and best is not None:
                grown.getters = best.getters + grown.getters
                grown.snapshots = best.snapshots + grown.snapshots
            self._lists = [grown, *self._lists[: _LISTS - 1]]
        return b"[" + json + b"]"

    def _known(self, message: Any, encode: Callable[[Any], bytes]) -> _Known:
        key = id(message)
        entry = self._new.get(key) or self._old.get(key)
        if entry is not None and entry.snapshot == entry.fields(message.__dict__):
            return entry
        json = encode(message)
        fields = _FIELDS.get(type(message).__name__)
        if fields is None:
            return _Known(message, _BASE, (), json)
        try:
            snapshot = tuple([_copy(value, 0) for value in fields(message.__dict__)])
        except (TypeError, KeyError):
            return _Known(message, fields, (), json)
        entry = _Known(message, fields, snapshot, json)
        if len(self._new) >= _GENERATION:
            self._old, self._new = self._new, {}
        self._new[key] = entry
        return entry


def _unchanged(entry: _KnownList, messages: list[Any]) -> bool:
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
