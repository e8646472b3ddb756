"""What a human's answer means: approve, reject, edit or something else; who gave it, and why.

The words are those people type and the fields those that LangGraph's examples, LangChain's human-in-the-loop middleware
(`{"decisions": [{"type": "approve"}]}`), its answers to MCP servers (`{"responses": {key: {"action": "accept"}}}`) and
the agent inbox (`[{"type": "accept", "args": ...}]`) use. At a breakpoint a call of a tool is turned down by a message
in its place, by its words or its status: `{"messages": [{"type": "tool", "content": "Rejected: too late"}]}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

Decision: TypeAlias = Literal["approve", "reject", "edit", "other"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_APPROVE = _words(
    "approve approved approves yes y yep yeah ok okay accept accepted allow allowed confirm confirmed agree agreed go "
    "continue proceed true sure lgtm granted pass passed"
) | {"go ahead", "ship it", "looks good", "do it"}
_REJECT = _words(
    "reject rejected no n nope deny denied decline declined cancel cancelled canceled abort aborted stop refuse "
    "refused block blocked disapprove disapproved false ignore fail failed never"
) | {"do not", "don't"}
_EDIT = _words("edit edited modify modified change changed revise revised amend amended correct corrected")

_YES_FIELDS = ("approved", "approve", "accepted", "accept", "allowed", "allow", "confirmed", "confirm", "ok", "proceed")
_NO_FIELDS = ("rejected", "reject", "denied", "declined", "cancelled", "canceled")
_WORD_FIELDS = ("decision", "action", "type", "verdict", "choice", "status", "answer", "response", "outcome", "result")
_LAST_WORDS = tuple(f"_{name}" for name in (*_YES_FIELDS, *_WORD_FIELDS))
_EDIT_FIELDS = ("edited_action", "edits", "edited", "edited_args", "modified", "changes", "new_args", "corrections")
_WHO_FIELDS = (
    *("decided_by", "approved_by", "rejected_by", "reviewed_by", "reviewer", "approver", "answered_by", "by"),
    *("user", "username", "user_id", "email", "actor", "who"),
)
_WHY_FIELDS = (
    "notes",
    "note",
    "human_notes",
    "comment",
    "comments",
    "reason",
    "rationale",
    "feedback",
    "message",
    "why",
)
_TURNED_DOWN = re.compile(
    r"\b(reject(s|ed|ion)?|den(y|ies|ied|ial)|declin(e|es|ed)|disapproved?|refused?|cancell?ed|aborted|"
    r"not (approved?|allowed|permitted|accepted))\b|^(I |please )?do(n.t| not)\b",
    re.IGNORECASE,
)
"""How a message says that a call was not let run."""
_BEGINNING = 200
"""Characters of a message that are looked at."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Between the words of `managerApproved`."""
_DEPTH = 4


def classify(answer: Any) -> Decision:
    """The class of an answer; `other` for anything that the usual words and fields do not tell."""
    return _classify(answer, 0) or "other"


def decided_by(answer: Any) -> str | None:
    """Who decided, when the answer names them."""
    return _text_field(answer, _WHO_FIELDS, 0)


def notes(answer: Any) -> str | None:
    """Why, when the answer says so, or the message by which a call was turned down."""
    return _text_field(answer, _WHY_FIELDS, 0) or next((message["content"] for message in _turning_down(answer)), None)


def said_in(metadata: Mapping[Any, Any]) -> dict[str, str]:
    """What a run's metadata says of the decision that it carries out: `decision`, `decided_by`, `notes`.

    A static breakpoint keeps no answer, so the run that goes on is the one place where an application can say it.
    """
    named = ((name, metadata.get(name)) for name in ("decision", "decided_by", "notes"))
    return {name: value for name, value in named if isinstance(value, str) and value}


def risk_score(*places: Any) -> float | None:
    """The first `risk_score` in a question or a state, at most a few levels deep."""
    for place in places:
        if (found := _find_number(place, "risk_score", 0)) is not None:
            return found
    return None


def _classify(answer: Any, depth: int) -> Decision | None:
    if isinstance(answer, bool):
        return "approve" if answer else "reject"
    if isinstance(answer, str):
        return _classify_text(answer)
    if depth > _DEPTH:
        return None
    if isinstance(answer, list):
        return _together(_classify(item, depth + 1) for item in answer)
    if isinstance(answer, Mapping):
        return _classify_fields(answer, depth)
    return None


def _classify_fields(answer: Mapping[Any, Any], depth: int) -> Decision | None:
    fields = _fields(answer)
    if isinstance(fields.get("decisions"), list):
        return _together(_classify(item, depth + 1) for item in fields["decisions"])
    if isinstance(fields.get("responses"), Mapping):
        return _together(_classify(item, depth + 1) for item in fields["responses"].values())
    edits = any(fields.get(name) for name in _EDIT_FIELDS)
    for name, value in fields.items():
        stem = name.removeprefix("human_").removeprefix("is_").removeprefix("user_")
        if stem in _YES_FIELDS and (said := _classify(value, depth + 1)) is not None:
            return "edit" if said == "approve" and edits else said
        if stem in _NO_FIELDS and isinstance(value, bool):
            return "reject" if value else "approve"
    for name in _WORD_FIELDS:
        if name in fields and (said := _classify(fields[name], depth + 1)) is not None:
            return "edit" if said == "approve" and edits else said
    for name, value in fields.items():  # human_decision, manager_approved and the like; no notebook is an "ok"
        if (
            name.endswith(_LAST_WORDS)
            and not name.startswith("not_")
            and (said := _classify(value, depth + 1)) is not None
        ):
            return said
    if edits:
        return "edit"
    return "reject" if any(_turning_down(answer)) else None


def turns_call_down(given: Mapping[str, Any]) -> bool:
    """Whether new input has a message in place of a tool's call, which turns that down."""
    return any(message.get("type") == "tool" for message in _turning_down(given))


def _turning_down(answer: Any) -> Iterator[Mapping[str, Any]]:
    """The messages by which a call was turned down, among those that were written."""
    for written in answer.values() if isinstance(answer, Mapping) else ():
        for message in written[:20] if isinstance(written, list) else [written]:
            if isinstance(message, Mapping) and message.get("type") in ("tool", "ai") and not message.get("tool_calls"):
                text = message.get("content")
                if isinstance(text, str) and (
                    message.get("status") == "error"
                    or _TURNED_DOWN.search(text[:_BEGINNING])
                    or _classify_text(text) == "reject"
                ):
                    yield message


def _fields(answer: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields by their names in small letters, `managerApproved` as `manager_approved`."""
    return {_HUMP.sub("_", str(key)).lower(): value for key, value in answer.items()}


def _classify_text(answer: str) -> Decision | None:
    text = " ".join(answer.lower().split())[:_BEGINNING].strip(" .!?'\"")
    for part in (text, _head(text)):
        if part in _APPROVE:
            return "approve"
        if part in _REJECT:
            return "reject"
        if part in _EDIT:
            return "edit"
    return None


def _head(text: str) -> str:
    """What stands before the first punctuation: `yes` of `yes, but hurry`."""
    for index, character in enumerate(text):
        if character in ",:;.!?-(":
            return text[:index].strip()
    return text


def _together(decisions: Iterable[Decision | None]) -> Decision | None:
    """One decision for several: a single objection counts."""
    found = list(decisions)
    if "reject" in found:
        return "reject"
    if "edit" in found:
        return "edit"
    return "approve" if found and all(decision == "approve" for decision in found) else None


def _text_field(answer: Any, names: Iterable[str], depth: int) -> str | None:
    if depth > _DEPTH:
        return None
    if isinstance(answer, list):
        return next((text for item in answer[:20] if (text := _text_field(item, names, depth + 1)) is not None), None)
    if not isinstance(answer, Mapping):
        return None
    fields = _fields(answer)
    for name in names:
        if isinstance(value := fields.get(name), str) and value:
            return value
    return _text_field(fields["decisions"], names, depth + 1) if isinstance(fields.get("decisions"), list) else None


def _find_number(place: Any, name: str, depth: int) -> float | None:
    if not isinstance(place, Mapping) or depth > _DEPTH:
        return None
    value = place.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    for inner in place.values():
        if (found := _find_number(inner, name, depth + 1)) is not None:
            return found
    return None
