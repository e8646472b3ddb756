"""LangGraph's questions and answers in foreign spans, which hold them as Python's ``repr`` of an exception or as input.

Nothing is executed: a question is read as a literal, and one that is not (a dataclass, say) stays the text it is.
"""

import ast
import math
import re
import warnings
from typing import Any, Final

_ASKED: Final = "Interrupt(value="
_ID: Final = re.compile(r",\s*id='([0-9a-f]{32})'")
_ANY_ID: Final = re.compile(r"\bid='([0-9a-f]{32})'")
_IS_ID: Final = re.compile(r"[0-9a-f]{32}")
_STRING: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_OUTLINE: Final = re.compile(
    r"(?:(?<![)\]}])[(\[{]|[)\]},:]|(?:-?\d+(?:\.\d*)?(?:e[+-]?\d+)?|True|False|None)(?=[,:)\]}]|$))*"
)
"""Containers, numbers and names, without blanks and with a number for each string."""
_MOST_CHARACTERS: Final = 1 << 14
"""Python's parser takes a hundred times what it reads."""
_DEEPEST: Final = 50
_INT64: Final = 1 << 63
_COMMAND: Final = frozenset(("graph", "update", "resume", "goto"))
"""What LangGraph's ``Command`` looks like once it is JSON."""


def questions(*texts: str) -> list[dict[str, Any]]:
    """``{id, value}`` of each interrupt that a ``GraphInterrupt`` carried, by its message; ``{id}`` where it is cut."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        for part in text.split(_ASKED)[1:]:
            if (end := _ID.search(part)) is not None:
                found.setdefault(end[1], {"id": end[1], "value": _literal(part[: end.start()])})
    for text in texts:
        for interrupt_id in _ANY_ID.findall(text):
            found.setdefault(interrupt_id, {"id": interrupt_id})
    return list(found.values())


def answers(inputs: Any) -> list[dict[str, Any]] | None:
    """What a human answered, when a graph's input was ``Command(resume=...)``; None when it was something else."""
    if not isinstance(inputs, dict) or inputs.keys() != _COMMAND or (resume := inputs["resume"]) is None:
        return None
    if isinstance(resume, dict) and resume and all(_IS_ID.fullmatch(key) for key in resume):
        return [{"interrupt_id": key, "value": value} for key, value in resume.items()]
    return [{"value": resume}]


def _literal(text: str) -> Any:
    """The value that Python writes so, as JSON can hold it; the text itself where it is none."""
    if len(text) > _MOST_CHARACTERS or not _is_harmless(text):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has opinions about texts that it would not have written
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _is_harmless(text: str) -> bool:
    """Whether it is made of nothing but literals, not too deep: long chains of anything else end Python's parser, and
    the process with it, in a thread with a small stack.
    """
    outline = "".join(_STRING.sub("0", text).split())
    deep = 0
    for char in outline:
        deep += (char in "([{") - (char in ")]}")
        if deep > _DEEPEST:
            return False
    return _OUTLINE.fullmatch(outline) is not None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key) if isinstance(key, str) else repr(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        value.encode()  # a lone surrogate is a ValueError
        return value
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise ValueError("a number that few can read")
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("a value that JSON does not have")
