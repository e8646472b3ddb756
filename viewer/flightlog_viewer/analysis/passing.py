"""The filter language over what is in no table: a filter is no SQL there but a function, which a row passes or not."""

import fnmatch
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Final, TypeAlias, TypeVar

from flightlog.errors import UsageError
from flightlog_viewer.analysis.filter_syntax import All, AnyOf, FilterError, Node, Not, Scoped, Term, Value
from flightlog_viewer.analysis.times import point

Row = TypeVar("Row")
Says: TypeAlias = Callable[[Iterable[str]], bool]
Compares: TypeAlias = Callable[[float | None], bool]
_NONE: Final[Mapping[str, str]] = {}
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    ":": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def passes(node: Node, term: Callable[[Term], Callable[[Row], bool]]) -> Callable[[Row], bool]:
    """What tells whether a row passes, where ``term`` does so for one term."""
    match node:
        case Term():
            return term(node)
        case Not(item) | Scoped(_, item):
            inner = passes(item, term)
            return (lambda row: not inner(row)) if isinstance(node, Not) else inner
        case All(items):
            every = [passes(item, term) for item in items]
            return lambda row: all(one(row) for one in every)
        case AnyOf(items):
            some = [passes(item, term) for item in items]
            return lambda row: any(one(row) for one in some)


def field_of(term: Term, what: str, fields: Mapping[str, str], also: Mapping[str, str], text: str) -> str:
    """The field that a term names, "" for a word alone. Raises FilterError when ``what`` have none of this name."""
    name = also.get(term.field.lower(), term.field.lower())
    if name and name not in fields:
        near = get_close_matches(name, [*fields, *also], n=1)
        guess = f": did you mean `{near[0]}`?" if near else f"; there are {', '.join(fields)}"
        raise FilterError(f"{what} have no field {term.field!r}{guess}", term.position, text)
    return name


def says(term: Term, whose: str, text: str, *, within: bool, words: Mapping[str, str] = _NONE) -> Says:
    """Whether one of some texts is what a term asks for, ``within`` them where it is looked for in sentences.

    ``words`` are other names of values. Raises FilterError for a comparison, which texts have not; the field belongs
    to ``whose``.
    """
    if term.op != ":":
        raise FilterError(f"`{term.field}` of {whose} is compared with `:`", term.position, text)
    matches = [_matcher(value, within, words) for value in term.values]
    return lambda parts: any(match(part) for part in parts for match in matches)


def compares(term: Term, text: str, number: Callable[[str], float]) -> Compares:
    """Whether a number is what a term asks for; one that is not known never is, and ``field:*`` asks for any.

    ``number`` reads what was typed, and raises UsageError when it cannot. Raises FilterError.
    """
    compare = _ORDER.get(term.op)
    if compare is None:
        raise FilterError(f"`{term.field}` is not text: compare it with >, < or :", term.position, text)
    wanted = []
    for value in term.values:
        if value.text == "*" and term.op == ":":
            return lambda known: known is not None
        try:
            wanted.append(number(value.text))
        except UsageError as error:
            raise FilterError(str(error), value.position, text) from None
    return lambda known: known is not None and any(compare(known, one) for one in wanted)


def count(text: str) -> float:
    """A number as it is typed. Raises UsageError."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number") from None


def moment(tz: tzinfo, now: datetime | None) -> Callable[[str], float]:
    """Reads a point in time as ``times.point`` does, in seconds since the epoch."""
    return lambda text: point(text, tz=tz, now=now).replace(tzinfo=UTC).timestamp()


def seconds(known: datetime | None) -> float | None:
    """The same of a time that is known."""
    return None if known is None else known.timestamp()


def _matcher(value: Value, within: bool, words: Mapping[str, str]) -> Callable[[str], bool]:
    """A glob over the whole text, or anywhere in it."""
    wanted = value.text.lower()
    if not value.quoted:
        wanted = words.get(wanted, wanted)
    if value.quoted or not re.search(r"[*?]", wanted):
        return (lambda part: wanted in part.lower()) if within else (lambda part: wanted == part.lower())
    pattern = re.compile(fnmatch.translate((f"*{wanted}*" if within else wanted).replace("[", "[[]")))
    return lambda part: pattern.match(part.lower()) is not None
