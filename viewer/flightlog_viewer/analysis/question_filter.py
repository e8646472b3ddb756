"""The filter language over questions to a human: ``status:pending node:approve lag>1h refund``."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias, get_args

from flightlog_viewer.analysis.filter_fields import status_hint
from flightlog_viewer.analysis.filter_syntax import Term, parse, words_hint
from flightlog_viewer.analysis.passing import compares, count, field_of, moment, passes, says, seconds
from flightlog_viewer.analysis.question_line import asked, proposed
from flightlog_viewer.analysis.times import milliseconds
from flightlog_viewer.approvals.approval import Approval, QuestionStatus
from flightlog_viewer.checkpoints.normal import normal_form

Passes: TypeAlias = Callable[[Approval], bool]

_STATUSES: Final[tuple[str, ...]] = get_args(QuestionStatus)
FIELDS: Final[dict[str, str]] = {
    "thread": "thread id",
    "node": "node that asks",
    "agent": "agent whose node it is",
    "status": ", ".join(_STATUSES),
    "asks": "text in the question, or in what the step before a breakpoint wrote",
    "decision": "approve, edit, reject, other",
    "by": "who answered",
    "asked": "when: 2026-11-20, 12:00, 2h (ago)",
    "answered": "when",
    "lag": "time to the answer, or how long it has waited: 30m, 4h",
    "risk": "risk score of the action: 0.7",
}
"""Every field with what it is."""
_ALSO: Final = {
    "thread_id": "thread",
    "question": "asks",
    "decided_by": "by",
    "asked_at": "asked",
    "answered_at": "answered",
    "waits": "lag",
    "risk_score": "risk",
}
_WITHIN: Final = ("", "asks")


def compile_question_filter(text: str, *, tz: tzinfo = UTC, now: datetime | None = None) -> Passes:
    """What tells whether a question passes; a blank filter lets all pass. Times as in ``compile_filter``.

    Raises FilterError.
    """
    tree = parse(text)
    return (lambda question: True) if tree is None else passes(tree, lambda term: _term(term, text, tz, now))


def hint(text: str) -> str:
    """What may be wrong with a filter that leaves no question."""
    return words_hint(text) or status_hint(text, _STATUSES)


def complete(start: str) -> list[str]:
    """The names of fields that begin so."""
    return [name for name in FIELDS if name.startswith(start.lower())]


def _term(term: Term, text: str, tz: tzinfo, now: datetime | None) -> Passes:
    name = field_of(term, "questions", FIELDS, _ALSO, text)
    if name in ("asked", "answered"):
        when = compares(term, text, moment(tz, now))
        return lambda question: when(seconds(question.asked_at if name == "asked" else question.answered_at))
    if name == "lag":
        lag = compares(term, text, milliseconds)
        return lambda question: lag(question.waited_ms(now if now is not None else datetime.now(UTC)))
    if name == "risk":
        risk = compares(term, text, count)
        return lambda question: risk(question.risk)
    match = says(term, "a question", text, within=name in _WITHIN)
    return lambda question: match(_texts(name, question))


def _texts(name: str, question: Approval) -> Iterable[str]:
    if name in ("thread", ""):
        yield question.thread_id
    if name in ("node", ""):
        yield question.node
    if name in ("agent", "") and question.agent:
        yield question.agent
    if name in ("status", ""):
        yield question.status
    if name in ("decision", "") and question.decision:
        yield question.decision
    if name in ("by", "") and question.decided_by:
        yield question.decided_by
    if name in ("asks", "") and question.question_recorded:
        yield asked(normal_form(question.question))
    if name in ("asks", "") and question.proposed:
        yield proposed(normal_form(question.proposed))
