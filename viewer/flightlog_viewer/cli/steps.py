"""How the steps of one thread are printed, as text or as JSON."""

import re
from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import chain

from flightlog.errors import UnreadableError, UsageError
from flightlog_viewer.analysis.json_forms import step_form, to_json
from flightlog_viewer.analysis.message_line import message_line, short_path
from flightlog_viewer.analysis.question_line import answered, asked
from flightlog_viewer.analysis.snippets import answer_snippet, continue_snippet, fork_snippet
from flightlog_viewer.analysis.text_change import changed_lines, from_where_they_part
from flightlog_viewer.analysis.times import shown
from flightlog_viewer.analysis.units import plural
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.checkpoint_side import exchanges
from flightlog_viewer.checkpoints import DeltaState, Step, Task, ThreadHistory
from flightlog_viewer.checkpoints.inert import closed
from flightlog_viewer.checkpoints.lineage import Lineage
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.checkpoints.state_diff import Change
from flightlog_viewer.checkpoints.tasks import depth
from flightlog_viewer.cli import output

_SHOWN = 100
"""Characters of a value in the text form; `--json` shows all."""
_STEP_NUMBER = re.compile(r"-?[0-9]{1,7}")
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "reordered": "~ reordered"}


class Steps:
    """The steps of a thread, for a person or as JSON; read once, in order."""

    def __init__(self, history: ThreadHistory, *, at: str | None, ns: str | None, tz: tzinfo = UTC) -> None:
        self._history = history
        self._tz = tz
        self._newest: dict[str, str] = {}
        """Namespace to the newest checkpoint seen."""
        self._at = at
        self._ns = ns

    def json_parts(self) -> Iterator[str]:
        """The pieces of the JSON document, step by step, so that no more than one is held."""
        steps = self._begun()
        yield f'{{"thread_id": {to_json(self._history.thread_id)}, "steps": ['
        separator = "\n"
        for step in steps:
            yield separator + to_json(step_form(step))
            separator = ",\n"
        yield "\n]}\n"

    def show(self) -> None:
        """Print the steps as text, and how to go on from the last of them."""
        last: Step | None = None
        newest: dict[str, str] = {}
        day = ""
        steps = self._begun()
        output.line(f"thread {self._history.thread_id}")
        for step in steps:
            date, _, time = shown(step.ts, self._tz).partition(" ")
            if date and date != day:  # a thread can wait for days
                output.line("")
                output.line(date[:10])
                day = date
            _show_step(step, newest.get(step.checkpoint_ns), time[:12])
            newest[step.checkpoint_ns] = step.checkpoint_id
            if last is None or step.checkpoint_ns == "" or last.checkpoint_ns != "":
                last = step
        if last is not None:
            _show_snippets(last, newest=self._newest.get(last.checkpoint_ns) == last.checkpoint_id)

    def show_diff(self, first: str, second: str, *, json: bool) -> None:
        """Print what changed in the state between two steps."""
        lineage = Lineage()
        before, after = self._find(first, second, lineage)
        changes = lineage.changes(before, after)
        if changes is None:
            unread = before if before.closed else after
            raise UnreadableError(f"what changed cannot be told: of step {unread.step}, {unread.notes[0]}")
        if json:
            output.json_value(
                {
                    "thread_id": self._history.thread_id,
                    "from": before.checkpoint_id,
                    "to": after.checkpoint_id,
                    "changes": [normal_form(change.to_json()) for change in changes],
                }
            )
            return
        # After a fork several steps have one number, so the ids say which these are.
        ends = " -> ".join(
            f"step {'?' if end.step is None else end.step} {end.checkpoint_id}" for end in (before, after)
        )
        output.line(f"{ends}: {plural(len(changes), 'change')}")
        for change in changes:
            output.line(f"  {_change_text(change)}{_by(change)}")
            for line in _lines(change):
                output.line(f"      {line}")

    def _begun(self) -> Iterator[Step]:
        """The steps, the first one read: what cannot be read or found is said before anything is printed."""
        steps = self._steps()
        first = next(steps, None)
        return chain([] if first is None else [first], steps)

    def _steps(self) -> Iterator[Step]:
        found = False
        for step in self._history.steps:
            self._newest[step.checkpoint_ns] = step.checkpoint_id
            if self._at is None or _is(step, self._at):
                found = True
                yield step
        if not found and self._at is not None:
            raise UsageError(_no_step(self._history.thread_id, self._at))

    def _find(self, first: str, second: str, lineage: Lineage) -> tuple[Step, Step]:
        """Two steps; a number is one of the root graph, if no namespace is given, an id any."""
        found: dict[str, Step] = {}
        for step in self._history.steps:
            lineage.add(step)
            for wanted in (first, second):
                # After a fork two steps have one number: the newer stands for it.
                if _is(step, wanted) and (step.checkpoint_ns == (self._ns or "") or not _STEP_NUMBER.fullmatch(wanted)):
                    found[wanted] = step
        for wanted in (first, second):
            if wanted not in found:
                raise UsageError(_no_step(self._history.thread_id, wanted))
        return found[first], found[second]


def _is(step: Step, wanted: str) -> bool:
    if _STEP_NUMBER.fullmatch(wanted):
        return step.step == int(wanted)
    return step.checkpoint_id.startswith(wanted)


def _no_step(thread_id: str, wanted: str) -> str:
    return f"thread {thread_id} has no step {wanted!r}: give a step number or the beginning of a checkpoint id"


def _show_step(step: Step, before: str | None, time: str) -> None:
    """One step; `before` is the step printed before it in its namespace: another parent makes it a branch."""
    indent = "  " * depth(step.checkpoint_ns)
    number = "?" if step.step is None else step.step
    resumed = ", resumed" if step.resumed_from_parent and step.source == "loop" else ""
    namespace = f"  in {step.checkpoint_ns}" if step.checkpoint_ns else ""
    if before is not None and step.parent_checkpoint_id not in (before, None):
        namespace += f"  branches from {step.parent_checkpoint_id}"
    output.line("")
    output.line(
        f"{indent}step {number}  {step.source or 'unknown source'}{resumed}  {time}  {step.checkpoint_id}{namespace}"
    )
    for note in step.notes:
        output.line(f"{indent}  ! {note}")
    for change in step.changes or ():
        output.line(f"{indent}  {_change_text(change)}{_by(change)}")
    for channel, state in step.not_materialised.items():
        output.line(f"{indent}  {channel}: {_delta_text(state)}")
    for task in step.tasks:
        output.line(f"{indent}  > {_task_text(step, task)}")
    if not step.tasks and not step.next and not step.closed:
        output.line(f"{indent}  > end")


def _task_text(step: Step, task: Task) -> str:
    parts = [f"{task.node} {task.status}"]
    if task.by_update and task.node != "update_state":
        parts.append("by update_state")
    if task.goto:
        parts.append(f"-> {', '.join(task.goto)}")
    parts += [_exchange_text(exchange) for exchange in exchanges(step, task)]
    if task.error is not None:
        parts.append(f"{'failed before with' if task.status == 'finished' else 'error'} {_text(task.error)}")
    return "  ".join(parts)


def _delta_text(state: DeltaState) -> str:
    """What is known of a delta channel between two snapshots."""
    snapshot = "no snapshot"
    if state.snapshot_checkpoint_id is not None:
        snapshot = f"snapshot {_text(state.snapshot)} of {state.snapshot_checkpoint_id}"
    count = len(state.writes)
    last = f", the last {_text(state.writes[-1])}" if count else ""
    return f"not materialised: {snapshot}, {plural(count, 'write')} since{last}"


def _exchange_text(exchange: Approval) -> str:
    """A question and its answer; of all but the last question of a task only the answer is kept."""
    asks = f"asks {asked(normal_form(exchange.question))} ({exchange.interrupt_id})"
    question = asks if exchange.question_recorded else ""
    if not exchange.answer_recorded:
        return question
    answer = f"answered {answered(normal_form(exchange.answer))}"
    return f"{question}  {answer}" if question else f"{answer} before"


def _change_text(change: Change) -> str:
    sign = _SIGNS[change.op]
    path = short_path(change.path)
    if change.op in ("changed", "reordered"):
        before, after = change.before, change.after
        if isinstance(before, str) and isinstance(after, str):
            before, after = from_where_they_part(before, after, _SHOWN)
        return f"{sign} {path}: {_text(before)} -> {_text(after)}"
    return f"{sign} {path}: {_text(change.after if change.op == 'added' else change.before)}"


def _lines(change: Change) -> list[str]:
    """The lines of a text that changed."""
    texts = isinstance(change.before, str) and isinstance(change.after, str)
    return changed_lines(change.before, change.after) if texts and change.op == "changed" else []


def _by(change: Change) -> str:
    return f"  by {change.node}" if change.node else ""


def _text(value: object) -> str:
    form = normal_form(value)
    text = closed(value) or message_line(form) or to_json(form)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _show_snippets(step: Step, *, newest: bool) -> None:
    """Python that goes on from a step, for the user to run where their graph is."""
    output.line("")
    if not step.next and step.closed:
        output.line("# whether anything is due after this step cannot be told")
        return
    if not step.next:
        output.line("# nothing is due after this step; `--at STEP` shows how to run again from an earlier one")
        return
    asked = [interrupt.id for _, interrupt in step.pending]
    if newest and asked:
        output.line("# answer the question:" if len(asked) == 1 else "# answer the questions, all or some:")
        output.line(answer_snippet(step.thread_id, *asked))
    elif newest:
        output.line("# go on with what is due:")
        output.line(continue_snippet(step.thread_id))
    output.line("# run again from this step, as a fork:")
    output.line(fork_snippet(step))
