"""A question to a human in the words of an inbox: what is asked for, what may be answered, how to answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.approvals import Approval, Moment
from flightlog_viewer.analysis.document import Block, Document, gap, heading, json_blocks, open_within, preview
from flightlog_viewer.analysis.step_document import resume_snippet
from flightlog_viewer.analysis.times import wall

_NAMES = ("action", "tool", "name", "type", "task")
_ARGUMENTS = ("args", "arguments", "input", "params")
_QUESTIONS = ("question", "message", "prompt", "description", "text", "title")
_ALLOWED = ("allowed", "allowed_decisions", "allowed_actions", "options", "choices", "answers")


def action(question: Any) -> str:
    """``refund_order(id: 9)``, or the question in a few words, or the raw value."""
    for found in _requests(question):
        name = next((found[key] for key in _NAMES if isinstance(found.get(key), str)), None)
        arguments = next((found[key] for key in _ARGUMENTS if isinstance(found.get(key), Mapping)), None)
        if name is not None and arguments is not None:
            return f"{name}({preview(dict(arguments), 60)})"
    if isinstance(question, Mapping):
        for key in (*_QUESTIONS, *_NAMES):
            if isinstance(question.get(key), str):
                return preview(question[key], 80)
    return preview(question, 80)


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


def _requests(question: Any) -> list[Mapping[str, Any]]:
    """The objects that may describe the action: the value, those in a list, those under well-known keys."""
    items = question if isinstance(question, list) else [question]
    found: list[Mapping[str, Any]] = []
    for item in items[:20]:
        if not isinstance(item, Mapping):
            continue
        for key in ("action_request", "action_requests", "review_configs"):
            inner = item.get(key)
            found += [i for i in (inner if isinstance(inner, list) else [inner]) if isinstance(i, Mapping)]
        found.append(item)
    return found


def age_seconds(approval: Approval, now: datetime) -> float | None:
    """How long a question has waited; None when nothing says when it was asked."""
    asked = approval.asked_at
    return None if asked is None else (now - asked).total_seconds()


def document(approval: Approval, now: datetime, as_of: datetime | None, tz: tzinfo = UTC) -> Document:
    """One question: what is known about it, then, set off below, what the data says. Times are shown in ``tz``."""
    seconds = age_seconds(approval, now)
    blocks = [
        heading(
            f"{preview(approval.thread_id, 40)}  {preview(approval.node, 30)}",
            "wait" if approval.status == "pending" else "strong",
        )
    ]
    if approval.status == "pending":
        seen = "" if as_of is None else f", as of {wall(as_of, tz)}"
        waits = "?" if seconds is None else units.age(seconds)
        blocks.append(Block(f"has waited {waits}{seen}: no answer is recorded", "wait"))
    elif approval.status == "answered":
        blocks += _answered(approval, tz)
    else:
        blocks.append(Block("abandoned: the thread moved on without an answer", "dim"))
    blocks.append(Block(_when(approval.asked, tz), "", "asked   "))
    blocks.append(Block(preview(approval.interrupt_id, 40), "dim", "id      ", value=approval.interrupt_id))
    if approval.risk is not None:
        blocks.append(Block(f"{approval.risk:g}", "", "risk    "))
    choices = allowed(approval.question)
    if choices:
        blocks.append(Block(preview(" ".join(choices), 60), "", "allowed "))
    blocks += [gap(), _quoted("question", approval.question)]
    if approval.answer_recorded:
        blocks.append(_quoted("answer", approval.answer))
    if approval.status == "pending" and not approval.breakpoint:
        snippet = resume_snippet(approval.thread_id, approval.interrupt_id)
        blocks += [gap(), heading("to answer, where the graph is (y copies)"), Block(snippet, "key", value=snippet)]
    return Document(blocks)


def _answered(approval: Approval, tz: tzinfo) -> list[Block]:
    decision = approval.decision or "not recorded"
    by = f" by {preview(approval.decided_by, 30)}" if approval.decided_by else ""
    least, most = approval.lag_min_ms, approval.lag_max_ms
    if approval.exact:
        lag = f"after {units.duration(most)} (exact)"
    else:
        lag = f"after {units.duration(least)} to {units.duration(most)} (a window: only checkpoints tell)"
    tone = {"approve": "ok", "reject": "error", "edit": "wait"}.get(decision, "dim")
    blocks = [Block(f"{decision}{by} {lag}", tone, "answered")]
    if approval.notes:
        blocks.append(_quoted("notes", approval.notes))
    blocks.append(Block(_when(approval.answered, tz), "", "at      "))
    return blocks


def _quoted(label: str, value: Any) -> Block:
    """What comes from data stands below a line of ours, where the viewer draws a gutter beside it."""
    return Block(label, "strong", make=lambda: open_within(json_blocks(value, depth=0), 80), is_open=True, value=value)


def _when(moment: Moment, tz: tzinfo) -> str:
    if moment.exact and moment.earliest is not None:
        return wall(moment.earliest, tz)
    ends = [wall(end, tz) if end is not None else "?" for end in (moment.earliest, moment.latest)]
    return "unknown" if ends == ["?", "?"] else f"{ends[0]} .. {ends[1]}"
