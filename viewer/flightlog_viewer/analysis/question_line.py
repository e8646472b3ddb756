"""A question to a human and its answer in one line, as a person reads them.

The shapes are those of LangChain's human-in-the-loop middleware (`{"action_requests": [{"name", "args"}]}`), of the
agent inbox (`[{"action_request": {"action", "args"}}]`), of what MCP servers ask (`{"type": "mcp_elicitation",
"tool_name", "requests": [{"message"}]}`), and of what LangGraph's examples ask.
"""

from collections.abc import Mapping
from typing import Any, Final

from flightlog_viewer.analysis.document import preview
from flightlog_viewer.analysis.json_forms import to_json
from flightlog_viewer.analysis.message_line import message_line
from flightlog_viewer.approvals.decisions import classify, decided_by, notes
from flightlog_viewer.checkpoints.inert import closed

_NAMES: Final = ("action", "tool", "name", "type", "task")
_ARGUMENTS: Final = ("args", "arguments", "input", "params")
_QUESTIONS: Final = ("question", "message", "prompt", "description", "text", "title")
_ALLOWED: Final = ("allowed", "allowed_decisions", "allowed_actions", "options", "choices", "answers")
_ELICITATION: Final = "mcp_elicitation"
_DECIDES: Final = ("type", "decision", "action", "verdict", "choice", "approved", "answer", "status")
"""Fields of an answer that tell what it means."""
_DEPTH: Final = 4
_ANSWER: Final = 80
"""Characters of an answer as JSON."""
_EDITS: Final = ("edited_action", "args")
_RESPONDS: Final = ("respond", "response")
_SAID: Final = ("message", "args")
_REQUESTS: Final = ("action_request", "action_requests", "review_configs")


def asked(question: Any) -> str:
    """``refund_order(id: 9) and 1 more``, ``"Refund?" (amount: 40)``, or the value in a few words."""
    if (words := closed(question)) is not None:
        return words
    calls = [call for found in _requests(question) if (call := _call(found)) is not None]
    if calls:
        return calls[0] if len(calls) == 1 else f"{calls[0]} and {len(calls) - 1} more"
    if isinstance(question, Mapping):
        if question.get("type") == _ELICITATION and (said := _elicited(question)) is not None:
            return said
        for key in (*_QUESTIONS, *_NAMES):
            if isinstance(text := question.get(key), str):
                said = preview(text, 80) if key in _NAMES else f'"{preview(text, 80)}"'
                rest = {name: value for name, value in question.items() if name != key and name not in _ALLOWED}
                return f"{said} ({preview(rest, 60)})" if rest else said
    elif isinstance(question, str):
        return f'"{preview(question, 80)}"'
    return preview(question, 80) or to_json(question)[:80]


def proposed(made: Mapping[str, Any]) -> str:
    """``ai: -> refund({"id":9})`` or ``plan: refund, risk_score: 0.9`` of what the step before a breakpoint wrote."""
    parts = []
    for channel, value in list(made.items())[:20]:
        text = message_line(value[:20] if isinstance(value, list) else value)
        parts.append(f"{preview(channel, 30)}: {_short(value)}" if text is None else preview(text, 80))
    return ", ".join(parts)


def _short(value: Any) -> str:
    if isinstance(value, list) and value:
        more = f" and {len(value) - 1} more" if len(value) > 1 else ""
        return f"[{_short(value[0])}{more}]"
    return f"{{{preview(value, 60)}}}" if isinstance(value, dict) and closed(value) is None else preview(value, 60)


def answered(answer: Any) -> str:
    """``approve by ana``, ``reject: too late``, ``edit: refund(id: 9)``, ``respond: it is done``; of several each.

    JSON for a plain value and for what the usual words do not tell.
    """
    if (words := closed(answer)) is not None:
        return words
    decisions = answer.get("decisions") if isinstance(answer, Mapping) else answer
    if isinstance(decisions, list) and len(decisions) > 1:
        said = [_decided(one) for one in decisions[:20]]
        if None not in said:
            return ", ".join(dict.fromkeys(line for line in said if line is not None))
    line = _decided(decisions[0] if isinstance(decisions, list) and len(decisions) == 1 else answer)
    if line is not None:
        return line
    whole = to_json(answer)
    return whole if len(whole) <= _ANSWER else f"{whole[: _ANSWER - 1]}…"


def _decided(answer: Any) -> str | None:
    """A decision in a word, with its reason or what is done instead; None for what is not told so."""
    if not isinstance(answer, Mapping | list):
        return None
    if (decision := classify(answer)) in ("approve", "reject"):
        who, why = decided_by(answer), notes(answer)
        by = "" if who is None else f" by {preview(who, 30)}"
        return f"{decision}{by}" if why is None else f"{decision}{by}: {preview(why, 60)}"
    if not isinstance(answer, Mapping):
        return None
    if decision == "edit":
        edits = (answer[key] for key in _EDITS if isinstance(answer.get(key), Mapping))
        call = next((line for edit in edits if (line := _call(edit)) is not None), None)
        return None if call is None else f"edit: {call}"
    said = next((answer[key] for key in _SAID if isinstance(answer.get(key), str)), None)
    return f"respond: {preview(said, 60)}" if answer.get("type") in _RESPONDS and said is not None else None


def allowed(question: Any, schema: Any = None) -> list[str]:
    """The answers that a question says it takes, itself or by its schema; nothing when it does not say."""
    if isinstance(question, Mapping) and question.get("type") == _ELICITATION:
        return ["accept", "decline", "cancel"]
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
    return [item[:30] for item in _of_schema(schema, schema, 0)[:12]]


def _of_schema(whole: Any, part: Any, depth: int) -> list[str]:
    """The words among which a JSON Schema lets choose: values, or those of the field that tells what is meant."""
    if depth > _DEPTH or not isinstance(part, Mapping):
        return []
    if isinstance(name := part.get("$ref"), str):
        parts = whole.get("$defs") if isinstance(whole, Mapping) else None
        return _of_schema(whole, parts.get(name.rpartition("/")[2]) if isinstance(parts, Mapping) else None, depth + 1)
    if "const" in part:
        return [_word(part["const"])]
    if isinstance(values := part.get("enum"), list):
        return [_word(value) for value in values]
    if part.get("type") == "boolean":
        return ["true", "false"]
    for key in ("oneOf", "anyOf"):
        if isinstance(several := part.get(key), list):
            found = [_of_schema(whole, one, depth + 1) for one in several[:12]]
            return [word for words in found for word in words] if all(found) else []
    fields = part.get("properties")
    known = [fields[name] for name in _DECIDES if name in fields] if isinstance(fields, Mapping) else []
    return next((words for field in known if (words := _of_schema(whole, field, depth + 1))), [])


def _word(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)


def cut(text: str) -> str:
    """A text short enough for a table's cell."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def _elicited(question: Mapping[str, Any]) -> str | None:
    """What an MCP server asks before a tool goes on."""
    requests = question.get("requests")
    known = [one for one in requests[:1000] if isinstance(one, Mapping)] if isinstance(requests, list) else []
    messages = [one["message"] for one in known if isinstance(one.get("message"), str)]
    if not messages:
        return None
    more = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
    return f'"{preview(messages[0], 80)}"{more} ({preview(question.get("tool_name"), 60)})'


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
