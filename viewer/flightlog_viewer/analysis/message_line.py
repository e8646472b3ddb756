"""A message of a state in one line, as a person reads it, and the short form of where it stands."""

import re
from typing import Any, Final

from flightlog_viewer.analysis.json_forms import to_json

_LONGEST: Final = 500
"""Characters of a content: whoever shows the line cuts it further."""
_LONG_ID: Final = re.compile(r"\[id=(?:lc_run--)?([^\[\]]{8})[^\[\]]{4,}\]")


def message_line(form: Any) -> str | None:
    """``ai: I look it up. -> search({"q":"x"})`` of a message or a list of them; None for anything else."""
    if isinstance(form, list):
        texts = [message_line(item) for item in form]
        return "; ".join(text for text in texts if text) if texts and all(texts) else None
    if not isinstance(form, dict) or not isinstance(form.get("type"), str) or "content" not in form:
        return None
    content = form["content"]
    parts = [f"{form['type']}:", (content if isinstance(content, str) else to_json(content))[:_LONGEST]]
    calls = form.get("tool_calls")
    known = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    parts += [f"-> {call.get('name')}({to_json(call.get('args'))})" for call in known]
    return " ".join(part for part in parts if part)


def short_path(path: str) -> str:
    """``messages[id=4f1c22ab…]``: long ids tell no more than their beginning, behind what LangChain puts before all."""
    return _LONG_ID.sub(r"[id=\1…]", path)
