"""Values of the store as text: JSON, a cell of a table, a cell of a CSV file."""

import json
import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from flightlog.truncation import MAX_LEVELS
from flightlog_viewer.safe_text import safe_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run."""
_NESTED = (dict, list, tuple, set, frozenset)


def csv_cell(value: Any) -> Any:
    """A value as it stands in a CSV cell. Numbers stay numbers; text is made safe for terminals and spreadsheets."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return value
    if isinstance(value, str):
        text = safe_text(value, keep_newlines=True)
        return f"'{text}" if value.startswith(_FORMULA) or text.startswith(_FORMULA) else text
    if isinstance(value, _NESTED):
        return safe_text(dumps(value, orjson.OPT_NON_STR_KEYS))
    return csv_cell(_plain(value))


def plain_cell(value: Any) -> str:
    """Any value as one short text; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1 else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        # Percentiles that were asked for together, say. Commas are between them, so not inside.
        return f"[{', '.join(plain_cell(item).replace(',', '') for item in value)}]"
    if isinstance(value, _NESTED):
        return dumps(value, orjson.OPT_NON_STR_KEYS)
    return str(_plain(value))


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of columns as keys: a repeated one gets a number that no other has, so that no value is lost."""
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 1
        while unique in seen or (number > 1 and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique)
        found.append(unique)
    return found


def dumps(value: Any, option: int) -> str:
    """JSON text; what orjson refuses (half a surrogate pair, integers beyond 64 bits) goes the slow way.

    Numbers that JSON has not are null; "…" stands for what lies deeper than MAX_LEVELS where orjson gives up.
    """
    try:
        return orjson.dumps(value, default=_exact, option=option).decode()
    except orjson.JSONEncodeError:
        indent = 2 if option & orjson.OPT_INDENT_2 else None
        return json.dumps(_writable(value, MAX_LEVELS), default=_plain, indent=indent)


def _exact(value: Any) -> Any:
    """A decimal with all its digits, which a float may not have; else as `_plain`."""
    return orjson.Fragment(f"{value:f}") if isinstance(value, Decimal) and value.is_finite() else _plain(value)


def _writable(value: Any, levels: int) -> Any:
    """The value without NaN and infinities, which json would write as they are, and without endless depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, _NESTED):
        return value
    if not levels:
        return "…"
    if isinstance(value, dict):
        return {key: _writable(item, levels - 1) for key, item in value.items()}
    return [_writable(item, levels - 1) for item in value]


def _plain(value: Any) -> Any:
    """What orjson cannot write: DuckDB's times (UTC, naive), decimals, bytes, sets."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z" if value.tzinfo is None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)
