"""Chat messages as JSON, encoded once per trace, however many spans they travel through.

A message is known again by identity and by a snapshot of the fields that are recorded: immutable values compare by
identity, containers by equality with a copy, so that a message changed in place is encoded anew. The memo holds the
messages it knows, so an identity is never used again while it is remembered.
"""

from collections.abc import Callable
from operator import add, attrgetter, call, is_, itemgetter
from typing import Any, Final, NamedTuple

import orjson

_GENERATION: Final = 1_024
"""Messages remembered before the older half is forgotten."""
_WORTH_A_LIST: Final = 2
"""Messages from which a list is remembered as one."""
_LISTS: Final = 4
"""Lists of messages remembered."""
_PLAIN_CONTENT: Final = 1_000_000
"""Characters up to which a text is taken without a second look."""
_MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one list of messages."""
_MAX_CLASSES: Final = 1_024

_SCALARS: Final = frozenset((str, int, float, bool, type(None)))
_EXACTLY: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""Refuse what does not come back from JSON as it was."""

Values = tuple[Any, ...]
Short = dict[str, Any]
Encode = Callable[[Any, Short | None], Short]
"""Gives what to record of a message as what orjson takes, without the id; the second argument is what it has beside
type, content and id, if that is known. Raises NotAMessage."""


class TooMuch(ValueError):
    """One message is in so many places that what stands there is not to be encoded as it is."""


class NotAMessage(Exception):
    """Among messages there is something else."""


class Form(NamedTuple):
    """The recorded fields of one of LangChain's own classes; other messages are encoded every time."""

    values: Callable[[dict[str, Any]], Values]
    """Takes them from the instance dictionary: the id, the content, the others."""
    others: tuple[str, ...]
    empty: Values
    """What the others are in a message that is a text and nothing else."""


def _form(*others: str, empty: Values) -> Form:
    return Form(itemgetter("id", "content", *others), others, empty)


_BASE: Final = _form("name", "additional_kwargs", empty=(None, {}))
_AI: Final = _form(
    "name",
    "additional_kwargs",
    "tool_calls",
    "invalid_tool_calls",
    "usage_metadata",
    empty=(None, {}, [], [], None),
)
_TOOL: Final = _form("name", "additional_kwargs", "tool_call_id", "status", empty=(None, {}, "", ""))
_FORMS: Final = {
    "HumanMessage": _BASE,
    "SystemMessage": _BASE,
    "AIMessage": _AI,
    "AIMessageChunk": _AI,
    "ToolMessage": _TOOL,
}
_forms: dict[type, Form | None] = {}
_dictionary: Final = attrgetter("__dict__")
_id: Final = itemgetter(0)
_all_but_id: Final = itemgetter(slice(1, None))
_id_and_content: Final = itemgetter(slice(None, 2))
_others: Final = itemgetter(slice(2, None))
_ONLY_TEXT: Final = {str}


class Known(NamedTuple):
    """A message and its JSON."""

    message: Any
    values: Callable[[dict[str, Any]], Values]
    snapshot: Values
    """The recorded values as they were, the id first; empty when the message cannot be known again."""
    body: bytes
    """The JSON without the id."""
    json: bytes


class _KnownList:
    """A list of messages and its JSON."""

    __slots__ = ("getters", "json", "messages", "shorts", "snapshots")

    def __init__(
        self, messages: list[Any], getters: list[Any], snapshots: list[Values], json: bytes, shorts: list[Short] | None
    ) -> None:
        self.messages = messages
        self.getters = getters
        self.snapshots = snapshots
        self.json = json
        self.shorts = shorts
        """What was encoded, as long as messages may be given their ids yet."""

    def is_start_of(self, messages: list[Any], encode: Encode) -> bool:
        """Whether these are the first of the messages, and none of them has changed.

        All that is done for each message is done in C: a tenth of a microsecond.
        """
        if not all(map(is_, self.messages, messages)):
            return False
        try:
            now = list(map(call, self.getters, map(_dictionary, self.messages)))
        except KeyError:
            return False
        return now == self.snapshots or (self.shorts is not None and self._have_ids_now(now, self.shorts))

    def _have_ids_now(self, now: list[Values], shorts: list[Short]) -> bool:
        """LangGraph gives messages their ids when it first puts them into a state; all else is the same then."""
        kept = list(map(_all_but_id, self.snapshots))
        if list(map(_all_but_id, now)) != kept:
            return False
        ids = list(map(_id, now))
        _set_ids(shorts, ids)
        self.snapshots = [(identity, *rest) for identity, rest in zip(ids, kept, strict=True)]
        self.json = orjson.dumps(shorts)
        self.shorts = None
        return True


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
            known = self._new
            pieces = []
            for message in messages:
                entry = known.get(id(message))
                if entry is None or entry[1](message.__dict__) != entry[2]:
                    entry = self._known(message, encode)
                pieces.append(entry[4])
            return _array(pieces)
        best = self._longest_start(messages, count)
        if best is None or not best.is_start_of(messages, encode):
            return self._all(messages, encode)
        start = len(best.messages)
        if start == count:
            return best.json
        entries = [self._known(message, encode) for message in messages[start:]]
        json = b"%b,%b" % (best.json[:-1], _array([entry[4] for entry in entries])[1:])
        snapshots = [entry[2] for entry in entries]
        if all(snapshots):
            getters = best.getters + [entry[1] for entry in entries]
            self._remember(_KnownList(list(messages), getters, best.snapshots + snapshots, json, None))
        return json

    def _longest_start(self, messages: list[Any], count: int) -> _KnownList | None:
        """The longest list known that seems to be the start of this one."""
        best: _KnownList | None = None
        longest = 0
        for entry in self._lists:
            known = entry.messages
            length = len(known)
            if longest < length <= count and known[-1] is messages[length - 1] and known[0] is messages[0]:
                best, longest = entry, length
                if length == count:
                    break
        return best

    def _all(self, messages: list[Any], encode: Encode) -> bytes:
        """A list of which nothing is known: in one piece if its messages are texts that have not been met either."""
        texts = None if id(messages[0]) in self._new else _texts(messages)
        shorts: list[Short] | None = None
        if texts is not None:
            getters, snapshots, shorts = texts
            json = orjson.dumps(shorts)
            if None not in map(_id, snapshots):
                shorts = None
        else:
            entries, size = [], 0
            for message in messages:
                entry = self._known(message, encode)
                size += len(entry[4])
                if size > _MAX_BYTES:
                    raise TooMuch
                entries.append(entry)
            getters, snapshots = [entry[1] for entry in entries], [entry[2] for entry in entries]
            json = _array([entry[4] for entry in entries])
        if all(snapshots):
            self._remember(_KnownList(list(messages), getters, snapshots, json, shorts))
        return json

    def _remember(self, entry: _KnownList) -> None:
        self._lists = [entry, *self._lists[: _LISTS - 1]]

    def _known(self, message: Any, encode: Encode) -> Known:
        key = id(message)
        entry = self._new.get(key) or self._old.get(key)
        if entry is not None:
            now = entry.values(message.__dict__)
            if entry.snapshot == now:
                return entry
            if entry.snapshot[1:] == now[1:]:
                # LangGraph gives messages their ids when it first puts them into a state.
                snapshot = (now[0], *entry.snapshot[1:])
                entry = Known(message, entry.values, snapshot, entry.body, _with_id(entry.body, now[0]))
                self._new[key] = entry
                return entry
        values, snapshot, short = _look(message, encode)
        body = orjson.dumps(short)
        entry = Known(message, values, snapshot, body, _with_id(body, message.__dict__["id"]))
        if snapshot:
            if len(self._new) >= _GENERATION:
                self._old, self._new = self._new, {}
            self._new[key] = entry
        return entry


def _texts(messages: list[Any]) -> tuple[list[Any], list[Values], list[Short]] | None:
    """The getters, snapshots and what to record of messages that are texts and nothing else; None when one is more.

    What is done for each message is done in C, as far as can be: a third of the time of ``_look``. Raises TooMuch.
    """
    forms: list[Any] = list(map(_forms.get, map(type, messages)))
    if None in forms:
        return None
    getters = list(map(itemgetter(0), forms))
    dictionaries = list(map(_dictionary, messages))
    values = list(map(call, getters, dictionaries))
    empty = list(map(itemgetter(2), forms))
    contents = list(map(itemgetter(1), values))
    if (
        list(map(_others, values)) != empty
        or set(map(type, contents)) != _ONLY_TEXT
        or max(map(len, contents)) >= _PLAIN_CONTENT
    ):
        return None
    if sum(map(len, contents)) > _MAX_BYTES:
        raise TooMuch
    snapshots = list(map(add, map(_id_and_content, values), empty))
    if all(map(_id, values)):
        return getters, snapshots, [{"type": d["type"], "content": d["content"], "id": d["id"]} for d in dictionaries]
    shorts: list[Short] = [{"type": d["type"], "content": d["content"]} for d in dictionaries]
    _set_ids(shorts, list(map(_id, values)))
    return getters, snapshots, shorts


def _look(message: Any, encode: Encode) -> tuple[Callable[[dict[str, Any]], Values], Values, Short]:
    """The getter of a message's values, their snapshot (empty when it cannot be known again), and what to record."""
    kind = type(message)
    form = _forms[kind] if kind in _forms else _learn(kind)
    if form is None:
        return _BASE.values, (), encode(message, None)
    known = message.__dict__
    values = form.values(known)
    content, others = values[1], values[2:]
    is_text = type(content) is str and len(content) < _PLAIN_CONTENT
    if is_text and not any(others):
        return form.values, (values[0], content, *form.empty), {"type": known["type"], "content": content}
    try:
        # What is in a message is mostly small: by way of JSON a copy of it costs a third of one made in Python.
        copies = orjson.loads(orjson.dumps(others, option=_EXACTLY))
        snapshot = (values[0], content if is_text else _copy(content, 0), *copies)
    except TypeError:
        snapshot = ()
    found = {name: value for name, value in zip(form.others, others, strict=True) if value}
    return form.values, snapshot, encode(message, found)


def _set_ids(shorts: list[Short], ids: list[Any]) -> None:
    """Set the ids of messages, last, as far as they have one."""
    for short, identity in zip(shorts, ids, strict=True):
        if identity:
            short["id"] = identity
        else:
            short.pop("id", None)


def _learn(kind: type) -> Form | None:
    form = _FORMS.get(kind.__name__) if kind.__module__.startswith("langchain_core.messages.") else None
    if len(_forms) >= _MAX_CLASSES:
        _forms.clear()
    _forms[kind] = form
    return form


def _array(pieces: list[bytes]) -> bytes:
    if sum(map(len, pieces)) > _MAX_BYTES:
        raise TooMuch
    return b"[%b]" % b",".join(pieces)


def _with_id(body: bytes, identity: Any) -> bytes:
    if not identity:
        return body
    return b'%b,"id":%b}' % (body[:-1], orjson.dumps(identity))


def _copy(value: Any, depth: int) -> Any:
    """A copy of plain data that compares equal until the original changes; long texts compare by identity.

    Raises TypeError for anything else.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth > 8:
        raise TypeError
    if kind is dict:
        return {key: _copy(item, depth + 1) for key, item in value.items()}
    if kind is list:
        return [_copy(item, depth + 1) for item in value]
    raise TypeError
