"""Payloads: any Python value to one bounded JSON value, fast and total.

The fast path opens objects level by level, sets in the JSON of chat messages from the memo of the trace, and gives the
rest to orjson. On its way it looks at every key; what may hold a secret, what is cyclic, too deep or too large, and
what orjson refuses takes the careful walk of ``plain``.
"""

import hashlib
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NamedTuple

import orjson

from flightlog.payloads.capture import Mode
from flightlog.payloads.memo import Memo, NotAMessage, NotPlain
from flightlog.payloads.messages import HASH_LIMIT, blocks, worth_keeping
from flightlog.payloads.plain import MAX_DEPTH, Walk, convert, is_message, type_name
from flightlog.payloads.redaction import Redactor
from flightlog.span import Truncation
from flightlog.truncation import shorten

MAX_STRING: Final = 16 * 1024 * 1024
"""Characters of a string above which it is cut before it is encoded at all."""
MAX_WEIGHT: Final = MAX_STRING
"""What the fast path takes in one payload, about its bytes: an object that is in many places is encoded in each, so
that eight lists of ten times the same list, each in the next, are a hundred million values."""
NODE_WEIGHT: Final = 64
"""What one value in a container counts."""
LONG_STRING: Final = 1_024
"""Characters above which a string counts by itself."""

Left = list[int]
"""How much of MAX_WEIGHT is left, as its only item."""

_SCALARS: Final = frozenset((str, int, float, bool, type(None)))
_UNREDACTED: Final = Redactor(None)
_PLAIN_ONLY: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_MANY: Final = 64
"""Rows from which a list is taken in one piece rather than looked through."""
_MAX_NAMES: Final = 4_096
_COPIED_DEPTH: Final = 8
"""Levels of what a message holds up to which it is known again."""


class Payload(NamedTuple):
    """The JSON text of one field, and what was cut from it."""

    json: bytes
    truncation: Truncation | None = None


class PayloadEncoder:
    """Encodes the payloads of one tracer."""

    def __init__(self, redactor: Redactor, max_field_bytes: int) -> None:
        self._redactor = redactor
        self.max_field_bytes: Final = max_field_bytes
        self.walks_all: Final = bool(redactor.patterns or redactor.callables)
        """Whether a rule may hide something in any text, and not only under a key."""
        self._known_first = frozenset() if redactor.hides("messages") else _message_kinds
        self._harmless: set[str] = set()
        """Keys that no rule hides, as far as met."""

    def quick(self, value: Any, memo: Memo) -> bytes | None:
        """The JSON of a value that needs no care, of any size, or None."""
        if self.walks_all:
            return None
        try:
            if type(value) is dict:
                # Messages alone, as in most states and every call of a model.
                messages = value.get("messages")
                if len(value) == 1 and type(messages) is list and messages and type(messages[0]) in self._known_first:
                    return b'{"messages":%b}' % memo.messages(messages, self)
                return orjson.dumps(self._prepare_dict(value, memo, 0, [MAX_WEIGHT]))
            elif type(value) in _message_kinds:
                return memo.message(value, self)
            return orjson.dumps(self._prepare(value, memo, 0, [MAX_WEIGHT]))
        except (_Careful, NotAMessage, TypeError, ValueError, RuntimeError, AttributeError, KeyError):
            return None

    def encode(self, field: str, value: Any, mode: Mode = "all", quick: bytes | None = None) -> Payload:
        """The JSON of any value, redacted and bounded; ``quick`` is what the quick path made of it.

        Raises what a redaction rule raises: the caller drops the field.
        """
        json = self.careful(field, value) if quick is None else quick
        if mode == "metadata":
            return Payload(orjson.dumps({"type": type_name(type(value)), **_measure(json)}))
        if len(json) <= self.max_field_bytes:
            return Payload(json)
        # Media that were given as plain data become chips before anything is cut.
        tree = Walk(_UNREDACTED, MAX_STRING).value(orjson.loads(json)) if b"data:" in json else orjson.loads(json)
        return Payload(shorten(tree, self.max_field_bytes), _measure(json))

    def careful(self, field: str, value: Any) -> bytes:
        """The JSON of any value, redacted. Raises what a redaction rule raises."""
        tree = Walk(self._redactor, MAX_STRING).value(value)
        if self._redactor.callables:
            tree = Walk(_UNREDACTED, MAX_STRING).value(self._redactor.payload(field, tree))
        return orjson.dumps(tree)

    def _prepare(self, value: Any, memo: Memo, depth: int, left: Left) -> Any:
        """The value as what orjson takes, sharing what needs no change. Raises _Careful."""
        kind = type(value)
        if kind in _SCALARS:
            if kind is str and len(value) > LONG_STRING:
                self._spend(left, len(value))
            return value
        if depth > MAX_DEPTH:
            raise _Careful
        if kind is dict:
            return self._prepare_dict(value, memo, depth, left)
        if kind is list or kind is tuple:
            return self._prepare_list(value, memo, depth, left) if value else value
        if kind in _message_kinds or _learn(kind):
            message = memo.message(value, self)
            self._spend(left, len(message))
            return orjson.Fragment(message)
        return self._prepare(convert(value), memo, depth + 1, left)

    def _prepare_dict(self, value: dict[Any, Any], memo: Memo, depth: int, left: Left) -> dict[Any, Any]:
        if not self._harmless.issuperset(value):
            self._learn_keys(value)
        left[0] -= len(value) * NODE_WEIGHT
        if left[0] < 0:
            raise _Careful
        changed: dict[Any, Any] | None = None
        for key, item in value.items():
            kind = type(item)
            if kind is str:
                if len(item) > LONG_STRING:
                    self._spend(left, len(item))
            elif kind is list and item and type(item[0]) in _message_kinds:
                # Most of what is recorded; a list of something else as well comes back from the memo.
                try:
                    json = memo.messages(item, self)
                    self._spend(left, len(json))
                    prepared: Any = orjson.Fragment(json)
                except NotAMessage:
                    prepared = self._prepare_list(item, memo, depth + 1, left)
                if changed is None:
                    changed = dict(value)
                changed[key] = prepared
            elif kind not in _SCALARS:
                prepared = self._prepare(item, memo, depth + 1, left)
                if prepared is not item:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = prepared
        return value if changed is None else changed

    def _prepare_list(self, value: list[Any] | tuple[Any, ...], memo: Memo, depth: int, left: Left) -> Any:
        self._spend(left, len(value) * NODE_WEIGHT)
        kinds = set(map(type, value))
        if kinds <= _SCALARS:
            if str in kinds:
                self._spend(left, sum([len(item) for item in value if type(item) is str]))
            return value
        if kinds <= _message_kinds or all(_learn(kind) for kind in kinds):
            messages = memo.messages(value if type(value) is list else list(value), self)
            self._spend(left, len(messages))
            return orjson.Fragment(messages)
        if len(value) >= _MANY and kinds == {dict} and (table := self._plain_table(value, left)) is not None:
            return orjson.Fragment(table)
        return [self._prepare(item, memo, depth + 1, left) for item in value]

    def _plain_table(self, rows: Any, left: Left) -> bytes | None:
        """Many rows of plain values in one piece, or None when one of them is more than that."""
        values = list(chain.from_iterable(map(dict.values, rows)))
        if not _SCALARS.issuperset(map(type, values)):
            return None
        self._spend(left, len(values) * NODE_WEIGHT + sum(map(len, filter(str.__instancecheck__, values))))
        json = orjson.dumps(rows, option=_PLAIN_ONLY)
        return None if self._redactor.may_be_in(json) else json

    def _spend(self, left: Left, weight: int) -> None:
        """What was met of one payload. Raises _Careful when it is too much."""
        left[0] -= weight
        if left[0] < 0:
            raise _Careful

    def _learn_keys(self, value: dict[Any, Any]) -> None:
        for key in value:
            if key not in self._harmless:
                if type(key) is not str or self._redactor.hides(key):
                    raise _Careful
                if len(self._harmless) >= _MAX_NAMES:  # an application that makes keys without end must not grow us
                    self._harmless = set()
                self._harmless.add(key)

    def message(self, message: Any) -> dict[str, Any]:
        """What to record of one message without its id, as what orjson takes. Raises _Careful and NotAMessage."""
        kind = type(message)
        if kind not in _message_kinds and not _learn(kind):
            raise NotAMessage
        fields = message.__dict__
        content = fields["content"]
        if type(content) is not str:
            content = self._prepare(blocks(content), _no_memo, 1, [MAX_WEIGHT])
        elif len(content) > MAX_STRING:
            raise _Careful
        short = {"type": fields["type"], "content": content}
        for name, value in worth_keeping(fields).items():
            short[name] = value if type(value) is str else self._prepare(value, _no_memo, 1, [MAX_WEIGHT])
        return short

    def plain_copy(self, value: Any) -> Any:
        """A copy of plain data that may be recorded as it is; long texts are shared. Raises _Careful and NotPlain."""
        return self._copy(value, 0, [MAX_WEIGHT]) if type(value) not in _SCALARS else value

    def _copy(self, value: Any, depth: int, left: Left) -> Any:
        kind = type(value)
        if (kind is not dict and kind is not list) or depth > _COPIED_DEPTH:
            raise NotPlain
        left[0] -= len(value) * NODE_WEIGHT
        if left[0] < 0:
            raise NotPlain
        copy = value.copy()
        places: Iterable[tuple[Any, Any]] = enumerate(copy) if kind is list else copy.items()
        if kind is dict and not self._harmless.issuperset(copy):
            self._learn_keys(copy)
        for place, item in places:
            kind = type(item)
            if kind is str:
                if len(item) > LONG_STRING:
                    left[0] -= len(item)
            elif kind not in _SCALARS:
                copy[place] = self._copy(item, depth + 1, left)
        if left[0] < 0:
            raise NotPlain
        return copy


class _Careful(Exception):
    """The fast path meets what it must not decide."""


_no_memo: Final = Memo()
_message_kinds: set[type] = set()
_other_kinds: set[type] = set()


def _learn(kind: type) -> bool:
    """Whether a class is one of messages; remembered."""
    if kind in _message_kinds:
        return True
    if kind in _other_kinds:
        return False
    kinds = _message_kinds if is_message(kind) else _other_kinds
    if len(kinds) >= _MAX_NAMES:
        kinds.clear()
    kinds.add(kind)
    return kinds is _message_kinds


def is_flat(value: dict[str, Any]) -> bool:
    """Whether a dict holds nothing that can change inside."""
    return _SCALARS.issuperset(map(type, value.values()))


def _measure(json: bytes) -> Truncation:
    if len(json) <= HASH_LIMIT:
        return {"bytes": len(json), "sha256": hashlib.sha256(json).hexdigest()}
    return {"bytes": len(json)}
