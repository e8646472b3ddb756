"""Rows of ``spans`` as they come from the store, turned back into values of the record."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from flightlog_viewer.analysis.finish import cut_short
from flightlog_viewer.analysis.question_line import answered, asked

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_JSON: Final = ("interrupts", "resumes", "model_params", "truncated", "metadata")


def known(row: dict[str, Any]) -> dict[str, Any]:
    """The values of a row that are known, its JSON columns as values."""
    return {name: decoded(name, value) for name, value in row.items() if value is not None}


def decoded(name: str, value: Any) -> Any:
    """One value of a row; JSON text of a JSON column as what it says, a STRUCT without what is unknown in it."""
    if name in _JSON:
        return json_text(value)
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    return value


def json_text(value: Any) -> Any:
    """What a JSON text says; anything that is none as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def microseconds(moment: datetime) -> int:
    """A time of the store (naive, UTC) in microseconds since the epoch."""
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def remark(span: dict[str, Any], *, alone: bool = False) -> str:
    """What explains the end in one line: the error, the question, the answer, or why a model was cut short.

    ``alone``: nothing ran inside.
    """
    if span["error"]:
        return f"{span['error'].get('type') or ''}: {span['error'].get('message') or ''}".removeprefix(": ")[:200]
    brought = f"answered {_each(span['resumes'], answered)}" if span["resumes"] else ""
    if span["interrupts"]:
        return f"{brought}{', then ' if brought else ''}asks {_each(span['interrupts'], asked)}"
    if brought:
        return f"{brought}, and nothing ran" if alone else brought
    return cut_short(span.get("finish_reason")) or ""


def _each(records: Any, line: Callable[[Any], str]) -> str:
    """The values of interrupts or resumes, each in a few words; anything else as it is."""
    found = json_text(records)
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        return str(records)[:200]
    return "; ".join(line(record.get("value")) for record in found)[:200]
