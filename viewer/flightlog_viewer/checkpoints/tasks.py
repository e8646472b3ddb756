"""The tasks of a super-step, from the rows that they left and from what was due."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from xxhash import xxh3_128_hexdigest

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.channels import Triggers
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.inert import TYPE, Inert, is_opaque
from flightlog_viewer.checkpoints.model import Interrupt, Task, TaskKind, TaskStatus
from flightlog_viewer.checkpoints.opened import Opened
from flightlog_viewer.checkpoints.rows import WriteRow
from flightlog_viewer.checkpoints.sameness import same
from flightlog_viewer.checkpoints.task_ids import HANDLER, update_id
from flightlog_viewer.checkpoints.task_names import CALL, PULL, UPDATE, TaskNames

_NOT_OF_THE_SCHEMA: Final = re.compile(r"\d+ validation errors? for (.*)")
"""How pydantic's errors begin, with the name of the schema."""


@dataclass(slots=True)
class _Rows:
    """The rows of one task, sorted into what they mean."""

    task_id: str
    path: str
    output: list[tuple[str, Inert]] = field(default_factory=list)
    interrupts: list[Interrupt] = field(default_factory=list)
    resumes: list[Inert] = field(default_factory=list)
    error: Inert = None
    error_handled: bool = False
    by_update: bool = False
    asked_at: str | None = None
    answered_at: str | None = None
    asked: int = -1
    first_output: int | None = None
    """The place of its first output among what it sent."""
    ended: int = -1
    ended_at: str | None = None
    asked_by: str = ""
    """The node that the question names, as questions did until 2025."""


@dataclass(slots=True)
class _NullResume:
    """The row of a resume that named no question."""

    given: bool = False
    value: Inert = None
    order: int = -1
    committed_at: str | None = None


@dataclass(frozen=True, slots=True)
class StepRows:
    """What the rows of one checkpoint say."""

    tasks: Sequence[Task]
    null_writes: Mapping[str, Inert]
    """State that a Command wrote on its way in."""
    null_resume: Inert
    """The answer of an unscoped `Command(resume=...)`."""
    null_resume_at: str | None
    """When it was committed, where the database keeps it."""


def pulled_nodes(writes: Iterable[WriteRow]) -> set[str]:
    """Nodes that ran by their edges, by their rows."""
    return {write.task_path[len(PULL) :] for write in writes if write.task_path.startswith(PULL)}


def has_unnamed_calls(writes: Iterable[WriteRow]) -> bool:
    """Whether the rows hold tasks that only a later checkpoint can name."""
    return any(write.task_path.startswith(CALL) or HANDLER in write.task_path for write in writes)


def step_rows(
    opened: Opened, due: Sequence[str], known: Triggers, decoder: Decoder, *, outline: bool = False
) -> StepRows:
    """The tasks at a checkpoint; `due` are the nodes that its channels make due, Sends not among them."""
    read = decoder.outline if outline else decoder.typed
    checkpoint_id = opened.row.key.checkpoint_id
    found: dict[str, _Rows] = {}
    null_writes: dict[str, Inert] = {}
    null = _NullResume()
    for write in opened.row.writes:
        control = write.channel in channels.CONTROL
        value = decoder.typed(write.type, write.value) if control else read(write.type, write.value)
        if write.task_id == channels.NULL_TASK:
            if write.channel == channels.RESUME:
                order = -1 if write.order is None else write.order
                null = _NullResume(True, value, order, write.committed_at)
            elif not control:
                null_writes[write.channel] = value
            continue
        rows = found.get(write.task_id)
        if rows is None:
            rows = found[write.task_id] = _Rows(write.task_id, write.task_path)
        if write.task_path.startswith(UPDATE) or (not write.task_path and write.task_id == update_id(checkpoint_id)):
            rows.by_update = True
            rows.path = rows.path or UPDATE
        else:  # update_state writes in the name of a due task: the task's own rows say where it stands
            # Of a task with rows of both sorts, those without a path are an older LangGraph's update.
            rows.by_update = rows.by_update or bool(write.task_path) != bool(rows.path)
            rows.path = write.task_path or rows.path
        _sort(rows, write, value)
    names = TaskNames(opened, due, known, found.values())
    waiting = names.sends()
    tasks = [_task(rows, null, names, due, waiting) for rows in found.values()]
    if opened.closed is not None:  # its channels are not known: what has left rows was due, and perhaps more
        tasks = [replace(task, due=task.kind in ("pull", "push") and bool(task.path)) for task in tasks]
    return StepRows(_in_order(tasks, due, waiting), null_writes, null.value, null.committed_at)


def interrupts_of(value: Inert) -> list[Interrupt]:
    """The questions in an interrupt row; before LangGraph 0.4 their id followed from the namespace they held."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        if is_opaque(item):  # encrypted: there is a question, and no more is known
            found.append(Interrupt("", item))
            continue
        name = item.get("id") or item.get("interrupt_id")
        if not isinstance(name, str):
            namespace = item.get("ns")
            parts = [str(part) for part in namespace] if isinstance(namespace, list) else []
            name = xxh3_128_hexdigest("|".join(parts).encode("utf-8", "surrogatepass")) if parts else ""
        found.append(Interrupt(name, item.get("value"), item.get("response_schema")))
    return found


def _asking_node(value: Inert, task_id: str) -> str:
    """The node in the namespace of a question, if the question is this task's."""
    for item in value if isinstance(value, list) else [value]:
        namespace = item.get("ns") if isinstance(item, dict) else None
        for part in namespace if isinstance(namespace, list) else []:
            node, _, name = str(part).rpartition("|")[2].rpartition(":")
            if name == task_id:
                return node
    return ""


def task_namespace(checkpoint_ns: str, node: str, task_id: str) -> str:
    """The namespace in which a task runs, and in which a subgraph that it calls keeps its checkpoints."""
    return f"{checkpoint_ns}|{node}:{task_id}" if checkpoint_ns else f"{node}:{task_id}"


def depth(checkpoint_ns: str) -> int:
    """How many graphs are around one with this namespace."""
    return checkpoint_ns.count("|") + 1 if checkpoint_ns else 0


def numbered_of(checkpoint_ns: str) -> str:
    """The namespace of a task without the number that a second subgraph called in it has."""
    before, _, number = checkpoint_ns.rpartition("|")
    return before if number.isdigit() else checkpoint_ns


def task_of_namespace(checkpoint_ns: str) -> str | None:
    """The task that a namespace belongs to: `node:task_id`, with `|1` after it for a second call."""
    for part in reversed(checkpoint_ns.split("|")):
        if not part.isdigit():
            return part.rpartition(":")[2] if ":" in part else None
    return None


def question_id(checkpoint_ns: str, node: str, task_id: str, answers_before: int) -> str:
    """The id of a question that a task asks: the hash of its namespace, and of how many answers came before it
    (`_interrupt_id` in `langgraph.types`)."""
    namespace = task_namespace(checkpoint_ns, node, task_id)
    text = f"{namespace}|{answers_before}" if answers_before else namespace
    return xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def _sort(rows: _Rows, write: WriteRow, value: Inert) -> None:
    if write.channel == channels.INTERRUPT:
        rows.interrupts += interrupts_of(value)
        rows.asked = -1 if write.order is None else write.order
        rows.asked_at = write.committed_at
        rows.asked_by = _asking_node(value, rows.task_id)
    elif write.channel == channels.RESUME:
        rows.resumes = list(value) if isinstance(value, list) else [value]
        rows.answered_at = write.committed_at
    elif write.channel == channels.ERROR:
        rows.error = value
    elif write.channel == channels.ERROR_SOURCE:
        rows.error_handled = True
    else:
        rows.output.append((write.channel, value))
        rows.ended = -1 if write.order is None else write.order
        rows.ended_at = write.committed_at
        if rows.first_output is None or write.idx < rows.first_output:
            rows.first_output = write.idx


def _task(rows: _Rows, null: _NullResume, names: TaskNames, due: Sequence[str], waiting: Mapping[str, str]) -> Task:
    node, kind = names.name(rows.task_id, rows.path)
    if kind == "other" and rows.asked_by:
        node, kind, due = rows.asked_by, "pull", [*due, rows.asked_by]
    status: TaskStatus = "pending"
    if rows.output:
        status = "finished"
    elif rows.error is not None and not _refused(rows, node, names):
        status = "errored"
    elif rows.error is not None or (rows.interrupts and not _answered(rows, null, node, names)):
        status = "interrupted"
    return Task(
        task_id=rows.task_id,
        node=node,
        kind=kind,
        status=status,
        writes=_state_writes(rows.output, names.own_channel(node)),
        goto=_targets(rows.output),
        interrupts=[_with_id(interrupt, rows, node, names) for interrupt in rows.interrupts],
        resumes=rows.resumes,
        error=rows.error,
        path=rows.path,
        due=rows.task_id in waiting if kind == "push" else kind == "pull" and node in due,
        error_handled=rows.error_handled,
        by_update=rows.by_update,
        asked_at=rows.asked_at,
        answered_at=rows.answered_at,
        # Each `interrupt()` that returns sends the answers so far, and the output is sent after them.
        answers_taken=None if rows.by_update else rows.first_output,
        answer_is_anothers=null.given and _is_anothers(rows, null),
    )


def _with_id(interrupt: Interrupt, rows: _Rows, node: str, names: TaskNames) -> Interrupt:
    """A question whose row is closed with the id that it must have: it tells such questions apart."""
    if interrupt.id:
        return interrupt
    before = len(rows.resumes)
    if rows.output and rows.resumes:  # a task that has ended had its last question answered too
        before = (rows.first_output or before) - 1
    name = question_id(names.checkpoint_ns, node, rows.task_id, before)
    return Interrupt(name, interrupt.value, interrupt.response_schema)


def _answered(rows: _Rows, null: "_NullResume", node: str, names: TaskNames) -> bool:
    """Whether the open question has its answer already, and its task runs on or died with it.

    A task's own rows never say so: it stores its answers when it ends or asks again. The answer of an unscoped resume
    is stored as soon as it is given; it may be that of an earlier question of the same task. LangGraph writes it on a
    thread beside the task's: where a task asks again before that, SQLite has it behind the new question, like a second
    answer in the same words. Nothing tells the two apart; who says "yes" twice is met more often.
    """
    if not null.given:
        return False
    if null.order >= 0 and rows.asked >= 0:
        return null.order > rows.asked
    if rows.resumes:
        return not same(rows.resumes[-1], null.value)
    # A subgraph keeps its answers to itself: whether its newest question is answered is not told here.
    return any(interrupt.id in ("", _question_id(rows, node, names)) for interrupt in rows.interrupts)


def _refused(rows: _Rows, node: str, names: TaskNames) -> bool:
    """Whether the task failed because an answer was not of its question's schema: then the question still waits.

    LangGraph stores the answers that a task took when it fails, and this one it did not take. The question of a
    subgraph is told by the name of the schema alone.
    """
    found = _NOT_OF_THE_SCHEMA.match(rows.error) if isinstance(rows.error, str) else None
    if found is None:
        return False
    taken = [question_id(names.checkpoint_ns, node, rows.task_id, index) for index in range(len(rows.resumes))]
    return any(
        isinstance(asked.response_schema, dict)
        and asked.response_schema.get("title") in (None, found[1])
        and asked.id not in taken
        for asked in rows.interrupts
    )


def _is_anothers(rows: _Rows, null: "_NullResume") -> bool:
    """Whether the answer that named no question was given before the task's last question, or after its end."""
    if null.order >= 0:
        return null.order < rows.asked or -1 < rows.ended < null.order
    given = null.committed_at
    if given is None:
        return False
    return bool(rows.asked_at and given < rows.asked_at) or bool(rows.ended_at and rows.ended_at < given)


def _question_id(rows: _Rows, node: str, names: TaskNames) -> str:
    """The id of the question that the task itself asks next."""
    return question_id(names.checkpoint_ns, node, rows.task_id, len(rows.resumes))


def _state_writes(output: Sequence[tuple[str, Inert]], own: str | None) -> dict[str, Inert]:
    grouped: dict[str, list[Inert]] = {}
    for channel, value in output:
        if channel == own:
            continue
        if channels.is_state(channel) or channel == channels.RETURN:
            grouped.setdefault(channel, []).append(value)
    return {name: values[0] if len(values) == 1 else {"$writes": values} for name, values in grouped.items()}


def _targets(output: Sequence[tuple[str, Inert]]) -> list[str]:
    targets = []
    for channel, value in output:
        if (node := channels.routed_to(channel)) is not None:
            targets.append(node)
        elif channel == channels.SENDS and isinstance(value, dict) and value.get(TYPE) == "langgraph.types.Send":
            targets.append(str(value.get("node")))
    return targets


def _in_order(tasks: list[Task], due: Sequence[str], waiting: Mapping[str, str]) -> list[Task]:
    """Tasks as LangGraph orders them, those that are due but left no row included."""
    if not waiting and len(tasks) == len(due) <= 1 and all(task.due for task in tasks):
        return tasks
    by_id = {task.task_id: task for task in tasks if task.kind == "push"}
    by_node = {task.node: task for task in tasks if task.kind == "pull"}
    ordered = [by_id.get(task_id) or _idle(task_id, node, "push") for task_id, node in waiting.items()]
    ordered += [by_node.get(node) or _idle("", node, "pull") for node in due]
    placed = {task.task_id for task in ordered}
    return ordered + [task for task in tasks if task.task_id not in placed]


def _idle(task_id: str, node: str, kind: TaskKind) -> Task:
    return Task(task_id, node, kind, "pending", {}, (), (), (), None, "", due=True)
