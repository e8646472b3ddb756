"""The filter language as text: ``status:error dur>2s (model:gpt* OR -node:tools)`` to a tree with positions.

filter  = all, { "OR", all }
all     = item, { ["AND"], item }
item    = "-" item | "NOT" item | scope item | "(" filter ")" | term
scope   = "root:" | "any:"
term    = field, op, value, { ",", value } | word
op      = ":" | ":~" | ":=" | "=" | ">" | ">=" | "<" | "<=" | ":>" | ":>=" | ":<" | ":<="
value   = quoted text | text up to a space, a comma or a closing parenthesis that it did not open
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from flightlog.errors import UsageError

Op = Literal[":", "~", ">", ">=", "<", "<="]
Scope = Literal["root", "any"]

_LONGEST: Final = 4096
_DEEPEST: Final = 40
_TERM: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.\-]*)(:~|:>=|:<=|:>|:<|:=|>=|<=|>|<|=|:)")
_WORD_OPERATOR: Final = re.compile(r"(AND|OR|NOT)(?=[\s()]|$)")
_QUOTED: Final = re.compile(r'"[^"]*"')
_SMALL_OPERATOR: Final = re.compile(r"(?<![^\s()])(and|or|not)(?=[\s()]|$)")
_LONE_SIGN: Final = re.compile(r"(?<!\S)[<>=]")
_MOMENT: Final = re.compile(r"\b(start|end|updated|asked|answered)(?:_time|_at)?[:=]([\w.:+-]+)")


class FilterError(UsageError):
    """A filter that cannot be meant; ``position`` is the index of the character to put the caret under."""

    def __init__(self, message: str, position: int, text: str = "") -> None:
        self.message = message
        self.position = position
        shown = f"{message} (at {position + 1} in {text!r})" if text else message
        super().__init__(shown)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a term."""

    text: str
    quoted: bool
    """In quotes ``*`` and ``?`` stand for themselves."""
    position: int


@dataclass(frozen=True, slots=True)
class Term:
    """``field op value``; a word alone has the field ``""``. Several values are alternatives."""

    field: str
    op: Op
    values: tuple[Value, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be."""

    item: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """What must be together."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What may be instead of each other."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Scoped:
    """``root:`` looks at the trace as a whole, ``any:`` at one of its spans."""

    scope: Scope
    item: "Node"


Node = Term | Not | All | AnyOf | Scoped


def words_hint(text: str) -> str:
    """What may be wrong with a filter that leaves nothing.

    What joins, or compares, was read as words to look for, or a time was asked for and not for what came since.
    """
    bare = _QUOTED.sub("", text)
    if found := _SMALL_OPERATOR.search(bare):
        return f"; `{found[1]}` is looked for as a word, {found[1].upper()} is the operator"
    if _LONE_SIGN.search(bare):
        return "; no space stands before or behind a sign: dur>2s"
    if found := _MOMENT.search(bare):
        return f"; a time is seldom met to the microsecond: {found[1]}>={found[2]}"
    return ""


def parse(text: str) -> Node | None:
    """The tree of a filter, None when it is blank. Raises FilterError."""
    if len(text) > _LONGEST:
        raise FilterError(f"a filter is at most {_LONGEST} characters long", _LONGEST)
    return _Parser(text).filter()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def filter(self) -> Node | None:
        self.skip()
        if self.at == len(self.text):
            return None
        tree = self.alternatives()
        if self.at < len(self.text):
            raise self.error("this parenthesis was never opened")
        return tree

    def alternatives(self) -> Node:
        items = [self.together()]
        while self.operator("OR"):
            items.append(self.together())
        return items[0] if len(items) == 1 else AnyOf(tuple(items))

    def together(self) -> Node:
        items = [self.item()]
        while True:
            joined = self.operator("AND")
            if not joined and (self.at == len(self.text) or self.text[self.at] == ")" or self.ahead("OR")):
                return items[0] if len(items) == 1 else All(tuple(items))
            items.append(self.item())

    def item(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("this is nested too deep")
        try:
            return self._item()
        finally:
            self.depth -= 1

    def _item(self) -> Node:
        self.skip()
        if self.at == len(self.text):
            raise self.error("something is missing at the end")
        if self.ahead("OR") or self.ahead("AND"):
            raise self.error("something is missing before this word")
        if self.operator("NOT"):
            return Not(self.item())
        character = self.text[self.at]
        if character == "-":
            self.at += 1
            if self.at == len(self.text) or self.text[self.at].isspace():
                raise self.error("what is to be left out is missing after `-`")
            return Not(self.item())
        if character == "(":
            return self.parentheses()
        if character == ")":
            raise self.error("something is missing before this parenthesis")
        scopes: tuple[Scope, ...] = ("root", "any")
        for scope in scopes:
            if self.text.startswith(f"{scope}:", self.at):
                self.at += len(scope) + 1
                return Scoped(scope, self.item())
        return self.term()

    def parentheses(self) -> Node:
        opened = self.at
        self.at += 1
        tree = self.alternatives()
        if self.at == len(self.text):
            raise FilterError("this parenthesis is never closed", opened, self.text)
        self.at += 1
        self.skip()
        return tree

    def term(self) -> Term:
        start = self.at
        found = _TERM.match(self.text, self.at)
        if found is None:
            value = self.value(commas=False)
            self.skip()
            return Term("", ":", (value,), start)
        self.at = found.end()
        field, sign = found.groups()
        values = [self.value(commas=True)]
        while self.at < len(self.text) and self.text[self.at] == ",":
            self.at += 1
            values.append(self.value(commas=True))
        self.skip()
        bare = sign.removeprefix(":")
        op: Op = "~" if bare == "~" else ">" if bare == ">" else ">=" if bare == ">=" else _smaller(bare)
        return Term(field, op, tuple(values), start)

    def value(self, *, commas: bool) -> Value:
        start = self.at
        if start < len(self.text) and self.text[start] in "\"'":
            return self.quoted(self.text[start])
        opened = 0
        while self.at < len(self.text):
            character = self.text[self.at]
            if character.isspace() or (commas and character == "," and not opened):
                break
            if character == ")":
                if not opened:
                    break
                opened -= 1
            elif character == "(":
                opened += 1
            self.at += 1
        if self.at == start:
            raise self.error("a value is missing here")
        return Value(self.text[start : self.at], False, start)

    def quoted(self, mark: str) -> Value:
        start = self.at
        self.at += 1
        letters: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == mark:
                return Value("".join(letters), True, start)
            if character == "\\" and self.at < len(self.text) and self.text[self.at] in (mark, "\\"):
                character = self.text[self.at]
                self.at += 1
            letters.append(character)
        raise FilterError("this quote is never closed", start, self.text)

    def ahead(self, word: str) -> bool:
        found = _WORD_OPERATOR.match(self.text, self.at)
        return found is not None and found[1] == word

    def operator(self, word: str) -> bool:
        if not self.ahead(word):
            return False
        self.at += len(word)
        self.skip()
        return True

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def error(self, message: str) -> FilterError:
        return FilterError(message, self.at, self.text)


def _smaller(sign: str) -> Op:
    return "<" if sign == "<" else "<=" if sign == "<=" else ":"
