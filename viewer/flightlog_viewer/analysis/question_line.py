"""A question to a human and its answer in one line, as a person reads them.

The shapes are those of LangChain's human-in-the-loop middleware (`{"action_requests": [{"name", "args"}]}`), of the
agent inbox (`[{"action_request": {"action", "args"}}]`) and of what LangGraph's examples ask.
"""

from collections.abc import Mapping
from typing import Any, Final

from flightlog_viewer.analysis.document import preview
from flightlog_viewer.analysis.json_forms import to_json
from flightlog_viewer.approvals.decisions import classify, notes
from flightlog_viewer.checkpoints.inert import closed

_NAMES: Final = ("action", "tool", "name", "type", "task")
_ARGUMENTS: Final = ("args", "arguments", "input", "params")
_QUESTIONS: Final = ("question", "message", "prompt", "description", "text", "title")
_ALLOWED: Final = ("allowed", "allowed_decisions", "allowed_actions", "options", "choices", "answers")
_REQUESTS: Final = ("action_request", "action_requests", "review_configs")


def asked(question: Any) -> str:
    """``refund_order(id: 9) and 1 more``, ``"Refund?" (amount: 40)``, or the value in a few words."""
    if (words := closed(question)) is not None:
        return words
    calls = [call for found in _requests(question) if (call := _call(found)) is not None]
    if calls:
        return calls[0] if len(calls) == 1 else f"{calls[0]} and {len(calls) - 1} more"
    if isinstance(question, Mapping):
        for key in (*_QUESTIONS, *_NAMES):
            if isinstance(text := question.get(key), str):
                said = preview(text, 80) if key in _NAMES else f'"{preview(text, 80)}"'
                rest = {name: value for name, value in question.items() if name != key and name not in _ALLOWED}
                return f"{said} ({preview(rest, 60)})" if rest else said
    elif isinstance(question, str):
        return f'"{preview(question, 80)}"'
    return preview(question, 80) or to_json(question)[:80]


def answered(answer: Any) -> str:
    """``approve``, ``reject: too late``; JSON for a plain value and for what the usual words do not tell."""
    if (words := closed(answer)) is not None:
        return words
    if not isinstance(answer, Mapping | list) or (decision := classify(answer)) not in ("approve", "reject"):
        return to_json(answer)[:80]
    why = notes(answer)
    return decision if why is None else f"{decision}: {preview(why, 60)}"


def allowed(question: Any) -> list[str]:
    """The answers that a question says it takes; nothing when it does not say."""
    for found in _requests(question):
        for key in _ALLOWED:
            value = found.get(key)
            if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
                return [item[:30] for item in value[:12]]
        config = found.get("config")
        if isinstance(config, Mapping):
            names = [key.removeprefix("allow_") for key, on in config.items() if str(key).startswith("allow_") and on]
            if names:
                return names[:12]
    return []


def cut(text: str) -> str:
    """A text short enough for a table's cell."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def _call(request: Mapping[str, Any]) -> str | None:
    """What is to be done, of a request that names it and gives its arguments."""
    name = next((request[key] for key in _NAMES if isinstance(request.get(key), str)), None)
    arguments = next((request[key] for key in _ARGUMENTS if isinstance(request.get(key), Mapping)), None)
    return None if name is None or arguments is None else f"{preview(name, 60)}({preview(dict(arguments), 60)})"


def _requests(question: Any) -> list[Mapping[str, Any]]:
    """The objects that may describe the action: the value, those in a list, those under well-known keys."""
    items = question if isinstance(question, list) else [question]
    found: list[Mapping[str, Any]] = []
    for item in items[:20]:
        if not isinstance(item, Mapping):
            continue
        for key in _REQUESTS:
            inner = item.get(key)
            found += [one for one in (inner[:1000] if isinstance(inner, list) else [inner]) if isinstance(one, Mapping)]
        found.append(item)
    return found
