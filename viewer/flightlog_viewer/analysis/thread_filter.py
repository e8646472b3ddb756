"""The filter language over threads: ``status:errored node:approve refund``, asked of what is known of each.

Threads come from checkpoint databases and not from a table, so the filter is no SQL but a function.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Final, TypeAlias, get_args

from flightlog.errors import UsageError
from flightlog_viewer.analysis.filter_fields import status_hint
from flightlog_viewer.analysis.filter_syntax import All, AnyOf, FilterError, Node, Not, Scoped, Term, Value, parse
from flightlog_viewer.analysis.question_line import asked
from flightlog_viewer.analysis.thread_line import left_open
from flightlog_viewer.analysis.times import point
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
_WITHIN: Final = ("asks", "open")
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    ":": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def compile_thread_filter(text: str, *, tz: tzinfo = UTC, now: datetime | None = None) -> Passes:
    """What tells whether a thread passes; a blank filter lets all pass. Times as in ``compile_filter``.

    Raises FilterError.
    """
    tree = parse(text)
    return (lambda thread: True) if tree is None else _passes(tree, text, tz, now)


def hint(text: str) -> str:
    """What may be wrong with a filter that leaves no thread."""
    unknown = status_hint(text, (*_STATUSES, *_SPAN_WORDS))
    return unknown and status_hint("status:?", _STATUSES)


def complete(start: str) -> list[str]:
    """The names of fields that begin so."""
    return [name for name in FIELDS if name.startswith(start.lower())]


def _passes(node: Node, text: str, tz: tzinfo, now: datetime | None) -> Passes:
    match node:
        case Term():
            return _term(node, text, tz, now)
        case Not(item) | Scoped(_, item):
            inner = _passes(item, text, tz, now)
            return (lambda thread: not inner(thread)) if isinstance(node, Not) else inner
        case All(items):
            every = [_passes(item, text, tz, now) for item in items]
            return lambda thread: all(passes(thread) for passes in every)
        case AnyOf(items):
            some = [_passes(item, text, tz, now) for item in items]
            return lambda thread: any(passes(thread) for passes in some)


def _term(term: Term, text: str, tz: tzinfo, now: datetime | None) -> Passes:
    name = _ALSO.get(term.field.lower(), term.field.lower())
    if name and name not in FIELDS:
        near = get_close_matches(name, [*FIELDS, *_ALSO], n=1)
        guess = f": did you mean `{near[0]}`?" if near else f"; there are {', '.join(FIELDS)}"
        raise FilterError(f"threads have no field {term.field!r}{guess}", term.position, text)
    if name in ("step", "updated"):
        some = [_compared(name, term, value, text, tz, now) for value in term.values]
        return lambda thread: any(passes(thread) for passes in some)
    if term.op != ":":
        raise FilterError(f"`{term.field}` of a thread is compared with `:`", term.position, text)
    matches = [_matcher(name, value) for value in term.values]
    return lambda thread: any(match(part) for part in _texts(name, thread) for match in matches)


def _compared(name: str, term: Term, value: Value, text: str, tz: tzinfo, now: datetime | None) -> Passes:
    compare = _ORDER.get(term.op)
    if compare is None:
        raise FilterError(f"`{term.field}` is not text: compare it with >, < or :", term.position, text)
    if name == "step":
        try:
            steps = float(value.text)
        except ValueError:
            raise FilterError(f"{value.text!r} is not a number", value.position, text) from None
        return lambda thread: compare(thread.steps, steps)
    try:
        moment = point(value.text, tz=tz, now=now).replace(tzinfo=UTC).timestamp()
    except UsageError as error:
        raise FilterError(str(error), value.position, text) from None

    def passes(thread: ThreadSummary) -> bool:
        updated = parse_time(thread.updated_at)
        return updated is not None and compare(updated.timestamp(), moment)

    return passes


def _matcher(name: str, value: Value) -> Callable[[str], bool]:
    """A glob over the whole text; a word alone, and what is looked for in sentences, stands anywhere in it."""
    wanted = value.text.lower()
    if name == "status" and not value.quoted:
        wanted = _SPAN_WORDS.get(wanted, wanted)
    plain = value.quoted or not re.search(r"[*?]", wanted)
    if plain and name in ("", *_WITHIN):
        return lambda part: wanted in part.lower()
    if plain:
        return lambda part: wanted == part.lower()
    glob = f"*{wanted}*" if name in ("", *_WITHIN) else wanted
    pattern = re.compile(fnmatch.translate(glob.replace("[", "[[]")))
    return lambda part: pattern.match(part.lower()) is not None


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
