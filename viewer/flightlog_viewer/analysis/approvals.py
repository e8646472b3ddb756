"""Questions that a graph asked a human, and the answers: one record an interrupt, from a database, spans, or both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from flightlog_viewer.analysis.decisions import Decision, classify, decided_by, notes

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
    risk: float | None = None
    origin: Literal["database", "spans", "both"] = "database"
    breakpoint: bool = False

    @property
    def decision(self) -> Decision | None:
        """The class of the answer, None while there is none or when it is not recorded."""
        if self.status != "answered" or not self.answer_recorded:
            return None
        decision = classify(self.answer)
        # At a breakpoint the answer is what an update changed: what is no verdict is a change of the plan.
        return "edit" if decision == "other" and self.breakpoint else decision

    @property
    def decided_by(self) -> str | None:
        """Who answered, when the answer names them."""
        return decided_by(self.answer)

    @property
    def notes(self) -> str | None:
        """Why, when the answer says so."""
        return notes(self.answer)

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


def merge(
    recorded: Iterable[Approval],
    asked: Iterable[SpanQuestion],
    answers: Iterable[SpanAnswer],
    pauses: Iterable[SpanPause] = (),
) -> list[Approval]:
    """The questions of a database and of spans as one list, oldest first; spans give the exact times.

    A question that stands in several spans (each graph around it ends with it too) counts where it was asked.
    """
    found = {approval.interrupt_id: approval for approval in recorded}
    for pause in pauses:
        name = breakpoint_id(pause.checkpoint_id)
        found[name] = _with_pause(found.get(name), pause)
    innermost: dict[str, SpanQuestion] = {}
    for question in asked:
        known = innermost.get(question.interrupt_id)
        if known is None or _depth(question) > _depth(known):
            innermost[question.interrupt_id] = question
    by_question, unnamed = _sorted_answers(answers)
    for name, question in innermost.items():
        answer = by_question.get(name) or _next_unnamed(question, unnamed, innermost.values())
        found[name] = _with_span(found.get(name), question, answer)
    # The questions of one task are known to be of one moment at times; they stay in their order.
    return sorted(found.values(), key=lambda approval: _order(approval.asked_at))


def breakpoint_id(checkpoint_id: str) -> str:
    """What stands for the interrupt id of a static breakpoint, which has none."""
    return f"breakpoint:{checkpoint_id}"


def parse_time(text: Any) -> datetime | None:
    """An RFC 3339 time as UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def at(moment: datetime | None) -> Moment:
    """A point that is known exactly, or not at all."""
    return Moment(moment, moment)


def _with_span(known: Approval | None, question: SpanQuestion, answer: SpanAnswer | None) -> Approval:
    if known is None:
        known = Approval(
            interrupt_id=question.interrupt_id,
            thread_id=question.thread_id or "",
            node=question.node or "",
            checkpoint_ns=question.checkpoint_ns or "",
            checkpoint_id=None,
            question=question.question,
            question_recorded=True,
            status="pending",
            asked=Moment(),
            answered=Moment(),
            origin="spans",
        )
    else:
        known = replace(known, origin="both")
        if not known.question_recorded:
            known = replace(known, question=question.question, question_recorded=True)
    known = replace(known, asked=at(question.asked_at))
    if answer is None:
        return known
    if not known.answer_recorded:
        known = replace(known, answer=answer.answer, answer_recorded=True)
    return replace(known, status="answered", answered=at(answer.answered_at))


def _with_pause(known: Approval | None, pause: SpanPause) -> Approval:
    if known is None:
        known = Approval(
            interrupt_id=breakpoint_id(pause.checkpoint_id),
            thread_id=pause.thread_id,
            node="",
            checkpoint_ns="",
            checkpoint_id=pause.checkpoint_id,
            question=None,
            question_recorded=False,
            status="pending",
            asked=Moment(),
            answered=Moment(),
            origin="spans",
            breakpoint=True,
        )
    else:
        known = replace(known, origin="both")
    known = replace(known, asked=at(pause.asked_at))
    if pause.answered_at is None or known.status == "abandoned":
        return known
    if not known.answer_recorded and pause.said:
        known = replace(known, answer=dict(pause.said), answer_recorded=True)
    return replace(known, status="answered", answered=at(pause.answered_at))


def _sorted_answers(answers: Iterable[SpanAnswer]) -> tuple[dict[str, SpanAnswer], list[SpanAnswer]]:
    named: dict[str, SpanAnswer] = {}
    unnamed: list[SpanAnswer] = []
    for answer in sorted(answers, key=lambda answer: answer.answered_at):
        if answer.interrupt_id is None:
            unnamed.append(answer)
        else:
            named.setdefault(answer.interrupt_id, answer)
    return named, unnamed


def _next_unnamed(
    question: SpanQuestion, answers: Sequence[SpanAnswer], questions: Iterable[SpanQuestion]
) -> SpanAnswer | None:
    """The first answer in the thread after the question that names none, unless a newer question came before it."""
    for answer in answers:
        if answer.thread_id != question.thread_id or answer.answered_at < question.asked_at:
            continue
        newer = any(
            other.thread_id == question.thread_id and question.asked_at < other.asked_at <= answer.answered_at
            for other in questions
        )
        return None if newer else answer
    return None


def _depth(question: SpanQuestion) -> int:
    return (question.checkpoint_ns or "").count("|") + bool(question.checkpoint_ns)


def _gap(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return max(0.0, (end - start).total_seconds() * 1000)


def _order(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
