"""The questions of databases and of spans as one list: databases know what was asked, spans know when."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from flightlog_viewer.approvals.approval import Approval, Moment, at, breakpoint_id
from flightlog_viewer.approvals.span_side import SpanAnswer, SpanPause, SpanQuestion


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
    in_turn = _InTurn(unnamed, innermost.values())
    for name, question in innermost.items():
        answer = by_question.get(name) or in_turn.answer_to(question)
        found[name] = _with_span(found.get(name), question, answer)
    # The questions of one task are known to be of one moment at times; they stay in their order.
    return sorted(found.values(), key=lambda approval: _order(approval.asked_at))


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


class _InTurn:
    """Answers that name no question: each belongs to the question of its thread that was asked last before it."""

    def __init__(self, answers: Iterable[SpanAnswer], questions: Iterable[SpanQuestion]) -> None:
        """``answers`` come in the order of time."""
        self._answers: dict[str | None, list[SpanAnswer]] = {}
        self._asked: dict[str | None, list[datetime]] = {}
        for answer in answers:
            self._answers.setdefault(answer.thread_id, []).append(answer)
        for question in sorted(questions, key=lambda question: question.asked_at):
            self._asked.setdefault(question.thread_id, []).append(question.asked_at)

    def answer_to(self, question: SpanQuestion) -> SpanAnswer | None:
        """The first answer in the thread after the question, unless a newer question came before it."""
        answers = self._answers.get(question.thread_id, [])
        at = bisect_left(answers, question.asked_at, key=lambda answer: answer.answered_at)
        if at == len(answers):
            return None
        asked = self._asked[question.thread_id]
        newer = bisect_right(asked, question.asked_at)
        return None if newer < len(asked) and asked[newer] <= answers[at].answered_at else answers[at]


def _depth(question: SpanQuestion) -> int:
    return (question.checkpoint_ns or "").count("|") + bool(question.checkpoint_ns)


def _order(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
