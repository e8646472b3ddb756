"""What can be copied, and how values become text."""

from collections.abc import Callable
from typing import Any, NamedTuple


class CopyChoice(NamedTuple):
    """One line of the copy menu."""

    label: str
    text: Callable[[], str]
    """Made when it is chosen."""


def as_text(value: Any) -> str:
    """A value for the clipboard: strings as they are, the rest as JSON, as the commands print it."""
    if isinstance(value, str):
        return value
    import orjson

    from flightlog_viewer.analysis.cell_text import dumps

    return dumps(value, orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def sql_text(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
