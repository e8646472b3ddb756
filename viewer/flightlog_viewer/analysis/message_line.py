"""A message of a state in one line, as a person reads it, and the short form of where it stands."""

import re
from typing import Any, Final

from flightlog_viewer.analysis.json_forms import to_json
from flightlog_viewer.analysis.refusals import refused_beside, refused_in

_LONGEST: Final = 500
"""Characters of a content: whoever shows the line cuts it further."""
CALLS: Final = ("tool_use", "tool_call", "function_call")
"""Blocks of a content that stand in ``tool_calls`` too."""
_LONG_ID: Final = re.compile(r"\[id=(?:lc_run--)?([^\[\]]{8})[^\[\]]{4,}\]")


def message_line(form: Any) -> str | None:
    """``ai: I look it up. -> search({"q":"x"})`` of a message or a list of them; None for anything else."""
    if isinstance(form, list):
        texts = [message_line(item) for item in form]
        return "; ".join(text for text in texts if text) if texts and all(texts) else None
    if not isinstance(form, dict) or not isinstance(form.get("type"), str) or "content" not in form:
        return None
    known, invalid = _calls(form.get("tool_calls")), _calls(form.get("invalid_tool_calls"))
    parts = [f"{form['type']}:", _said(form["content"], CALLS if known or invalid else ())[:_LONGEST]]
    if (why := refused_beside(form)) is not None:
        parts.append(_refused(why)[:_LONGEST])
    parts += [f"-> {call.get('name')}({to_json(call.get('args'))})" for call in known]
    parts += [f"-> {call.get('name')}({to_json(call.get('args'))}) (invalid)" for call in invalid]
    return " ".join(part for part in parts if part)


def _calls(given: Any) -> list[dict[Any, Any]]:
    return [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []


def _said(content: Any, left_out: tuple[str, ...]) -> str:
    """The words of a content, and of its other blocks the type."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, str | dict) for part in content):
        return to_json(content)
    words = []
    for part in content:
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part.get("text"), str):
            words.append(part["text"])
        elif (why := refused_in(part)) is not None:
            words.append(_refused(why))
        elif part.get("type") not in left_out:
            words.append(f"({part.get('type', 'part')})")
    return " ".join(words)


def _refused(why: str) -> str:
    return f"(refused) {why}" if why else "(refused)"


def short_path(path: str) -> str:
    """``messages[id=4f1c22ab…]``: long ids tell no more than their beginning, behind what LangChain puts before all."""
    return _LONG_ID.sub(r"[id=\1…]", path)
