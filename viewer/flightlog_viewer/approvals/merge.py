"""The questions of databases and of spans as one list: databases know what was asked, spans know when."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    A question that stands in several spans counts once.
    """
    found = {approval.key: approval for approval in recorded}
    for pause in pauses:
        key = (breakpoint_id(pause.checkpoint_id), 0)
        found[key] = _with_pause(found.get(key), pause)
    by_question, unnamed = _sorted_answers(answers)
    asked = sorted(asked, key=lambda question: question.asked_at)
    in_turn = _InTurn(unnamed, asked)
    by_name: dict[str, list[SpanQuestion]] = {}
    for question in asked:
        by_name.setdefault(question.interrupt_id, []).append(question)
    for name, askings in by_name.items():
        for turn, (question, answer) in enumerate(_turns(askings, by_question.get(name, ()), in_turn)):
            found[name, turn] = _with_span(found.get((name, turn)), question, turn, answer)
    # The questions of one task are known to be of one moment at times; they stay in their order.
    return sorted(found.values(), key=lambda approval: _order(approval.asked_at))


def _turns(
    askings: Sequence[SpanQuestion], answers: Sequence[SpanAnswer], in_turn: "_InTurn"
) -> Iterator[tuple[SpanQuestion, SpanAnswer | None]]:
    """The questions of one id, in order of time, with their answers; `answers` name it.

    A task that runs again for the sake of others asks again, and that is the same question. What is asked once there
    is an answer is another: before LangGraph 1.2.19 all questions of a task had one id.
    """
    answer = answers[0] if answers else None  # the first one counts, even by a clock that is behind
    while askings:
        first = askings[0]
        if answer is None:
            later = (one for one in answers if one.answered_at >= first.asked_at)
            answer = next(later, None) or in_turn.answer_to(first)
        until = answer.answered_at if answer is not None else None
        same = [one for one in askings if one is first or until is None or one.asked_at < until]
        # Each graph around a question ends with it too: it counts where it was asked.
        yield max(same, key=_depth), answer
        askings, answer = askings[len(same) :], None


def _with_span(known: Approval | None, question: SpanQuestion, turn: int, answer: SpanAnswer | None) -> Approval:
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
            turn=turn,
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


def _sorted_answers(answers: Iterable[SpanAnswer]) -> tuple[Mapping[str, Sequence[SpanAnswer]], Sequence[SpanAnswer]]:
    """Answers by the question that they name, and those that name none."""
    named: dict[str, list[SpanAnswer]] = {}
    unnamed: list[SpanAnswer] = []
    for answer in sorted(answers, key=lambda answer: answer.answered_at):
        (unnamed if answer.interrupt_id is None else named.setdefault(answer.interrupt_id, [])).append(answer)
    return named, unnamed


class _InTurn:
    """Answers that name no question: each belongs to the question of its thread that was asked last before it."""

    def __init__(self, answers: Iterable[SpanAnswer], questions: Iterable[SpanQuestion]) -> None:
        """Both come in the order of time."""
        self._answers: dict[str | None, list[SpanAnswer]] = {}
        self._questions: dict[str | None, list[SpanQuestion]] = {}
        for answer in answers:
            self._answers.setdefault(answer.thread_id, []).append(answer)
        for question in questions:
            self._questions.setdefault(question.thread_id, []).append(question)

    def answer_to(self, question: SpanQuestion) -> SpanAnswer | None:
        """The first answer in the thread after the question, unless a newer question came before it."""
        answers = self._answers.get(question.thread_id, [])
        at = bisect_left(answers, question.asked_at, key=lambda answer: answer.answered_at)
        if at == len(answers):
            return None
        asked = self._questions[question.thread_id]
        newer = bisect_right(asked, question.asked_at, key=lambda other: other.asked_at)
        while newer < len(asked) and asked[newer].interrupt_id == question.interrupt_id:
            newer += 1  # a graph around it ends with it too
        return None if newer < len(asked) and asked[newer].asked_at <= answers[at].answered_at else answers[at]


def _depth(question: SpanQuestion) -> int:
    return (question.checkpoint_ns or "").count("|") + bool(question.checkpoint_ns)


def _order(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
