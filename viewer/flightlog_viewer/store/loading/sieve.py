"""The careful look at one line: is it a span, and which of its optional fields are unusable?"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from flightlog.errors import UnreadableError
from flightlog.reader import MAX_LINE_BYTES
from flightlog.span import STATUSES, TYPES, format_time, parse_time
from flightlog.span_line import decode, flaw, is_number
from flightlog_viewer.store.columns import LIGHT, TOKEN_LIMIT

_OWN_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
"""A time as the tracer writes it, which DuckDB reads as Python does."""


class Verdict(NamedTuple):
    """What a closer look at a line found."""

    reason: str | None
    """Why the line is not a span; None when it is one."""
    record: dict[str, Any]
    """Its light fields, those of unusable value left out."""
    dropped: tuple[str, ...] = ()
    """Optional fields that were left out."""


def look(line: bytes) -> Verdict:
    """Judge one line; never raises."""
    if len(line) > MAX_LINE_BYTES:
        return Verdict(f"longer than {MAX_LINE_BYTES >> 20} MiB", {})
    try:
        record = decode(line)
    except UnreadableError as error:
        return Verdict(str(error), {})
    if not isinstance(record, dict):
        return Verdict("not a JSON object", {})
    if reason := flaw(record, TYPES, STATUSES):
        return Verdict(reason, {})
    start = record.get("start_time")
    try:
        if isinstance(start, str) and _OWN_TIME.fullmatch(start):
            datetime.fromisoformat(start)
        else:
            start = format_time(parse_time(start))
    except UnreadableError as error:
        return Verdict(str(error), {})
    except (ValueError, OverflowError):
        return Verdict("`start_time` is out of range", {})
    kept, dropped = clean(record)
    kept["start_time"] = start
    return Verdict(None, kept, dropped)


def clean(record: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The light fields of usable value, and the names of those of unusable value."""
    kept: dict[str, Any] = {}
    dropped: tuple[str, ...] = ()
    for name, value in record.items():
        kind = type(value)
        # First what nearly all values are: a hostile file has every line come through here.
        if (kind is str and name in _TEXTS) or (kind is int and name in _NUMBERS and -_SAFE < value < _SAFE):
            kept[name] = value
        elif name in _USABLE and value is not None:
            if _USABLE[name](value):
                kept[name] = value
            else:
                dropped += (name,)
    return kept, dropped


def encode(value: Any) -> bytes:
    """JSON of what ``decode`` gave: orjson's, or Python's own where a number or the depth is beyond orjson."""
    try:
        return orjson.dumps(value)
    except TypeError:
        try:
            return json.dumps(value).encode()
        except RecursionError:
            return b'"nested too deep"'


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_int(value: Any) -> bool:
    # What DuckDB's own cast accepts, so that a clean and a dirty file read alike.
    if isinstance(value, str):
        digits = value[1:] if value[:1] == "-" else value
        return digits.isascii() and digits.isdigit() and len(digits) <= 18
    return isinstance(value, bool) or (is_number(value) and -(2**63) <= value < 2**63 - 1024)


def _is_double(value: Any) -> bool:
    return isinstance(value, bool) or is_number(value)


def _is_json(value: Any) -> bool:
    return True


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(item is None or _is_text(item) for item in value)


def _is_text_fields(value: Any) -> bool:
    return isinstance(value, dict) and all(item is None or _is_text(item) for item in value.values())


def _is_usage(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for name, item in value.items():
        if name.endswith("_details"):
            if item is not None and not (
                isinstance(item, dict) and all(count is None or _is_int(count) for count in item.values())
            ):
                return False
        elif name in _COUNTS and item is not None and not (_is_int(item) and abs(int(item)) <= TOKEN_LIMIT):
            return False
    return True


_COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens")
_BY_TYPE: Final[dict[str, Callable[[Any], bool]]] = {
    "VARCHAR": _is_text,
    "BIGINT": _is_int,
    "SMALLINT": _is_int,
    "DOUBLE": _is_double,
    "BOOLEAN": lambda value: isinstance(value, bool),
    "TIMESTAMP": _is_text,
    "JSON": _is_json,
    "VARCHAR[]": _is_texts,
}
_BY_NAME: Final[dict[str, Callable[[Any], bool]]] = {
    "token_usage": _is_usage,
    "error": _is_text_fields,
    "otel": _is_text_fields,
}
_TEXTS: Final = frozenset(c.name for c in LIGHT if c.type in ("VARCHAR", "JSON", "TIMESTAMP"))
_NUMBERS: Final = frozenset(c.name for c in LIGHT if c.type in ("BIGINT", "SMALLINT", "DOUBLE", "VARCHAR", "JSON"))
_SAFE: Final = 2**53
_USABLE: Final[dict[str, Callable[[Any], bool]]] = {c.name: _BY_NAME.get(c.name) or _BY_TYPE[c.type] for c in LIGHT}
