"""Light fields, which are all of a record but its payloads, as pieces of JSON; and times as text."""

from typing import Any, Final

import orjson

from flightlog.payloads.plain import Walk
from flightlog.payloads.redaction import Redactor
from flightlog.span import format_time

_MAX_LIGHT: Final = 8_192
"""Characters kept of a light field that is not what it should be."""
_UNREDACTED: Final = Redactor(None)


def second_of(ns: int) -> tuple[int, bytes]:
    """The second of a time: its beginning in ns since the epoch, and ``start_time`` up to its microseconds."""
    beginning = ns // 1_000_000_000 * 1_000_000_000
    return beginning, b',"start_time":"%b' % format_time(beginning)[:-7].encode()


def light(record: dict[str, Any]) -> bytes:
    """Light fields as JSON without the last brace, whatever is in them."""
    try:
        return orjson.dumps(record)[:-1]
    except (TypeError, ValueError, RecursionError):
        walk = Walk(_UNREDACTED, _MAX_LIGHT)
        return orjson.dumps({key: _careful(value, walk) for key, value in record.items()})[:-1]


def _careful(value: Any, walk: Walk) -> Any:
    if type(value) is orjson.Fragment:
        return value
    # A text stays one: a name that is a data URL is no chip.
    return walk.text(str.__str__(value)) if isinstance(value, str) else walk.value(value)


def more(fields: dict[str, Any]) -> bytes:
    """Further light fields as JSON, to be put behind others."""
    return b"," + light(fields)[1:] if fields else b""
