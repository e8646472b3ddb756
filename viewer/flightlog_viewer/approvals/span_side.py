"""What spans tell of questions and answers, out of the rows that a store keeps of them."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flightlog_viewer.approvals.approval import parse_time
from flightlog_viewer.approvals.decisions import said_in


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """A span that ended with a question."""

    interrupt_id: str
    thread_id: str | None
    node: str | None
    checkpoint_ns: str | None
    question: Any
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """An answer that a run was started with."""

    interrupt_id: str | None
    """None when the answer named no question."""
    thread_id: str | None
    answer: Any
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class SpanPause:
    """A run that stopped at a static breakpoint, and the run of its thread that went on from there."""

    thread_id: str
    checkpoint_id: str
    """Where it stopped."""
    asked_at: datetime
    answered_at: datetime | None
    """The start of the run that went on; None while there is none."""
    said: Mapping[str, Any]
    """`decision`, `decided_by` and `notes` in that run's metadata."""


@dataclass(frozen=True, slots=True)
class SpanSide:
    """What spans tell of questions."""

    asked: Sequence[SpanQuestion] = ()
    answers: Sequence[SpanAnswer] = ()
    pauses: Sequence[SpanPause] = ()
    went_on: Mapping[str, datetime] = field(default_factory=dict)
    """Thread to the start of its newest run that ended well; what waits is asked again by every run."""

    @property
    def paused(self) -> Mapping[str, Collection[str]]:
        """Thread to the checkpoints at which its runs stopped."""
        found: dict[str, set[str]] = {}
        for pause in self.pauses:
            found.setdefault(pause.thread_id, set()).add(pause.checkpoint_id)
        return found


def span_side(query: Callable[[str], Iterable[Mapping[str, Any]]]) -> SpanSide:
    """What a store's spans tell; `query` gives the rows of a named query. Where nobody asked no answer is read."""
    if not list(query("stopped")):
        return SpanSide()
    return SpanSide(
        list(span_questions(query("questions"))),
        list(span_answers(query("answers"))),
        list(span_pauses(query("pauses"))),
        {row["thread_id"]: start for row in query("went_on") if (start := _time(row["start_time"])) is not None},
    )


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
