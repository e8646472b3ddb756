"""The questions of databases and of spans as one list: databases know what was asked, spans know when."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from flightlog_viewer.approvals.approval import Approval, Moment, Refusal, at, breakpoint_id
from flightlog_viewer.approvals.decisions import risk_score
from flightlog_viewer.approvals.span_side import SpanAnswer, SpanPause, SpanQuestion, SpanSide
from flightlog_viewer.checkpoints.inert import is_opaque
from flightlog_viewer.checkpoints.task_names import UNNAMED
from flightlog_viewer.checkpoints.tasks import depth


def merge(recorded: Iterable[Approval], spans: SpanSide) -> list[Approval]:
    """The questions of a database and of spans as one list, oldest first; spans give the exact times.

    A question that stands in several spans counts once. One that is in no database was left where a later run of its
    thread (`SpanSide.went_on`) did not ask it again, and where it has no thread.
    """
    found = {approval.key: approval for approval in recorded}
    for pause in spans.pauses:
        key = (breakpoint_id(pause.checkpoint_id), 0)
        found[key] = _with_pause(found.get(key), pause)
    asked = sorted(spans.asked, key=lambda question: question.asked_at)
    by_name: dict[str, list[SpanQuestion]] = {}
    for question in asked:
        by_name.setdefault(question.interrupt_id, []).append(question)
    by_question = _answers_by_question((one for one in spans.answers if not one.refused), asked)
    refused = _answers_by_question((one for one in spans.answers if one.refused), asked)
    for name, askings in by_name.items():
        for turn, (question, answer) in enumerate(_turns(askings, by_question.get(name, ()))):
            known = found.get((name, turn))
            newest = spans.went_on.get(question.thread_id or "")
            passed = newest is not None and newest > askings[-1].asked_at
            alone = question.threadless and all(one.thread_id is None for one in askings)
            left = known is None and answer is None and (passed or alone)
            known = _with_span(known, question, turn, answer)
            if answer is None and (tries := refused.get(name)):
                known = _with_refusal(known, tries[-1])
            found[name, turn] = replace(known, status="abandoned") if left else known
    # The questions of one task are known to be of one moment at times; they stay in their order.
    return sorted(found.values(), key=lambda approval: _order(approval.asked_at))


def _turns(
    askings: Sequence[SpanQuestion], answers: Sequence[SpanAnswer]
) -> Iterator[tuple[SpanQuestion, SpanAnswer | None]]:
    """The questions of one id, with their answers; both come in order of time.

    A task that runs again for the sake of others asks again, and that is the same question. What is asked once there
    is an answer is another: before LangGraph 1.2.20 all questions of a task had one id.
    """
    answer = answers[0] if answers else None  # the first one counts, even by a clock that is behind
    while askings:
        first = askings[0]
        if answer is None:
            answer = next((one for one in answers if one.answered_at >= first.asked_at), None)
        until = answer.answered_at if answer is not None else None
        if until is not None and until <= first.asked_at:  # which says nothing of the graphs around that ended with it
            until = next((one.answered_at for one in answers if one.answered_at > first.asked_at), None)
        same = [one for one in askings if one is first or until is None or one.asked_at < until]
        # Each graph around a question ends with it too, in coarse times before it: it counts where it was asked.
        yield max(same, key=lambda question: (depth(question.checkpoint_ns), question.node is not None)), answer
        askings, answer = askings[len(same) :], None


def _with_span(known: Approval | None, question: SpanQuestion, turn: int, answer: SpanAnswer | None) -> Approval:
    if known is None:
        known = Approval(
            interrupt_id=question.interrupt_id,
            thread_id=question.thread_id or "",
            node=question.node or "",
            checkpoint_ns=question.checkpoint_ns,
            checkpoint_id=None,
            question=question.question,
            question_recorded=True,
            status="pending",
            asked=Moment(),
            answered=Moment(),
            response_schema=question.response_schema,
            origin="spans",
            turn=turn,
            risk=risk_score(question.question),
        )
    else:
        known = replace(known, origin="both")
        if not known.question_recorded or is_opaque(known.question):
            risk = risk_score(question.question)
            known = replace(
                known,
                question=question.question,
                question_recorded=True,
                risk=known.risk if risk is None else risk,
                response_schema=question.response_schema,
            )
        if known.node == UNNAMED and question.node:  # a `@task` call that no row names yet
            known = replace(known, node=question.node)
    agent = known.agent or question.agent
    known = replace(known, asked=at(question.asked_at), trace_id=question.trace_id, agent=agent)
    if answer is None:
        return known
    if not known.answer_recorded or is_opaque(known.answer):
        known = replace(known, answer=answer.answer, answer_recorded=True)
    said = answer.said or known.said
    return replace(known, status="answered", answered=at(answer.answered_at), refused=None, said=said)


def _with_refusal(known: Approval, answer: SpanAnswer) -> Approval:
    error = None if known.refused is None else known.refused.error
    return replace(known, refused=Refusal(answer.answered_at, answer.answer, answer_recorded=True, error=error))


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
    known = replace(known, asked=at(pause.asked_at), trace_id=pause.trace_id)
    if pause.answered_at is None or known.status == "abandoned":
        return known
    if pause.left:
        return known if known.answer_recorded else replace(known, status="abandoned")
    if "decision" in pause.said and (not known.answer_recorded or known.answer is True):
        known = replace(known, answer=dict(pause.said), answer_recorded=True)
    return replace(known, status="answered", answered=at(pause.answered_at), said=pause.said or known.said)


def _answers_by_question(
    answers: Iterable[SpanAnswer], asked: Iterable[SpanQuestion]
) -> Mapping[str, Sequence[SpanAnswer]]:
    """Answers by the id of their question, in order of time.

    One that names none belongs to what was asked last before it where its run went on: a run asks again what still
    waits. Where that is not known, it belongs to what its thread asked last before it. A checkpoint tells apart threads
    of one name in several databases, and a question from its answer by a clock that is behind.
    """
    in_thread: dict[str | None, list[SpanQuestion]] = {}
    at_checkpoint: dict[str, list[SpanQuestion]] = {}
    for question in asked:
        in_thread.setdefault(question.thread_id, []).append(question)
        if question.checkpoint_id is not None:
            at_checkpoint.setdefault(question.checkpoint_id, []).append(question)
    found: dict[str, list[SpanAnswer]] = {}
    for answer in sorted(answers, key=lambda answer: answer.answered_at):
        name = answer.interrupt_id
        if name is None:
            here = at_checkpoint.get(answer.checkpoint_id or "", [])
            before = here or in_thread.get(answer.thread_id, [])
            last = bisect_right(before, answer.answered_at, key=lambda question: question.asked_at)
            if last or here:
                name = before[max(last, 1) - 1].interrupt_id
        if name is not None:
            found.setdefault(name, []).append(answer)
    return found


def _order(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
