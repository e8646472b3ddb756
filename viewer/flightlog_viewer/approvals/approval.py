"""A question that a graph asked a human, and the answer: one record an interrupt, whoever tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from flightlog_viewer.approvals.decisions import Decision, classify, decided_by, notes
from flightlog_viewer.checkpoints.inert import is_opaque

QuestionStatus: TypeAlias = Literal["pending", "answered", "abandoned"]
"""`abandoned`: the thread moved on without an answer."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time that is known exactly (both ends equal), within a window, or on one side only."""

    earliest: datetime | None = None
    latest: datetime | None = None

    @property
    def exact(self) -> bool:
        """Whether it is one point."""
        return self.earliest is not None and self.earliest == self.latest


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last answer that LangGraph refused: it was not of the schema that its question gives."""

    at: datetime | None = None
    """When it was given; spans know, databases do not."""
    answer: Any = None
    answer_recorded: bool = False
    error: str | None = None
    """What the task failed with; databases keep it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One question and what became of it."""

    interrupt_id: str
    """For a static breakpoint, which has no id: `breakpoint:` and the checkpoint's id."""
    thread_id: str
    node: str
    checkpoint_ns: str
    checkpoint_id: str | None
    question: Any
    question_recorded: bool
    """False when a later question of the same task took its row: only the answer is left."""
    status: QuestionStatus
    asked: Moment
    answered: Moment
    answer: Any = None
    answer_recorded: bool = False
    """False for an answered question whose answer no row holds (exit durability)."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the metadata of the run that brought the answer says of it."""
    risk: float | None = None
    response_schema: Any = None
    """What an answer has to look like, as a JSON Schema, where the graph said so."""
    refused: Refusal | None = None
    """Of a question that waits in spite of an answer."""
    agent: str | None = None
    """The agent whose node asked, where LangChain made it and it has a name."""
    trace_id: str | None = None
    """Of the run that asked, which spans tell."""
    origin: Literal["database", "spans", "both"] = "database"
    breakpoint: bool = False
    proposed: Mapping[str, Any] | None = None
    """At a breakpoint: what the step before wrote to the state, by channel, where a database tells."""
    turn: int = 0
    """Which question of its id: before LangGraph 1.2.20 all questions of a task had one id."""

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other question."""
        return self.interrupt_id, self.turn

    @property
    def decision(self) -> Decision | None:
        """The class of the answer, None while there is none, or when it is not recorded or cannot be read."""
        if self.status != "answered" or not self.answer_recorded or is_opaque(self.answer):
            return None
        decision = classify(self.answer)
        # At a breakpoint the answer is what an update changed: what is no verdict is a change of the plan.
        return "edit" if decision == "other" and self.breakpoint else decision

    @property
    def decided_by(self) -> str | None:
        """Who answered, when the answer or the run that brought it names them."""
        return decided_by(self.answer) or self.said.get("decided_by")

    @property
    def notes(self) -> str | None:
        """Why, when the answer or the run that brought it says so."""
        return notes(self.answer) or self.said.get("notes")

    @property
    def asked_at(self) -> datetime | None:
        """When it was asked; of a window the beginning: the question is not older."""
        return self.asked.earliest if self.asked.earliest is not None else self.asked.latest

    @property
    def answered_at(self) -> datetime | None:
        """When it was answered; of a window the end: the answer is not younger."""
        return self.answered.latest if self.answered.latest is not None else self.answered.earliest

    @property
    def exact(self) -> bool:
        """Whether both times are known exactly; of a pending question, whether the time of asking is."""
        return self.asked.exact and (self.status != "answered" or self.answered.exact)

    @property
    def lag_min_ms(self) -> float | None:
        """The least time that the answer can have taken, None without an answer or a time."""
        return _gap(self.asked.latest, self.answered.earliest) if self.status == "answered" else None

    @property
    def lag_max_ms(self) -> float | None:
        """The most time that the answer can have taken."""
        return _gap(self.asked.earliest, self.answered.latest) if self.status == "answered" else None

    def waited_ms(self, now: datetime) -> float | None:
        """The most time that the answer can have taken; of a pending question its age."""
        return _gap(self.asked_at, now) if self.status == "pending" else self.lag_max_ms


def breakpoint_id(checkpoint_id: str) -> str:
    """What stands for the interrupt id of a static breakpoint, which has none."""
    return f"breakpoint:{checkpoint_id}"


def parse_time(text: Any) -> datetime | None:
    """An RFC 3339 time as UTC; None for anything else, and for what is outside the years 1 to 9999 there."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def at(moment: datetime | None) -> Moment:
    """A point that is known exactly, or not at all."""
    return Moment(moment, moment)


def _gap(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return max(0.0, (end - start).total_seconds() * 1000)
