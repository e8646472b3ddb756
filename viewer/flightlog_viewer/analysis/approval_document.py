"""A question to a human as the inbox opens it: what is known, what is asked, what may be answered, how to answer."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document, gap, heading, json_blocks, open_within, preview
from flightlog_viewer.analysis.question_line import allowed
from flightlog_viewer.analysis.snippets import answer_snippet, continue_snippet
from flightlog_viewer.analysis.times import wall
from flightlog_viewer.approvals.approval import Approval, Moment, Refusal
from flightlog_viewer.approvals.asker import asker_of


def age_seconds(approval: Approval, now: datetime) -> float | None:
    """How long a question has waited; None when nothing says when it was asked."""
    asked = approval.asked_at
    return None if asked is None else (now - asked).total_seconds()


def snippet(approval: Approval) -> str:
    """Python that answers a question, or goes on from a breakpoint, which has none."""
    if approval.breakpoint:
        return continue_snippet(approval.thread_id)
    return answer_snippet(approval.thread_id, approval.interrupt_id)


def document(approval: Approval, now: datetime, as_of: datetime | None, tz: tzinfo = UTC) -> Document:
    """One question: what is known about it, then, set off below, what the data says. Times are shown in ``tz``."""
    seconds = age_seconds(approval, now)
    blocks = [
        heading(
            f"{preview(approval.thread_id, 40)}  {preview(asker_of(approval), 50)}",
            "wait" if approval.status == "pending" else "strong",
        )
    ]
    if approval.status == "pending":
        seen = "" if as_of is None else f" as of {wall(as_of, tz)}"
        waits = "?" if seconds is None else units.age(seconds)
        known = f"no answer is recorded{seen}" if approval.refused is None else "an answer was refused"
        blocks.append(Block(f"has waited {waits}; {known}", "wait"))
    elif approval.status == "answered":
        blocks += _answered(approval, tz)
    else:
        blocks.append(Block("abandoned: the thread moved on without an answer", "dim"))
    blocks.append(Block(_when(approval.asked, tz), "", "asked   "))
    blocks.append(Block(preview(approval.interrupt_id, 40), "dim", "id      ", value=approval.interrupt_id))
    if approval.risk is not None:
        blocks.append(Block(f"{approval.risk:g}", "", "risk    "))
    choices = allowed(approval.question, approval.response_schema)
    if choices:
        blocks.append(Block(preview(" ".join(choices), 60), "", "allowed "))
    if approval.breakpoint and approval.question is None:
        blocks += [gap(), Block("stopped at a breakpoint: nothing was asked", "strong")]
        if approval.proposed:
            blocks.append(_quoted("the step before wrote", approval.proposed))
    else:
        blocks += [gap(), _quoted("question", approval.question)]
    if approval.response_schema is not None and approval.status == "pending":
        made = approval.response_schema
        blocks.append(Block("an answer has to be", "strong", make=lambda: json_blocks(made, depth=0), value=made))
    if approval.refused is not None and approval.status == "pending":
        blocks += _refused(approval.refused, tz)
    if approval.answer_recorded:
        blocks.append(_quoted("answer", approval.answer))
    if approval.status == "pending":
        how, code = "to go on" if approval.breakpoint else "to answer", snippet(approval)
        blocks += [gap(), heading(f"{how}, where the graph is (y copies)"), Block(code, "key", value=code)]
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


def _refused(refusal: Refusal, tz: tzinfo) -> list[Block]:
    """The answer that was not of the schema, or, where only a database tells of it, what came of it."""
    when = "" if refusal.at is None else f", {wall(refusal.at, tz)}"
    if refusal.answer_recorded:
        return [_quoted(f"an answer that was refused{when}", refusal.answer)]
    return [_quoted("an answer was refused with", refusal.error)]


def _quoted(label: str, value: Any) -> Block:
    """What comes from data stands below a line of ours, where the viewer draws a gutter beside it."""
    return Block(label, "strong", make=lambda: open_within(json_blocks(value, depth=0), 80), is_open=True, value=value)


def _when(moment: Moment, tz: tzinfo) -> str:
    if moment.exact and moment.earliest is not None:
        return wall(moment.earliest, tz)
    ends = [wall(end, tz) if end is not None else "?" for end in (moment.earliest, moment.latest)]
    return "unknown" if ends == ["?", "?"] else f"{ends[0]} .. {ends[1]}"
