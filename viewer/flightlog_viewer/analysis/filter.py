"""The filter language compiled to parameterised SQL over the views ``spans`` and ``traces``.

Each term looks at any span unless ``root:`` stands before it. Over ``traces``, what must hold together holds for one
span (``status:error model:gpt*`` is a failed call of that model), and a negation is about all of them
(``-status:error`` is a trace without any error). ``root:`` asks the trace itself: its root span and its sums.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal

from flightlog.errors import UsageError
from flightlog_viewer.analysis.filter_fields import Field, field, guess
from flightlog_viewer.analysis.filter_syntax import (
    All,
    AnyOf,
    FilterError,
    Node,
    Not,
    Scoped,
    Term,
    Value,
    parse,
)
from flightlog_viewer.analysis.times import milliseconds, point

__all__ = ["EVERYTHING", "Filter", "FilterError", "compile_filter"]

Table = Literal["traces", "spans"]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition for WHERE, with its parameters in order."""

    where: str
    params: list[Any]

    def as_sql(self) -> str:
        """The condition with its values written out, for people to read and to run."""
        pieces = self.where.split("?")
        values = [*map(_literal, self.params), ""]
        return "".join(piece + value for piece, value in zip(pieces, values, strict=True))


EVERYTHING: Final = Filter("true", [])
"""What a blank filter means."""


def compile_filter(text: str, table: Table = "traces", *, tz: tzinfo = UTC, now: datetime | None = None) -> Filter:
    """The condition that a filter means for rows of ``table``.

    Times without an offset are meant in ``tz``, times ago before ``now`` (default: the clock). Raises FilterError.
    """
    tree = parse(text)
    if tree is None:
        return EVERYTHING
    compiler = _Compiler(text, tz, now)
    return Filter(*(compiler.span(tree) if table == "spans" else compiler.trace(tree)))


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(' ')}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


_Sql = tuple[str, list[Any]]


class _Compiler:
    def __init__(self, text: str, tz: tzinfo, now: datetime | None) -> None:
        self.text = text
        self.tz = tz
        self.now = now

    def span(self, node: Node) -> _Sql:
        """The condition for a row of ``spans``."""
        match node:
            case Term() if self.field(node).span is None:
                return _among_traces(self.term(node, whole=True))
            case Term():
                return self.term(node, whole=False)
            case Not(item):
                return _negated(self.span(item))
            case All(items):
                return _joined("AND", [self.span(item) for item in _cheap_first(items)])
            case AnyOf(items):
                return _joined("OR", [self.span(item) for item in items])
            case Scoped("root", item):
                return _among_traces(self.trace_row(item))
            case Scoped(_, item):
                return self.span(item)

    def trace(self, node: Node) -> _Sql:
        """The condition for a row of ``traces``."""
        match node:
            case Term() if self.field(node).span is None:
                return self.term(node, whole=True)
            case Not(item):
                return _negated(self.trace(item))
            case Scoped("root", item):
                return self.trace_row(item)
            case Scoped(_, item):
                return _with_span(self.span(item))
            case All(items):
                together = [item for item in items if self.about_one_span(item)]
                alone = [self.trace(item) for item in items if item not in together]
                parts = [_with_span(self.span(All(tuple(together))))] if together else []
                return _joined("AND", [*alone, *parts])
            case AnyOf(items) if not all(map(self.about_one_span, items)):
                return _joined("OR", [self.trace(item) for item in items])
            case _:
                return _with_span(self.span(node))

    def trace_row(self, node: Node) -> _Sql:
        """The condition for a row of ``traces`` where every term asks the trace itself."""
        match node:
            case Term():
                return self.term(node, whole=True)
            case Not(item):
                return _negated(self.trace_row(item))
            case All(items):
                return _joined("AND", [self.trace_row(item) for item in items])
            case AnyOf(items):
                return _joined("OR", [self.trace_row(item) for item in items])
            case Scoped("root", item):
                return self.trace_row(item)
            case Scoped(_, item):
                return _with_span(self.span(item))

    def about_one_span(self, node: Node) -> bool:
        """Whether all of it can be asked of a single span."""
        match node:
            case Term():
                return self.field(node).span is not None
            case All(items) | AnyOf(items):
                return all(map(self.about_one_span, items))
            case _:
                return False

    def field(self, term: Term) -> Field:
        if not term.field:
            return _WORD
        name = term.field.partition(".")[0] if term.field.lower().startswith("metadata.") else term.field
        found = field(name)
        if found is None:
            raise FilterError(f"no field {term.field!r}{guess(term.field)}", term.position, self.text)
        return found

    def term(self, term: Term, *, whole: bool) -> _Sql:
        known = self.field(term)
        if known is _WORD:
            return _word(term.values[0], whole=whole)
        if not whole:
            assert known.span is not None
            column = known.span
        elif known.trace is not None:
            column = known.trace
        else:
            return _root_span(self.term(term, whole=False))
        prefix: list[Any] = []
        if known.kind == "payload":
            column, prefix = _payload(column, term.field)
        return _joined("OR", [self.test(known, column, prefix, term, value) for value in term.values])

    def test(self, known: Field, column: str, prefix: list[Any], term: Term, value: Value) -> _Sql:
        """One value of a term: ``column op ?``."""
        if value.text == "*" and not value.quoted and term.op == ":":
            return f"({column}) IS NOT NULL", prefix
        if term.op == "~":
            return self.regex(known, column, prefix, value)
        if known.kind in ("text", "id", "list", "payload"):
            if term.op != ":":
                raise FilterError(f"`{term.field}` has no order: use `:`", term.position, self.text)
            return self.matches(known, column, prefix, term, value)
        if known.kind == "flag":
            return f"coalesce({column}, false) = ?", [self.flag(value)]
        operator = "=" if term.op == ":" else term.op
        return f"{column} {operator} ?", [self.number(known, value)]

    def matches(self, known: Field, column: str, prefix: list[Any], term: Term, value: Value) -> _Sql:
        pattern = _like(value)
        whole = value.quoted or not re.search(r"[*?]", value.text)
        if known.kind == "list":
            return f"len(list_filter({column}, lambda x: x ILIKE ? ESCAPE '\\')) > 0", [pattern]
        if known.kind == "payload" and "." not in term.field:
            pattern = f"%{pattern}%"
        if known.name == "error" and whole:
            pattern = f"%{pattern}%"
        if known.kind == "id":
            return (f"{column} LIKE ? ESCAPE '\\'", [f"{pattern}%" if whole else pattern])
        return f"{column} ILIKE ? ESCAPE '\\'", [*prefix, pattern]

    def regex(self, known: Field, column: str, prefix: list[Any], value: Value) -> _Sql:
        try:
            re.compile(value.text)
        except (re.error, OverflowError, RecursionError) as error:
            at = value.position + (getattr(error, "pos", None) or 0)
            raise FilterError(f"this is not a regular expression: {error}", at, self.text) from None
        unknown = _NOT_RE2.search(value.text)
        if unknown is not None:
            raise FilterError(
                "look-around and back-references are not supported", value.position + unknown.start(), self.text
            )
        if known.kind == "list":
            return f"len(list_filter({column}, lambda x: regexp_matches(x, ?, 'i'))) > 0", [value.text]
        if known.kind not in ("text", "id", "payload"):
            raise FilterError(f"`{known.name}` is not text: compare it with >, < or :", value.position, self.text)
        return f"regexp_matches({column}, ?, 'i')", [*prefix, value.text]

    def number(self, known: Field, value: Value) -> Any:
        try:
            if known.kind == "duration":
                return milliseconds(value.text)
            if known.kind == "time":
                return point(value.text, tz=self.tz, now=self.now)
        except UsageError as error:
            raise FilterError(str(error), value.position, self.text) from None
        found = _NUMBER.fullmatch(value.text.strip())
        if found is None or (found[1] and known.kind != "money"):
            raise FilterError(f"{value.text!r} is not a number: give one like 800 or 4k", value.position, self.text)
        return float(found[2]) * _SCALE[found[3].lower()]

    def flag(self, value: Value) -> bool:
        word = value.text.lower()
        if word not in ("yes", "no", "true", "false"):
            raise FilterError(f"{value.text!r} is neither yes nor no", value.position, self.text)
        return word in ("yes", "true")


_WORD = Field("", "text", "name", "name", "a word alone")
_NOT_RE2 = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]|\(\?P=|\(\?\(")
_NUMBER = re.compile(r"(\$?)(-?\d+(?:\.\d+)?)([kKmMgG]?)")
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def _like(value: Value) -> str:
    """A glob as a LIKE pattern; in quotes only the text itself."""
    escaped = re.sub(r"([%_\\])", r"\\\1", value.text)
    return escaped if value.quoted else escaped.replace("*", "%").replace("?", "_")


def _word(value: Value, *, whole: bool) -> _Sql:
    pattern = _like(value)
    names = ("name", "thread_id") if whole else ("name", "model", "node", "thread_id")
    ids = ("trace_id",) if whole else ("trace_id", "run_id")
    parts = [*(f"{name} ILIKE ? ESCAPE '\\'" for name in names), *(f"{name} LIKE ? ESCAPE '\\'" for name in ids)]
    return f"({' OR '.join(parts)})", [f"%{pattern}%"] * len(names) + [f"{pattern}%"] * len(ids)


def _payload(column: str, name: str) -> tuple[str, list[Any]]:
    key = name.partition(".")[2]
    if not key:
        return f"CAST({column} AS VARCHAR)", []
    return f"json_extract_string({column}, ?)", [member_path(key)]


def member_path(key: str) -> str:
    """A key of the metadata, or one inside another (``a.b``), as DuckDB's path, whatever stands in its name."""
    parts = (part.replace("\\", "\\\\").replace('"', '\\"') for part in key.split("."))
    return "$." + ".".join(f'"{part}"' for part in parts)


def _cheap_first(items: tuple[Node, ...]) -> list[Node]:
    """Payloads are read from the file for rows that pass the rest, so they come last."""
    return sorted(items, key=_reads_payload)


def _reads_payload(node: Node) -> bool:
    match node:
        case Term(name):
            known = field(name.partition(".")[0])
            return known is not None and known.kind == "payload"
        case All(items) | AnyOf(items):
            return any(map(_reads_payload, items))
        case Not(item) | Scoped(_, item):
            return _reads_payload(item)


def _joined(word: str, parts: list[_Sql]) -> _Sql:
    if len(parts) == 1:
        return parts[0]
    return "(" + f" {word} ".join(sql for sql, _ in parts) + ")", [value for _, values in parts for value in values]


def _negated(part: _Sql) -> _Sql:
    """What is unknown does not match, so its negation does."""
    return f"({part[0]}) IS NOT TRUE", part[1]


def _with_span(part: _Sql) -> _Sql:
    return f"trace_id IN (SELECT trace_id FROM spans WHERE {part[0]})", part[1]


def _root_span(part: _Sql) -> _Sql:
    return f"row_id IN (SELECT row_id FROM spans WHERE row_id IN (SELECT row_id FROM traces) AND {part[0]})", part[1]


def _among_traces(part: _Sql) -> _Sql:
    return f"trace_id IN (SELECT trace_id FROM traces WHERE {part[0]})", part[1]
