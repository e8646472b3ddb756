"""Questions and answers out of the rows that the store keeps of spans."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flightlog_viewer.analysis.approvals import SpanAnswer, SpanPause, SpanQuestion, parse_time
from flightlog_viewer.analysis.decisions import said_in


def span_questions(rows: Iterable[Mapping[str, Any]]) -> Iterator[SpanQuestion]:
    """The questions in the rows of the named query `questions`; malformed ones are passed over."""
    for row in rows:
        asked_at = _time(row["end_time"])
        for item in _items(row["interrupts"]):
            name = item.get("id")
            if isinstance(name, str) and asked_at is not None:
                yield SpanQuestion(
                    name, row["thread_id"], row["node"], _around(row["checkpoint_ns"]), item.get("value"), asked_at
                )


def span_answers(rows: Iterable[Mapping[str, Any]]) -> Iterator[SpanAnswer]:
    """The answers in the rows of the named query `answers`."""
    for row in rows:
        answered_at = _time(row["start_time"])
        for item in _items(row["resumes"]):
            name = item.get("interrupt_id")
            if answered_at is not None:
                yield SpanAnswer(
                    name if isinstance(name, str) else None, row["thread_id"], item.get("value"), answered_at
                )


def span_pauses(rows: Iterable[Mapping[str, Any]]) -> Iterator[SpanPause]:
    """The pauses in the rows of the named query `pauses`; malformed ones are passed over."""
    for row in rows:
        asked_at = _time(row["end_time"])
        if asked_at is not None:
            said = said_in(_object(row["next_metadata"]))
            yield SpanPause(row["thread_id"], row["checkpoint_id"], asked_at, _time(row["next_start"]), said)


def _around(checkpoint_ns: str | None) -> str:
    """The namespace that a task stands in; a span carries its task's own."""
    return (checkpoint_ns or "").rpartition("|")[0]


def _items(text: Any) -> Iterator[dict[str, Any]]:
    try:
        items = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _object(text: Any) -> Mapping[Any, Any]:
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _time(value: Any) -> Any:
    return parse_time(value.isoformat()) if hasattr(value, "isoformat") else parse_time(value)
