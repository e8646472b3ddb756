"""What spans tell of questions and answers, out of the rows that a store keeps of them."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flightlog_viewer.approvals.asker import agent_in
from flightlog_viewer.approvals.decisions import said_in


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """A span that ended with a question."""

    interrupt_id: str
    thread_id: str | None
    node: str | None
    checkpoint_ns: str
    question: Any
    asked_at: datetime
    checkpoint_id: str | None = None
    """Where the graph around it stopped, where LangGraph told."""
    response_schema: Any = None
    """What an answer has to look like, as a JSON Schema, where the graph said so."""
    trace_id: str | None = None
    agent: str | None = None
    """Whose node it was, where LangChain made the agent."""
    threadless: bool = False
    """It was asked in a run of LangGraph that has no thread, and so no checkpointer: no answer can come."""


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """An answer that a run was started with."""

    interrupt_id: str | None
    """None when the answer named no question."""
    thread_id: str | None
    answer: Any
    answered_at: datetime
    checkpoint_id: str | None = None
    """From where the run went on, where LangGraph told."""
    refused: bool = False
    """It was not of the question's schema, and the question still waits."""
    said: Mapping[str, str] = field(default_factory=dict)
    """`decision`, `decided_by` and `notes` in the metadata of the run."""


@dataclass(frozen=True, slots=True)
class SpanPause:
    """A run that stopped at a static breakpoint, and the run of its thread that went on from there."""

    thread_id: str
    checkpoint_id: str
    """Where it stopped."""
    asked_at: datetime
    answered_at: datetime | None
    """The start of the run that went on; None while there is none."""
    said: Mapping[str, str]
    """`decision`, `decided_by` and `notes` in that run's metadata."""
    trace_id: str | None = None
    left: bool = False
    """That run was given something else to do, and did not go on from there."""


@dataclass(frozen=True, slots=True)
class SpanSide:
    """What spans tell of questions."""

    asked: Sequence[SpanQuestion] = ()
    answers: Sequence[SpanAnswer] = ()
    """Those that LangGraph refused too."""
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
    questions = list(query("questions"))
    return SpanSide(
        list(span_questions(questions)),
        list(span_answers(query("answers"), questions)),
        list(span_pauses(query("pauses"))),
        {row["thread_id"]: _utc(row["start_time"]) for row in query("went_on")},
    )


def span_questions(rows: Iterable[Mapping[str, Any]]) -> Iterator[SpanQuestion]:
    """The questions in the rows of the named query `questions`; malformed ones are passed over."""
    for row in rows:
        asked_at = _utc(row["end_time"])
        for item in _items(row["interrupts"]):
            name = item.get("id")
            if isinstance(name, str):
                around = _around(row["checkpoint_ns"])
                at = row["checkpoint_id"]
                value, schema = item.get("value"), item.get("response_schema")
                place = row["thread_id"], row["node"], around
                threadless = row["thread_id"] is None and row["checkpoint_ns"] is not None
                agent = agent_in(about) if isinstance(about := _read(row["metadata"]), dict) else None
                yield SpanQuestion(name, *place, value, asked_at, at, schema, row["trace_id"], agent, threadless)


def span_answers(
    rows: Iterable[Mapping[str, Any]], questions: Iterable[Mapping[str, Any]] = ()
) -> Iterator[SpanAnswer]:
    """The answers in the rows of the named query `answers`.

    LangGraph refuses what is not of the question's schema. Of several that a run brought by their ids, those are
    refused whose tasks said so: `questions` are the rows that tell which task asked what.
    """
    asking: dict[str, set[Any]] = {}
    for question in questions:
        if question["task_id"] is not None:  # else it is a graph, which repeats what its tasks ask
            for item in _items(question["interrupts"]):
                asking.setdefault(str(item.get("id")), set()).add(question["task_id"])
    for row in rows:
        answered_at = _utc(row["start_time"])
        refused_by = row["refused_by"] or ()
        said = _said(row["metadata"])
        for item in _items(row["resumes"]):
            name = item.get("interrupt_id")
            named = name if isinstance(name, str) else None
            refused = bool(refused_by) and (named is None or not asking.get(named, set()).isdisjoint(refused_by))
            at = row["checkpoint_id"]
            yield SpanAnswer(named, row["thread_id"], item.get("value"), answered_at, at, refused, said)


def span_pauses(rows: Iterable[Mapping[str, Any]]) -> Iterator[SpanPause]:
    """The pauses in the rows of the named query `pauses`."""
    for row in rows:
        asked_at, went_on, said = _utc(row["end_time"]), row["next_start"], _said(row["next_metadata"])
        answered_at, left = went_on and _utc(went_on), _is_new(_read(row["next_inputs"]))
        yield SpanPause(row["thread_id"], row["checkpoint_id"], asked_at, answered_at, said, row["trace_id"], left)


def _is_new(inputs: Any) -> bool:
    """Whether a run was given an input of its own. To go on it is given nothing, or a Command.

    Of an input that was not captured its type is recorded.
    """
    if not isinstance(inputs, dict):
        return inputs is not None
    if inputs.keys() == {"type", "bytes", "sha256"}:
        return inputs["type"] not in ("NoneType", "langgraph.types.Command")
    return not inputs.keys() <= {"graph", "update", "resume", "goto"}


def _said(metadata: str | None) -> Mapping[str, str]:
    found = _read(metadata)
    return said_in(found) if isinstance(found, dict) else {}


def _around(checkpoint_ns: str | None) -> str:
    """The namespace that a task stands in; a span carries its task's own."""
    return (checkpoint_ns or "").rpartition("|")[0]


def _items(text: str) -> list[dict[str, Any]]:
    items = _read(text)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _read(text: str | None) -> Any:
    """The value of a column of JSON; None for one that is nested too deep, too."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _utc(moment: datetime) -> datetime:
    """A time out of a store, which keeps UTC and does not say so."""
    return moment.replace(tzinfo=UTC)
