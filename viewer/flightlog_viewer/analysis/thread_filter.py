"""The filter language over threads: ``status:errored node:approve refund``, asked of what is known of each.

Threads come from checkpoint databases and not from a table, so the filter is no SQL but a function.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias, get_args

from flightlog_viewer.analysis.filter_fields import status_hint
from flightlog_viewer.analysis.filter_syntax import Term, parse, words_hint
from flightlog_viewer.analysis.passing import compares, count, field_of, moment, passes, says, seconds
from flightlog_viewer.analysis.question_line import asked
from flightlog_viewer.analysis.thread_line import left_open
from flightlog_viewer.approvals.approval import parse_time
from flightlog_viewer.checkpoints.model import ThreadStatus, ThreadSummary
from flightlog_viewer.checkpoints.normal import normal_form

Passes: TypeAlias = Callable[[ThreadSummary], bool]

_STATUSES: Final[tuple[str, ...]] = get_args(ThreadStatus)
FIELDS: Final[dict[str, str]] = {
    "thread": "thread id",
    "status": ", ".join(_STATUSES),
    "node": "node that is due or asks",
    "asks": "text in a question that waits",
    "open": "text in what is open: the question, the failure, what is due",
    "step": "steps so far",
    "updated": "time of the newest checkpoint: 2026-11-20, 12:00, 2h (ago)",
}
"""Every field with what it is."""
_ALSO: Final = {"thread_id": "thread", "steps": "step", "question": "asks", "error": "open", "updated_at": "updated"}
_SPAN_WORDS: Final = {"error": "errored", "failed": "errored", "ok": "finished", "unfinished": "crashed"}
"""Statuses of runs, as they are typed over traces, in the words of threads."""
_WITHIN: Final = ("", "asks", "open")


def compile_thread_filter(text: str, *, tz: tzinfo = UTC, now: datetime | None = None) -> Passes:
    """What tells whether a thread passes; a blank filter lets all pass. Times as in ``compile_filter``.

    Raises FilterError.
    """
    tree = parse(text)
    return (lambda thread: True) if tree is None else passes(tree, lambda term: _term(term, text, tz, now))


def hint(text: str) -> str:
    """What may be wrong with a filter that leaves no thread."""
    unknown = status_hint(text, (*_STATUSES, *_SPAN_WORDS))
    return words_hint(text) or (unknown and status_hint("status:?", _STATUSES))


def complete(start: str) -> list[str]:
    """The names of fields that begin so."""
    return [name for name in FIELDS if name.startswith(start.lower())]


def _term(term: Term, text: str, tz: tzinfo, now: datetime | None) -> Passes:
    name = field_of(term, "threads", FIELDS, _ALSO, text)
    if name == "step":
        steps = compares(term, text, count)
        return lambda thread: steps(thread.steps)
    if name == "updated":
        updated = compares(term, text, moment(tz, now))
        return lambda thread: updated(seconds(parse_time(thread.updated_at)))
    words = _SPAN_WORDS if name == "status" else {}
    match = says(term, "a thread", text, within=name in _WITHIN, words=words)
    return lambda thread: match(_texts(name, thread))


def _texts(name: str, thread: ThreadSummary) -> Iterable[str]:
    if name in ("thread", ""):
        yield thread.thread_id
    if name in ("status", ""):
        yield thread.status
    if name == "node":
        yield from thread.next
        yield from (question.node for question in thread.pending)
    if name in ("asks", "open", ""):
        yield from (asked(normal_form(question.value)) for question in thread.pending)
    if name in ("open", ""):
        yield from left_open(thread)
