"""The one judgement of a line: whether it is a span. Whoever reads span files asks here, so that all count alike."""

import json
import math
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from typing import Any, Final, TypeGuard

import orjson

from flightlog.errors import UnreadableError

HUGE: Final = 1e300
"""A duration of more is none."""
NO_VERSION: Final = "no record version `v`"
NO_STRING: Final = "`{}` is not a string"
UNKNOWN: Final = "unknown `{}`"
NO_DURATION: Final = "`duration_ms` is not a finite number from 0 on"
ZEROS: Final = "ends in zero bytes, as after a power failure"
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(line: bytes | str, constant: Callable[[str], Any] = float) -> Any:
    """The JSON value of a line. Raises UnreadableError with the reason.

    NaN and infinity inside a payload pass, because Python's own encoder writes them, and numbers beyond a double are
    infinity; ``constant`` makes their value.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        if data.startswith(BOM_UTF8 + b"{"):  # at the start of a file, from Windows
            return decode(data[len(BOM_UTF8) :], constant)
        if data.strip(b" \t\r\n") != (bare := data.strip()):  # vertical tabs and form feeds
            return decode(bare, constant)
        if b"NaN" not in data and b"Infinity" not in data and "infinity" not in error.msg:
            raise UnreadableError(_reason(data, error)) from None
        try:
            value = json.loads(
                data.decode(),  # bytes it would take for UTF-8 with halves of surrogate pairs in it
                parse_constant=constant,
                parse_float=lambda text: _number(text, constant),
                parse_int=lambda text: int(text) if len(text) < 20 else _number(text, constant),
            )
            if _SURROGATE.search(data):
                json.dumps(value, ensure_ascii=False).encode()
        except RecursionError:
            raise UnreadableError("nested too deep") from None
        except ValueError:
            raise UnreadableError(_reason(data, error)) from None
        return value


def flaw(record: dict[str, Any], types: frozenset[str], statuses: frozenset[str]) -> str | None:
    """What keeps an object from being a span, its start apart; None when nothing does."""
    version = record.get("v")
    if type(version) is not int or not 1 <= version <= 9999:
        return NO_VERSION
    for name in ("name", "run_id", "trace_id"):
        if type(record.get(name)) is not str:
            return NO_STRING.format(name)
    for name, allowed in (("type", types), ("status", statuses)):
        value = record.get(name)
        if not isinstance(value, str) or value not in allowed:
            return UNKNOWN.format(name)
    duration = record.get("duration_ms")
    if not is_number(duration) or duration < 0:
        return NO_DURATION
    return None


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number of sensible size."""
    # Neither infinity nor NaN lies between two numbers.
    return type(value) in (int, float) and -HUGE < value < HUGE


def _number(text: str, constant: Callable[[str], Any]) -> Any:
    value = float(text)
    return value if math.isfinite(value) else constant("Infinity" if value > 0 else "-Infinity")


def _reason(line: bytes, error: orjson.JSONDecodeError) -> str:
    if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "UTF-16 text: convert the file to UTF-8"
    if line.rstrip(b"\r\n").endswith(bytes(4)):
        return ZEROS
    if b"\0" in line:
        return "contains NUL bytes"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if "depth" in error.msg:  # "recursion depth exceeded" before orjson 3.12, "depth limit exceeded" since
        return "nested too deep"
    return f"not JSON: {error}"
