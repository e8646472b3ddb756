"""Chat messages as JSON, encoded once per trace, however many spans they travel through.

A message is known again by a snapshot of its instance dictionary, in which the containers that are recorded are
copies, so that a message changed in place is encoded anew; what is not recorded is in it as it is. The memo holds the
messages it knows, so an identity is never used again while it is remembered.
"""

from contextlib import AbstractContextManager
from itertools import repeat
from operator import attrgetter, itemgetter, or_
from threading import RLock
from typing import Any, Final, NamedTuple, Protocol

import orjson

from flightlog.payloads.messages import WHY_REFUSED, worth_keeping

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

Short = dict[str, Any]
Snapshot = dict[str, Any]


class TooMuch(ValueError):
    """One message is in so many places that what stands there is not to be encoded as it is."""


class NotAMessage(Exception):
    """Among messages there is something else."""


class NotPlain(Exception):
    """What a message holds is not plain data, or too much of it."""


class Encoder(Protocol):
    """What knows how the application's values are recorded."""

    def message(self, message: Any) -> Short:
        """What to record of a message as what orjson takes, without the id. Raises NotAMessage."""

    def plain_copy(self, value: Any) -> Any:
        """A copy of plain data that may be recorded as it is; long texts are shared. Raises NotPlain."""


_BASE: Final[Short] = {"name": None, "additional_kwargs": {}}
_AI: Final[Short] = {**_BASE, "tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None}
_FORMS: Final = {
    "HumanMessage": _BASE,
    "SystemMessage": _BASE,
    "AIMessage": _AI,
    "AIMessageChunk": _AI,
    "ToolMessage": {**_BASE, "tool_call_id": "", "status": ""},
}
"""LangChain's own classes, and what is recorded of them beside type, content and id, as it is in a message that is a
text and nothing else. Other messages are encoded every time."""
_forms: dict[type, Short | None] = {}
_dictionary: Final = attrgetter("__dict__")
_id: Final = itemgetter("id")
_content: Final = itemgetter("content")
_about: Final = itemgetter("response_metadata")
_ONLY_TEXT: Final = {str}


class Known(NamedTuple):
    """A message and its JSON."""

    message: Any
    snapshot: Snapshot
    """Empty when the message cannot be known again."""
    json: bytes


class _KnownList:
    """A list of messages and its JSON."""

    __slots__ = ("json", "messages", "shorts", "snapshots")

    def __init__(
        self, messages: list[Any], snapshots: list[Snapshot], json: bytes, shorts: list[Short] | None = None
    ) -> None:
        self.messages = messages
        self.snapshots = snapshots
        self.json = json
        self.shorts = shorts
        """What was encoded, as long as messages may be given their ids yet."""

    def is_start_of(self, messages: list[Any], lock: AbstractContextManager[Any]) -> bool:
        """Whether the first of the messages say what these said.

        All that is done for each message is done in C: a tenth of a microsecond.
        """
        count = len(self.messages)
        now = list(map(_dictionary, messages if len(messages) == count else messages[:count]))
        if self.shorts is None:
            return _are_equal(now, self.snapshots)
        with lock:
            return _are_equal(now, self.snapshots) or (self.shorts is not None and self._have_ids_now(now, self.shorts))

    def _have_ids_now(self, now: list[Snapshot], shorts: list[Short]) -> bool:
        """LangGraph gives messages their ids when it first puts them into a state; all else is the same then."""
        ids = list(map(_id, now))
        for snapshot, identity in zip(self.snapshots, ids, strict=True):
            snapshot["id"] = identity
        are_known = _are_equal(now, self.snapshots)
        if are_known:
            self.json = _with_ids(shorts, ids)
        else:
            self.snapshots = []  # more was changed than the ids: nothing is equal to this list any more
        self.shorts = None
        return are_known

    def and_then(self, messages: list[Any], more: list[Known]) -> "_KnownList":
        """The longer list: these messages and more of them."""
        json = b"".join((memoryview(self.json)[:-1], b",", _array([entry[2] for entry in more])[1:]))
        snapshots = self.snapshots if self.shorts is None else list(map(dict.copy, self.snapshots))
        return _KnownList(list(messages), snapshots + [entry[1] for entry in more], json)


class Memo:
    """The messages of one trace."""

    __slots__ = ("_lists", "_lock", "_new", "_old")

    def __init__(self) -> None:
        self._lock = RLock()
        """Held while messages are given their ids; by the thread itself too, in a signal handler in the middle."""
        self._new: dict[int, Known] = {}
        self._old: dict[int, Known] = {}
        self._lists: list[_KnownList] = []

    def message(self, message: Any, encoder: Encoder) -> bytes:
        """The JSON of one message."""
        return self._known(message, encoder)[2]

    def messages(self, messages: list[Any], encoder: Encoder) -> bytes:
        """The JSON of a list of messages. A list that grew costs what was added to it."""
        count = len(messages)
        if count < _WORTH_A_LIST:
            return _array([self._known(message, encoder)[2] for message in messages])
        best = self._longest_start(messages, count)
        if best is None or not best.is_start_of(messages, self._lock):
            return self._all(messages, encoder)
        start = len(best.messages)
        if start == count:
            return best.json
        longer = best.and_then(messages, [self._known(message, encoder) for message in messages[start:]])
        if all(longer.snapshots[start:]):
            self._remember(longer)
        return longer.json

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

    def _all(self, messages: list[Any], encoder: Encoder) -> bytes:
        """A list of which nothing is known: in one piece if its messages are texts that have not been met either."""
        texts = None if id(messages[0]) in self._new else _texts(messages)
        if texts is None:
            entries, size = [], 0
            for message in messages:
                entry = self._known(message, encoder)
                size += len(entry[2])
                if size > _MAX_BYTES:
                    raise TooMuch
                entries.append(entry)
            snapshots = [entry[1] for entry in entries]
            texts = _KnownList(list(messages), snapshots, _array([entry[2] for entry in entries]))
        if all(texts.snapshots):
            self._remember(texts)
        return texts.json

    def _remember(self, entry: _KnownList) -> None:
        self._lists = [entry, *self._lists[: _LISTS - 1]]

    def _known(self, message: Any, encoder: Encoder) -> Known:
        key = id(message)
        now = message.__dict__
        entry = self._new.get(key) or self._old.get(key)
        if entry is not None:
            _, snapshot, json = entry
            if _are_equal(now, snapshot):
                return entry
            if not snapshot["id"] and _are_equal(now, snapshot := {**snapshot, "id": now["id"]}):
                # LangGraph gives messages their ids when it first puts them into a state.
                entry = self._new[key] = Known(message, snapshot, _with_id(json, now["id"]))
                return entry
        snapshot, short = _look(message, encoder)
        if identity := now["id"]:
            short["id"] = identity
        entry = Known(message, snapshot, orjson.dumps(short))
        if snapshot:
            if len(self._new) >= _GENERATION:
                self._old, self._new = self._new, {}
            self._new[key] = entry
        return entry


def _texts(messages: list[Any]) -> _KnownList | None:
    """Messages that are texts and nothing else; None when one is more.

    What is done for each message is done in C, as far as can be: a third of the time of ``_look``. Raises TooMuch.
    """
    forms: list[Any] = list(map(_forms.get, map(type, messages)))
    if None in forms:
        return None
    now = list(map(_dictionary, messages))
    snapshots: list[Snapshot] = list(map(or_, now, forms))
    contents = list(map(_content, now))
    if snapshots != now or set(map(type, contents)) != _ONLY_TEXT:
        return None
    if any(map(dict.get, map(_about, now), repeat(WHY_REFUSED))):
        return None
    if (length := sum(map(len, contents))) >= _PLAIN_CONTENT:
        if length > _MAX_BYTES:
            raise TooMuch
        if max(map(len, contents)) >= _PLAIN_CONTENT:
            return None
    ids = list(map(_id, now))
    if all(ids):
        shorts = [{"type": d["type"], "content": d["content"], "id": d["id"]} for d in now]
        return _KnownList(list(messages), snapshots, orjson.dumps(shorts))
    shorts = [{"type": d["type"], "content": d["content"]} for d in now]
    return _KnownList(list(messages), snapshots, _with_ids(shorts, ids), shorts)


def _look(message: Any, encoder: Encoder) -> tuple[Snapshot, Short]:
    """The snapshot of a message (empty when it cannot be known again), and what to record of it."""
    kind = type(message)
    form = _forms[kind] if kind in _forms else _learn(kind)
    if form is None:
        return {}, encoder.message(message)
    now = message.__dict__
    content = now["content"]
    snapshot = now | form
    copies: Short = {}
    try:
        for name, nothing in form.items():
            value = now[name]
            if value or value != nothing:
                copies[name] = value if type(value) is str else encoder.plain_copy(value)
        if dict.get(about := now["response_metadata"], WHY_REFUSED):
            copies["response_metadata"] = encoder.plain_copy(about)  # of which a part is recorded
        snapshot.update(copies)
        if type(content) is str and len(content) < _PLAIN_CONTENT:
            return snapshot, {"type": now["type"], "content": content, **worth_keeping(copies)}
        snapshot["content"] = encoder.plain_copy(content)
    except NotPlain:
        snapshot = {}
    return snapshot, encoder.message(message)


def _are_equal(now: Any, before: Any) -> bool:
    """Whether instance dictionaries, or lists of them, are equal; where a value refuses to be compared they are not.

    What is not recorded is compared too: an array in ``artifact``, say, that was put in the place of another.
    """
    try:
        return bool(now == before)
    except Exception:
        return False


def _with_ids(shorts: list[Short], ids: list[Any]) -> bytes:
    """The JSON of messages with those ids that they have."""
    if any(ids):
        for short, identity in zip(shorts, ids, strict=True):
            if identity:
                short["id"] = identity
    return orjson.dumps(shorts)


def _learn(kind: type) -> Short | None:
    form = _FORMS.get(kind.__name__) if kind.__module__.startswith("langchain_core.messages.") else None
    if len(_forms) >= _MAX_CLASSES:
        _forms.clear()
    _forms[kind] = form
    return form


def _array(pieces: list[bytes]) -> bytes:
    if sum(map(len, pieces)) > _MAX_BYTES:
        raise TooMuch
    return b"[%b]" % b",".join(pieces)


def _with_id(json: bytes, identity: Any) -> bytes:
    return b'%b,"id":%b}' % (json[:-1], orjson.dumps(identity)) if identity else json
