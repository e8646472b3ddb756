"""Payloads as text: attribute values are strings, because backends ignore structured ones."""

from typing import Any

import orjson

from flightlog.truncation import write_any_depth


def dump(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    return value if isinstance(value, str) else encode(value)


def encode(value: Any) -> str:
    """Any JSON value as JSON; what is too deep to be written is cut."""
    return write_any_depth(value, orjson.OPT_NON_STR_KEYS).decode()


def decode(text: Any) -> Any:
    """The value of a JSON text, None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def opened(value: Any) -> Any:
    """A structured value, which may come as JSON text; anything else as it is."""
    return value if (found := decode(value)) is None else found
