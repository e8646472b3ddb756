"""Every thread of a database with its status, from the newest checkpoint of its root graph."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.channels import Triggers
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.inert import is_opaque
from flightlog_viewer.checkpoints.model import Pending, Task, ThreadStatus, ThreadSummary
from flightlog_viewer.checkpoints.opened import Opened, add_sends, open_row
from flightlog_viewer.checkpoints.rows import CheckpointRow, Head, Key, Rows, batches
from flightlog_viewer.checkpoints.tasks import (
    StepRows,
    depth,
    numbered_of,
    pulled_nodes,
    step_rows,
    task_namespace,
    task_of_namespace,
)

BATCH = 64
"""Threads whose newest checkpoints are read in one transaction, at the most."""
BATCH_BYTES = 64 * 1024 * 1024
"""Of large checkpoints fewer are read at once."""
_FIRST_BATCH = 4


@dataclass(slots=True)
class _Thread:
    thread_id: str
    heads: list[Head] = field(default_factory=list)

    @property
    def root(self) -> Head | None:
        return next((head for head in self.heads if head.key.checkpoint_ns == ""), None)


def summaries(rows: Rows, known: Mapping[str, ThreadSummary] | None = None) -> Iterator[ThreadSummary]:
    """One summary a thread, by thread id; those that are ``known`` already are not read."""
    known = known or {}
    decoder = Decoder()
    batch: list[_Thread] = []
    most = _FIRST_BATCH
    for thread_id, heads in groupby(rows.heads(), key=lambda head: head.key.thread_id):
        if thread_id in known:
            yield from _summarise(rows, batch, decoder)
            batch = []
            yield known[thread_id]
            continue
        batch.append(_Thread(thread_id, list(heads)))
        if len(batch) >= most:
            size = yield from _summarise(rows, batch, decoder)
            most = max(1, min(BATCH, 4 * most, BATCH_BYTES // max(1, size)))
            batch = []
    yield from _summarise(rows, batch, decoder)


def _summarise(rows: Rows, threads: Sequence[_Thread], decoder: Decoder) -> Generator[ThreadSummary, None, int]:
    """A summary of each; gives the average size of their newest checkpoints in bytes."""
    if not threads:
        return 0
    roots = {row.key: row for row in rows.fetch([t.root.key for t in threads if t.root is not None])}
    for thread in threads:
        root = roots.get(thread.root.key) if thread.root is not None else None
        yield _summary(rows, thread, root, decoder)
    return sum(row.size for row in roots.values()) // len(threads)


def _summary(rows: Rows, thread: _Thread, root: CheckpointRow | None, decoder: Decoder) -> ThreadSummary:
    count = sum(head.checkpoints for head in thread.heads)
    if root is None and thread.root is None:  # only subgraphs are left
        return ThreadSummary(thread.thread_id, "empty", count, 0, None, (), ())
    if root is None:
        note = "its newest checkpoint is not found by its name: it has been deleted, or the name is not text"
        return ThreadSummary(thread.thread_id, "unknown", count, 0, None, (), (), note=note)
    opened, step = _open(rows, root, decoder)
    if len(thread.heads) > 1 and any(map(_may_wait, step.tasks)):
        supposed = replace(
            step, tasks=[replace(task, status="interrupted") if _may_wait(task) else task for task in step.tasks]
        )
        asking = {task.task_id for task in supposed.tasks if task.pending}
        before = _pending(opened, supposed)
        if any(one not in before for one in _innermost(rows, _below(thread, asking), supposed, before, decoder)):
            step = supposed
    status = _status(opened, step)
    pending = _pending(opened, step)
    if pending and len(thread.heads) > 1:
        asking = {task.task_id for task in step.tasks if task.pending}
        pending = _innermost(rows, _below(thread, asking), step, pending, decoder)
        if not pending and status == "interrupted":
            status = "paused_or_running"  # answered inside the subgraph, which has not finished
    failed = [task for task in step.tasks if _failed(task)]
    return ThreadSummary(
        thread_id=thread.thread_id,
        status=status,
        checkpoints=count,
        steps=max(opened.step or 0, 0),
        updated_at=opened.ts,
        pending=pending if status in ("interrupted", "errored") else (),
        next=[task.node for task in step.tasks if task.due and task.status != "finished"],
        error=failed[0].error if failed else None,
        note=opened.closed,
        first_checkpoint_id=min(head.oldest_id for head in thread.heads),
        source=opened.source,
    )


def _open(rows: Rows, row: CheckpointRow, decoder: Decoder) -> tuple[Opened, StepRows]:
    opened = open_row(row, decoder, outline=True)
    if opened.version < channels.SENDS_IN_STATE and row.parent_checkpoint_id is not None:
        for parent in rows.fetch([row.key._replace(checkpoint_id=row.parent_checkpoint_id)]):
            add_sends(opened, parent, decoder)
    for channel, value in opened.values.items():
        if channels.is_engine_list(channel):
            opened.values[channel] = decoder.open(value)
    known = Triggers()
    known.learn(opened.seen)
    due = known.due(opened.values, opened.versions, opened.seen, pulled_nodes(row.writes))
    return opened, step_rows(opened, due, known, decoder, outline=True)


def _status(opened: Opened, step: StepRows) -> ThreadStatus:
    if any(_failed(task) for task in step.tasks):
        return "errored"
    if any(task.pending for task in step.tasks):
        return "interrupted"
    if opened.closed is not None:
        return "unknown"
    return "paused_or_running" if any(task.due for task in step.tasks) else "finished"


def _may_wait(task: Task) -> bool:
    """Whether a task's closed question, which looks answered, may be a newer one that a subgraph of it asked."""
    return task.status == "pending" and any(is_opaque(question.value) for question in task.interrupts)


def _failed(task: Task) -> bool:
    return task.status == "errored" and not task.error_handled


def _pending(opened: Opened, step: StepRows) -> list[Pending]:
    key = opened.row.key
    return [
        Pending(question.id, task.node, question.value, key.checkpoint_ns, key.checkpoint_id)
        for task in step.tasks
        for question in task.pending
        if task.kind != "call"  # the caller holds the same question
    ]


def _below(thread: _Thread, tasks: Collection[str]) -> list[Key]:
    """The newest checkpoints of the subgraphs that run in these tasks, those of outer graphs first.

    A thread that has called subgraphs for months has thousands that are over. Of namespaces without task ids nobody
    knows.
    """
    keys = []
    for head in thread.heads:
        first = head.key.checkpoint_ns.partition("|")[0]
        if first and (":" not in first or task_of_namespace(first) in tasks):
            keys.append(head.key)
    return sorted(keys, key=lambda key: depth(key.checkpoint_ns))


def _innermost(
    rows: Rows, inner: Sequence[Key], step: StepRows, pending: Sequence[Pending], decoder: Decoder
) -> list[Pending]:
    """A question of a subgraph stands at every graph above it too: keep it where it was asked and not answered."""
    found: dict[str, Pending] = {question.id: question for question in pending}
    closed = _closed("", step)
    for row in (row for batch in batches(rows, inner) for row in batch):
        opened, step = _open(rows, row, decoder)
        for task in step.tasks:
            for question in task.interrupts:
                if question.id in found and task.status != "interrupted":
                    del found[question.id]
        here = _pending(opened, step)
        # A closed question does not tell its id: what its task's subgraph asks stands in its place.
        stands_for = closed.get(numbered_of(row.key.checkpoint_ns)) if here else None
        known = stands_for is not None and found.pop(stands_for, None) is not None
        for question_here in here:
            if known or question_here.id in found:
                found[question_here.id] = question_here
        closed |= _closed(row.key.checkpoint_ns, step)
    return list(found.values())


def _closed(checkpoint_ns: str, step: StepRows) -> dict[str, str]:
    """The namespaces of the tasks whose question is closed, with the id that it would have as their own."""
    return {
        task_namespace(checkpoint_ns, task.node, task.task_id): question.id
        for task in step.tasks
        for question in task.pending
        if is_opaque(question.value)
    }
