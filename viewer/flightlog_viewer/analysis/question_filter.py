"""The filter language over questions to a human: ``status:pending node:approve refund``."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, get_args

from flightlog_viewer.analysis.filter_fields import status_hint
from flightlog_viewer.analysis.filter_syntax import Term, parse
from flightlog_viewer.analysis.passing import field_of, passes, says
from flightlog_viewer.analysis.question_line import asked
from flightlog_viewer.approvals.approval import Approval, QuestionStatus
from flightlog_viewer.checkpoints.normal import normal_form

Passes: TypeAlias = Callable[[Approval], bool]

_STATUSES: Final[tuple[str, ...]] = get_args(QuestionStatus)
FIELDS: Final[dict[str, str]] = {
    "thread": "thread id",
    "node": "node that asks",
    "status": ", ".join(_STATUSES),
    "asks": "text in the question",
    "decision": "approve, edit, reject, other",
    "by": "who answered",
}
"""Every field with what it is."""
_ALSO: Final = {"thread_id": "thread", "question": "asks", "decided_by": "by"}
_WITHIN: Final = ("", "asks")


def compile_question_filter(text: str) -> Passes:
    """What tells whether a question passes; a blank filter lets all pass. Raises FilterError."""
    tree = parse(text)
    return (lambda question: True) if tree is None else passes(tree, lambda term: _term(term, text))


def hint(text: str) -> str:
    """What may be wrong with a filter that leaves no question."""
    return status_hint(text, _STATUSES)


def complete(start: str) -> list[str]:
    """The names of fields that begin so."""
    return [name for name in FIELDS if name.startswith(start.lower())]


def _term(term: Term, text: str) -> Passes:
    name = field_of(term, "questions", FIELDS, _ALSO, text)
    match = says(term, "a question", text, within=name in _WITHIN)
    return lambda question: match(_texts(name, question))


def _texts(name: str, question: Approval) -> Iterable[str]:
    if name in ("thread", ""):
        yield question.thread_id
    if name in ("node", ""):
        yield question.node
    if name in ("status", ""):
        yield question.status
    if name in ("decision", "") and question.decision:
        yield question.decision
    if name in ("by", "") and question.decided_by:
        yield question.decided_by
    if name in ("asks", "") and question.question_recorded:
        yield asked(normal_form(question.question))
