"""The JSON that `threads --json` and `replay --json` print; public, and documented in docs/checkpoints.md."""

import json
from datetime import datetime
from typing import Any

import orjson

from flightlog_viewer.approvals.approval import Approval, Refusal
from flightlog_viewer.approvals.checkpoint_side import exchanges
from flightlog_viewer.checkpoints.model import Step, Task, ThreadSummary
from flightlog_viewer.checkpoints.normal import normal_form


def thread_form(thread: ThreadSummary) -> dict[str, Any]:
    """One thread of `threads --json`."""
    return {
        "thread_id": thread.thread_id,
        "status": thread.status,
        "inferred": thread.inferred,
        "checkpoints": thread.checkpoints,
        "steps": thread.steps,
        "updated_at": thread.updated_at,
        "pending": [{"id": p.id, "node": p.node, "value": normal_form(p.value)} for p in thread.pending],
        "next": list(thread.next),
        "error": normal_form(thread.error),
        "note": thread.note,
        "source": thread.source,
        "in_flight": list(thread.in_flight),
    }


def step_form(step: Step) -> dict[str, Any]:
    """One step of `replay --json`; `notes` and `not_materialised` are there only when they say something."""
    changes = step.changes
    form: dict[str, Any] = {
        "checkpoint_id": step.checkpoint_id,
        "parent_checkpoint_id": step.parent_checkpoint_id,
        "checkpoint_ns": step.checkpoint_ns,
        "step": step.step,
        "source": step.source,
        "ts": step.ts,
        "next": list(step.next),
        "tasks": [_task_form(step, task) for task in step.tasks],
        "values": normal_form(step.values),
        "changes": None if changes is None else [normal_form(change.to_json()) for change in changes],
    }
    if step.null_writes:
        form["command_writes"] = normal_form(step.null_writes)
    if step.not_materialised:
        form["not_materialised"] = {
            channel: {
                "snapshot": normal_form(state.snapshot),
                "snapshot_checkpoint_id": state.snapshot_checkpoint_id,
                "writes": normal_form(list(state.writes)),
            }
            for channel, state in step.not_materialised.items()
        }
    if step.notes:
        form["notes"] = list(step.notes)
    return form


def approval_form(approval: Approval) -> dict[str, Any]:
    """One question of `approvals --json`. Of windows `asked_at` is the beginning, `answered_at` the end."""
    return {
        "interrupt_id": approval.interrupt_id,
        "thread_id": approval.thread_id,
        "trace_id": approval.trace_id,
        "node": approval.node,
        "agent": approval.agent,
        "checkpoint_ns": approval.checkpoint_ns,
        "checkpoint_id": approval.checkpoint_id,
        "status": approval.status,
        "question": normal_form(approval.question),
        "question_recorded": approval.question_recorded,
        "response_schema": normal_form(approval.response_schema),
        "refused": None if approval.refused is None else refusal_form(approval.refused),
        "proposed": normal_form(approval.proposed),
        "decision": approval.decision,
        "answer": normal_form(approval.answer),
        "answer_recorded": approval.answer_recorded,
        "decided_by": approval.decided_by,
        "notes": approval.notes,
        "risk_score": approval.risk,
        "asked_at": _time(approval.asked_at),
        "answered_at": _time(approval.answered_at),
        "lag_min_ms": approval.lag_min_ms,
        "lag_max_ms": approval.lag_max_ms,
        "exact": approval.exact,
        "origin": approval.origin,
        "breakpoint": approval.breakpoint,
        "inferred": approval.breakpoint,
    }


def refusal_form(refusal: Refusal) -> dict[str, Any]:
    """An answer that was refused: ``at`` and ``answer`` where spans tell of it, ``error`` where a database does."""
    return {"at": _time(refusal.at), "answer": normal_form(refusal.answer), "error": refusal.error}


def to_json(form: Any) -> str:
    """A form as one line of JSON text; lone surrogates and integers beyond 64 bits included."""
    try:
        return orjson.dumps(form).decode()
    except orjson.JSONEncodeError:
        return json.dumps(form, separators=(",", ":"))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _task_form(step: Step, task: Task) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "node": task.node,
        "status": task.status,
        "writes": normal_form(task.writes),
        "interrupts": [{"id": interrupt.id, "value": normal_form(interrupt.value)} for interrupt in task.interrupts],
        "resume": normal_form(_resume(step, task)),
        "error": normal_form(task.error),
    }


def _resume(step: Step, task: Task) -> Any:
    """The answer, or the list of answers where there are several; None without one."""
    answers = [exchange.answer for exchange in exchanges(step, task) if exchange.answer_recorded]
    return answers[0] if len(answers) == 1 else answers or None
