"""The steps of a thread, read from its rows in order of time, a few checkpoints at a time."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.channels import Triggers
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.inert import Inert, is_opaque
from flightlog_viewer.checkpoints.model import DeltaState, Step, Task
from flightlog_viewer.checkpoints.opened import Opened, add_sends, open_row
from flightlog_viewer.checkpoints.rows import Key, Rows, batches
from flightlog_viewer.checkpoints.task_ids import TaskIds
from flightlog_viewer.checkpoints.task_names import UPDATE
from flightlog_viewer.checkpoints.tasks import (
    StepRows,
    has_unnamed_calls,
    numbered_of,
    pulled_nodes,
    step_rows,
    task_namespace,
    task_of_namespace,
)

PARENTS_KEPT = 128
PARENTS_KEPT_BYTES = 64 * 1024 * 1024
"""States kept for the diff of their children, by packed size; a child of an older one has its parent read again."""

_LONGEST_NUMBER = 64
"""Digits of a version, zeros in front included; LangGraph writes 32."""


@dataclass(slots=True)
class _Parent:
    """What a checkpoint's children need of it."""

    opened: Opened
    values: Mapping[str, Inert]
    rows: StepRows
    deltas: Mapping[str, DeltaState]
    size: int


class HistoryReader:
    """One pass over the steps of a thread."""

    def __init__(self, rows: Rows, thread_id: str, *, checkpoint_ns: str | None = None) -> None:
        self._rows = rows
        self._keys = rows.keys(thread_id)
        self._wanted = [key for key in self._keys if checkpoint_ns is None or key.checkpoint_ns == checkpoint_ns]
        self._decoder = Decoder()
        self._known: dict[str, Triggers] = defaultdict(Triggers)
        self._parents: OrderedDict[Key, _Parent] = OrderedDict()
        self._kept_bytes = 0
        self._inner = _inner_tasks({key.checkpoint_ns for key in self._keys})
        self._newest = {key.checkpoint_ns: key for key in self._keys}
        self._following: dict[Key, Key] = {}
        self._delta_channels: dict[str, set[str]] = defaultdict(set)

    def __iter__(self) -> Iterator[Step]:
        for rows in batches(self._rows, self._wanted):
            opened = [open_row(row, self._decoder) for row in rows]
            for checkpoint in opened:  # a later checkpoint names what an earlier one ran
                self._known[checkpoint.row.key.checkpoint_ns].learn(checkpoint.seen)
            for checkpoint in opened:
                yield self._step(checkpoint)

    def _step(self, opened: Opened) -> Step:
        row, key = opened.row, opened.row.key
        parent = self._parent(key, row.parent_checkpoint_id)
        add_sends(opened, parent.opened.row if parent else None, self._decoder)
        known = self._known[key.checkpoint_ns]
        rows = self._step_rows(opened, known)
        due = [task.node for task in rows.tasks if task.due]
        if due and self._went_on_around(opened):
            left = [replace(task, status="handoff") if task.status == "pending" else task for task in rows.tasks]
            rows = replace(rows, tasks=left)
        self._delta_channels[key.checkpoint_ns] |= opened.delta_channels
        deltas = self._deltas(opened, parent)
        values = _state(opened, known)
        self._keep(key, _Parent(opened, values, rows, deltas, row.size))
        return Step(
            thread_id=key.thread_id,
            checkpoint_ns=key.checkpoint_ns,
            checkpoint_id=key.checkpoint_id,
            parent_checkpoint_id=row.parent_checkpoint_id,
            step=opened.step,
            source=opened.source,
            ts=opened.ts,
            next=due,
            tasks=rows.tasks,
            values=values,
            channels=opened.values,
            metadata=opened.metadata,
            null_writes=rows.null_writes,
            null_resume=rows.null_resume,
            null_resume_at=rows.null_resume_at,
            not_materialised=deltas,
            functional=known.functional,
            resumed_from_parent=_resumed(opened, parent),
            parent_task_id=task_of_namespace(key.checkpoint_ns),
            notes=self._notes(opened, parent),
            closed=opened.closed is not None,
            committed_at=row.committed_at,
            before=parent.values if parent else {},
            before_closed=parent is not None and parent.opened.closed is not None,
            writers=_writers(parent.rows.tasks, opened.source) if parent and _has_rows(opened, parent) else {},
        )

    def _step_rows(self, opened: Opened, known: Triggers) -> StepRows:
        writes = opened.row.writes
        # Before version 3 a plain edge was a channel by the name of the node it comes from: only a run names the other.
        if has_unnamed_calls(writes) or opened.version < channels.EDGES_BY_TARGET:
            self._learn_from_next(opened.row.key, known)
        due = known.due(opened.values, opened.versions, opened.seen, pulled_nodes(writes))
        rows = step_rows(opened, due, known, self._decoder)
        inner = self._inner.get(opened.row.key.checkpoint_ns)
        if inner and any(not task.task_id for task in rows.tasks):
            rows = replace(rows, tasks=[_identified(task, opened, known, inner) for task in rows.tasks])
        if inner and any(is_opaque(question.value) for task in rows.tasks for question in task.interrupts):
            rows = replace(rows, tasks=[self._asked_inside(task, opened.row.key, inner) for task in rows.tasks])
        return rows

    def _asked_inside(self, task: Task, key: Key, inner: Mapping[str, set[str]]) -> Task:
        """A task whose question is closed, and with it the question's id, which is that of a subgraph's question."""
        if not task.interrupts or task.task_id not in inner.get(task.node, ()):
            return task
        for opened in self._inside(task_namespace(key.checkpoint_ns, task.node, task.task_id)):
            inside = self._step_rows(opened, self._known[opened.row.key.checkpoint_ns]).tasks
            asked = [question for other in inside for question in other.interrupts]
            if asked:
                # Whether an answer was to this question or to one before it is told inside as well.
                waits = task.status == "pending" and any(other.pending for other in inside)
                return replace(task, interrupts=asked, status="interrupted" if waits else task.status)
        return task

    def _inside(self, namespace: str) -> Iterator[Opened]:
        """The checkpoints of the subgraphs that a task called, the newest first."""
        for key in reversed(self._keys):
            if namespace in (key.checkpoint_ns, numbered_of(key.checkpoint_ns)):
                for row in self._rows.fetch([key]):
                    yield open_row(row, self._decoder, outline=True)

    def _went_on_around(self, opened: Opened) -> bool:
        """Whether a subgraph stands here for good: the task that it runs in has ended."""
        key, parents = opened.row.key, opened.metadata.get("parents")
        task_id = task_of_namespace(key.checkpoint_ns)
        if task_id is None or key != self._newest[key.checkpoint_ns] or not isinstance(parents, dict):
            return False
        around = numbered_of(key.checkpoint_ns).rpartition("|")[0]
        if not isinstance(parent_id := parents.get(around), str):
            return False
        return any(
            write.task_id == task_id
            and write.channel not in channels.CONTROL
            and not write.task_path.startswith(UPDATE)
            for row in self._rows.fetch([Key(key.thread_id, around, parent_id)])
            for write in row.writes
        )

    def _learn_from_next(self, key: Key, known: Triggers) -> None:
        """The names of `@task` calls stand in the next checkpoint of the namespace only."""
        if not self._following:
            last: dict[str, Key] = {}
            for other in self._keys:
                if other.checkpoint_ns in last:
                    self._following[last[other.checkpoint_ns]] = other
                last[other.checkpoint_ns] = other
        if (following := self._following.get(key)) is not None:
            for row in self._rows.fetch([following]):
                known.learn(open_row(row, self._decoder, outline=True).seen)

    def _parent(self, key: Key, parent_id: str | None) -> _Parent | None:
        if parent_id is None:
            return None
        parent: _Parent | None = None
        for above in reversed(self._lineage(Key(key.thread_id, key.checkpoint_ns, parent_id))):
            if above in self._parents:
                self._parents.move_to_end(above)
                parent = self._parents[above]
            else:
                parent = self._read_again(above, parent)
        return parent

    def _lineage(self, key: Key) -> list[Key]:
        """A checkpoint, and above it those that are not kept and that its delta channels are made of, and one more."""
        found = {key: None}
        while key not in self._parents and self._delta_channels[key.checkpoint_ns]:
            rows = list(self._rows.fetch([key]))
            opened = open_row(rows[0], self._decoder, outline=True) if rows else None
            if opened is None or opened.row.parent_checkpoint_id is None or not self._without_value(opened):
                break
            key = Key(key.thread_id, key.checkpoint_ns, opened.row.parent_checkpoint_id)
            if key in found:  # a crafted database
                break
            found[key] = None
        return list(found)

    def _read_again(self, key: Key, parent: _Parent | None) -> _Parent | None:
        for row in self._rows.fetch([key]):
            opened = open_row(row, self._decoder)
            if opened.version < channels.SENDS_IN_STATE and row.parent_checkpoint_id is not None:
                for above in self._rows.fetch([Key(key.thread_id, key.checkpoint_ns, row.parent_checkpoint_id)]):
                    add_sends(opened, above, self._decoder)
            known = self._known[key.checkpoint_ns]
            known.learn(opened.seen)
            rows, deltas = self._step_rows(opened, known), self._deltas(opened, parent)
            parent = _Parent(opened, _state(opened, known), rows, deltas, row.size)
            self._keep(key, parent)
            return parent
        return None

    def _keep(self, key: Key, parent: _Parent) -> None:
        self._parents[key] = parent
        self._kept_bytes += parent.size
        while len(self._parents) > PARENTS_KEPT or (self._kept_bytes > PARENTS_KEPT_BYTES and len(self._parents) > 1):
            _, oldest = self._parents.popitem(last=False)
            self._kept_bytes -= oldest.size

    def _deltas(self, opened: Opened, parent: _Parent | None) -> dict[str, DeltaState]:
        """Delta channels that hold no value here: the last snapshot of the branch, and what was written since."""
        found: dict[str, DeltaState] = {}
        for channel in self._without_value(opened):
            before = parent.deltas.get(channel) if parent else None
            snapshot, snapshot_id, writes = None, None, []
            if before is not None:
                snapshot, snapshot_id, writes = before.snapshot, before.snapshot_checkpoint_id, list(before.writes)
            elif parent is not None and channel in parent.opened.values:
                snapshot, snapshot_id = parent.opened.values[channel], parent.opened.row.key.checkpoint_id
            if parent is not None:
                for task in parent.rows.tasks:
                    if channel in task.writes:
                        value = task.writes[channel]
                        writes += value["$writes"] if isinstance(value, dict) and "$writes" in value else [value]
            found[channel] = DeltaState(snapshot, snapshot_id, writes)
        return found

    def _without_value(self, opened: Opened) -> list[str]:
        """Delta channels that were written to and hold no value here."""
        known = self._delta_channels[opened.row.key.checkpoint_ns]
        return [channel for channel in known if channel not in opened.values and channel in opened.versions]

    def _notes(self, opened: Opened, parent: _Parent | None) -> Sequence[str]:
        notes = [] if opened.closed is None else [opened.closed]
        if opened.row.writes_damage is not None:
            notes.append(f"the rows of its tasks cannot be read: {opened.row.writes_damage}")
        if opened.row.parent_checkpoint_id is not None and parent is None:
            notes.append("the parent checkpoint is no longer in the database")
        if opened.closed is None and parent is not None and parent.opened.closed is not None:
            notes.append("what changed cannot be told: the checkpoint before it is closed")
        return notes


def _state(opened: Opened, known: Triggers) -> dict[str, Inert]:
    """The application's channels."""
    values = {name: value for name, value in opened.values.items() if channels.is_state(name)}
    if opened.version < channels.EDGES_BY_TARGET:  # a node's own channel; no channel of the state may have its name
        return {name: value for name, value in values.items() if name not in known.triggers}
    return values


def _inner_tasks(namespaces: Iterable[str]) -> dict[str, dict[str, set[str]]]:
    """Namespace to node to the ids of its tasks that run a subgraph: the subgraphs' namespaces carry them."""
    found: dict[str, dict[str, set[str]]] = {}
    for namespace in namespaces:
        parts = namespace.split("|")
        while parts and parts[-1].isdigit():
            parts.pop()
        if parts and ":" in parts[-1]:
            node, _, task_id = parts[-1].rpartition(":")
            found.setdefault("|".join(parts[:-1]), {}).setdefault(node, set()).add(task_id)
    return found


def _identified(task: Task, opened: Opened, known: Triggers, inner: Mapping[str, set[str]]) -> Task:
    """A task that has left no row, with its id if a subgraph runs in it."""
    if task.task_id or task.node not in inner:
        return task
    key = opened.row.key
    ids = TaskIds(key.checkpoint_ns, key.checkpoint_id, opened.step, opened.version)
    triggers = known.triggers.get(task.node) or channels.triggers_of(task.node, opened.versions)
    for task_id in inner[task.node]:
        if ids.pulled_name(task_id, {task.node: triggers}) is not None:
            return replace(task, task_id=task_id)
    return task


def _resumed(opened: Opened, parent: _Parent | None) -> bool:
    """Whether this checkpoint came of resuming its parent: a resume marks all of the parent's versions as seen.

    What its Command writes besides gets the version after the newest of the parent's before that.
    """
    marked = opened.seen.get(channels.INTERRUPT)
    if not marked or parent is None or marked == parent.opened.seen.get(channels.INTERRUPT):
        return False
    versions = parent.opened.versions
    written = [version for channel, version in marked.items() if versions.get(channel) != version]
    newest = max(map(_number, versions.values()), default=0)
    return all(_number(version) == newest + 1 for version in written)


def _number(version: Inert) -> int:
    """The counter in a version: savers keep a number, or ``000...4.0.5`` with a random part behind it."""
    digits = str(version).partition(".")[0]
    return int(digits) if digits.isdecimal() and len(digits) <= _LONGEST_NUMBER else -1


def _has_rows(opened: Opened, parent: _Parent) -> bool:
    """Whether the rows of the parent can tell who made this checkpoint.

    With exit durability those of a step that has been passed are never written: there is no row of the steps between,
    and none of what a task did after its question.
    """
    if opened.source != "loop" or opened.step is None or parent.opened.step is None:
        return True
    return opened.step == parent.opened.step + 1 and all(task.status != "interrupted" for task in parent.rows.tasks)


def _writers(tasks: Sequence[Task], source: str | None) -> dict[str, list[str]]:
    """Channel to the nodes that wrote it, of the tasks of a checkpoint, for the child that came to be in this way.

    A checkpoint with several children has the rows of all of them: what its nodes wrote made none by update_state,
    which leaves rows of its own, or none where the thread had gone on. Rows without a path (savers before 3.1) do not
    tell an update's from a node's.
    """
    writers: dict[str, list[str]] = {}
    for task in tasks:
        ran = bool(task.path) and not task.by_update
        if (source == "update" and ran) or (source == "loop" and task.kind == "update"):
            continue
        for channel in task.writes:
            nodes = writers.setdefault(channel, [])
            if task.node not in nodes:
                nodes.append(task.node)
    return writers
