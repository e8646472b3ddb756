"""One step of a thread as documents: what changed, who wrote what, what is next, what was asked, the whole state."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document, gap, heading, json_blocks, open_within, preview, scalar
from flightlog_viewer.analysis.message_line import message_line, short_path
from flightlog_viewer.analysis.text_change import changed_lines, from_where_they_part
from flightlog_viewer.analysis.thread_status import BY_HAND, NewestRun, answered_in_vain
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.approvals.checkpoint_side import exchanges
from flightlog_viewer.checkpoints.model import Step, Task
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.checkpoints.state_diff import Change

TABS = ("Changes", "Writes", "Next", "Interrupts", "State", "Runs")
_SIGNS = {"added": ("+", "ok"), "removed": ("-", "error"), "changed": ("~", "wait"), "reordered": ("~", "wait")}
_MOST_PLACES = 20


def document(
    tab: str,
    step: Step,
    changes: Sequence[Change] | None,
    against: str,
    runs: Sequence[TraceRow],
    marks: Mapping[str, str],
    tz: tzinfo = UTC,
    *,
    newest: bool = False,
) -> Document:
    """One tab. ``against`` says what the changes are seen from: ``parent``, ``mark`` or ``none``.

    ``newest`` says that nothing came after the step: how the last of the ``runs`` ended is then said here.
    """
    if tab == "Changes":
        end = _end(step, runs[-1], marks) if newest and runs else []
        return Document([*end, *_changes(step, changes, against, marks)])
    if tab == "Writes":
        return Document(_writes(step, marks))
    if tab == "Next":
        return Document(_next(step))
    if tab == "Interrupts":
        return Document(_interrupts(step))
    if tab == "State":
        return Document(open_within(json_blocks(normal_form(step.values), "state")))
    return Document(_runs(runs, marks, tz))


def counts(changes: Sequence[Change] | None) -> str:
    """``messages +2  cart ~1``: changes by channel."""
    found: dict[str, dict[str, int]] = {}
    for change in changes or ():
        channel = change.path.split(".", 1)[0].split("[", 1)[0]
        signs = found.setdefault(channel, {})
        sign = _SIGNS[change.op][0]
        signs[sign] = signs.get(sign, 0) + 1
    return "  ".join(f"{c} {' '.join(f'{s}{n}' for s, n in signs.items())}" for c, signs in list(found.items())[:8])


def _end(step: Step, last: TraceRow, marks: Mapping[str, str]) -> list[Block]:
    """That the last run died or failed on the way from the newest step, where no task of the step says so itself."""
    if not step.next or any(task.error is not None for task in step.tasks):
        return []
    due = ", ".join(step.next)
    end_us = None if last.duration_ms is None else last.start_us + last.duration_ms * 1000
    run = NewestRun(last.status, last.start_us, end_us)
    if run.before(step.ts, step.source):
        what = "the state was changed by hand" if step.source in BY_HAND else "this step was made"
        return [Block(f"{what} after the last run failed or died: {due} is due", "wait")]
    if last.status == "unfinished":
        said = f"{marks.get('crashed', '!')} its process died from here, with {due} due: x shows what it was doing"
    elif last.status == "error":
        said = f"{marks.get('errored', '!')} its run failed from here, with {due} due: Runs leads to it"
    elif run.failed and not any(task.pending for task in step.tasks):
        said = f"{marks.get('errored', '!')} {run.failure}, with {due} due: Runs leads to it"
    elif last.status == "ok" and any(task.interrupts and not task.pending for task in step.tasks):
        said = f"{marks.get('errored', '!')} {answered_in_vain(step.next)}"
    else:
        return []
    return [Block(said, "error")]


def _changes(step: Step, changes: Sequence[Change] | None, against: str, marks: Mapping[str, str]) -> list[Block]:
    if against == "none":
        return open_within(json_blocks(normal_form(step.values), "state"))
    blocks = [
        Block(
            f"{marks.get('errored', '!')} {task.node} failed from here: {_short(normal_form(task.error), 300)}", "error"
        )
        for task in step.tasks
        if task.error is not None
    ]
    blocks.append(Block(f"against the {'step before' if against == 'parent' else 'marked step'}", "dim"))
    for change in changes or ():
        sign, tone = _SIGNS[change.op]
        before, after = normal_form(change.before), normal_form(change.after)
        if change.op == "reordered":
            text = _moved(before, after)
        elif change.op == "changed":
            text = " -> ".join(_short(value, 60) for value in _ends(before, after))
        else:
            text = _short(after if change.op == "added" else before, 120)
        by = f"   by {change.node}" if change.node else ""
        blocks.append(
            Block(
                f"{text}{by}",
                tone,
                f"{sign} {short_path(change.path)}",
                make=_both(change.op, before, after),
                value=after,
            )
        )
    if not changes:
        nothing = "what changed cannot be told: a checkpoint is closed" if changes is None else "nothing changed"
        blocks += _input(step) or [Block(nothing, "dim")]
    return blocks + [Block(note, "wait") for note in step.notes]


def _input(step: Step) -> list[Block]:
    """What a run began with: its first step changes nothing yet."""
    blocks = []
    for task in step.tasks if step.source == "input" else ():
        for channel, value in task.writes.items():
            form = normal_form(value)
            blocks.append(Block(_short(form, 120), "", f"input {channel}", make=partial(json_blocks, form), value=form))
    return blocks


def _short(value: Any, width: int) -> str:
    """A few words of a value; of nothing at all, what kind of nothing it is."""
    text = (message_line(value) or preview(value, width)).replace("\n", " ")
    if len(text) > width:
        return f"{text[: width - 1]}…"
    if text:
        return text
    return f"[{len(value)}] {_short(value[0], width)}" if isinstance(value, list) and value else scalar(value)


def _ends(before: Any, after: Any) -> tuple[Any, Any]:
    texts = isinstance(before, str) and isinstance(after, str)
    return from_where_they_part(before, after, 60) if texts else (before, after)


def _moved(before: list[str], after: list[str]) -> str:
    """``reordered: 1 2 3 -> 3 1 2``: where each stood before."""
    places = {name: str(place) for place, name in enumerate(before, 1)}
    orders = (" ".join(places[name] for name in order[:_MOST_PLACES]) for order in (before, after))
    return "reordered: " + " -> ".join(orders) + (" …" if len(before) > _MOST_PLACES else "")


def _both(op: str, before: Any, after: Any) -> Any:
    def make() -> list[Block]:
        blocks: list[Block] = []
        if op == "changed" and isinstance(before, str) and isinstance(after, str):
            tones = {"-": "error", "+": "ok"}
            blocks += [Block(line, tones.get(line[:1], "dim")) for line in changed_lines(before, after)]
        if op != "added":
            blocks += json_blocks(before, "before")
        if op != "removed":
            blocks += json_blocks(after, "after")
        return blocks

    return make


def _writes(step: Step, marks: Mapping[str, str]) -> list[Block]:
    blocks: list[Block] = []
    for task in step.tasks:
        blocks += _task(task, marks)
    if step.null_writes:
        blocks += [heading("written by a Command before it was resumed"), *json_blocks(normal_form(step.null_writes))]
    return blocks or [Block("no node has run from here", "dim")]


def _task(task: Task, marks: Mapping[str, str]) -> list[Block]:
    mark = marks.get(task.status, "-")
    tone = {"errored": "error", "interrupted": "wait"}.get(task.status, "strong")
    blocks = [Block(f"{mark} {task.node}  {task.status}  {task.task_id[:13]}", tone, value=task.task_id)]
    if task.error is not None:
        blocks.append(Block(preview(normal_form(task.error), 2000), "error", "error"))
    for channel, value in task.writes.items():
        blocks += json_blocks(normal_form(value), channel, depth=1)
    if task.goto:
        blocks.append(Block(", ".join(task.goto), "", "goes to"))
    return [*blocks, gap()]


def _next(step: Step) -> list[Block]:
    if not step.next and step.closed:
        return [Block("what is due cannot be told: the checkpoint is closed", "dim")]
    if not step.next:
        return [Block("nothing is due: the run ended here", "dim")]
    return [heading("due from here"), *(Block(node) for node in step.next)]


def _interrupts(step: Step) -> list[Block]:
    blocks: list[Block] = []
    for task in step.tasks:
        waiting = {interrupt.id for interrupt in task.pending}
        for exchange in exchanges(step, task):
            waits = exchange.question_recorded and exchange.interrupt_id in waiting
            blocks.append(heading(f"{task.node} {'waits' if waits else 'asked'}", "wait" if waits else "strong"))
            if exchange.question_recorded:
                blocks += open_within(json_blocks(normal_form(exchange.question), "question"), 60)
                blocks.append(Block(exchange.interrupt_id, "dim", "id", value=exchange.interrupt_id))
            else:
                blocks.append(Block("not kept: the next question of the task took its row", "dim", "question"))
            if exchange.answer_recorded:
                blocks += open_within(json_blocks(normal_form(exchange.answer), "answer"), 60)
            blocks.append(gap())
    return blocks or [Block("nothing was asked in this step", "dim")]


def _runs(runs: Sequence[TraceRow], marks: Mapping[str, str], tz: tzinfo) -> list[Block]:
    if not runs:
        return [Block("no run of this thread is in the span files", "dim")]
    blocks = [heading(f"{units.plural(len(runs), 'run')} of this thread; Enter opens one")]
    for run in runs:
        took = "" if run.duration_ms is None else units.duration(run.duration_ms)
        text = f"{marks.get(run.status, '?')} {units.clock(run.start_us, tz, date=True)}  {run.name}  {took}"
        tone = "error" if run.status == "error" else ""
        blocks.append(Block(text, tone, link=("trace", run.trace_id), value=run.trace_id))
    return blocks
