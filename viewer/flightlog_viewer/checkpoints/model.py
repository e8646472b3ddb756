"""What a checkpoint database tells: its threads, and the steps of one thread, as plain records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from flightlog_viewer.checkpoints.inert import Inert
from flightlog_viewer.checkpoints.state_diff import Change, attributed_changes

ThreadStatus: TypeAlias = Literal[
    "finished", "interrupted", "errored", "paused_or_running", "empty", "unknown", "running", "crashed"
]
"""`paused_or_running`: nodes are due and nothing says why they have not run (a static breakpoint, a crash and a run in
progress leave the same rows). `unknown`: the newest checkpoint cannot be read or decoded. Only spans give `running` and
`crashed`, and an `interrupted` or `errored` that is inferred."""

TaskStatus: TypeAlias = Literal["finished", "interrupted", "errored", "pending", "handoff"]
"""`handoff`: it has left no row, and the graph around its subgraph has gone on: a Command to the parent ends it so."""
TaskKind: TypeAlias = Literal["pull", "push", "call", "error_handler", "update", "input", "other"]
"""`pull`: a node due by its edges; `push`: by a Send; `call`: a `@task`; `update`: the rows of an update_state."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A question that a task asked."""

    id: str
    value: Inert
    response_schema: Inert = None
    """What an answer has to look like, as a JSON Schema, where the graph said so."""


@dataclass(slots=True)  # frozen would cost five times as much to make
class Task:
    """One task of a super-step, as far as its rows tell."""

    task_id: str
    """Empty when no row names it and the graph's code would be needed to compute it."""
    node: str
    kind: TaskKind
    status: TaskStatus
    writes: Mapping[str, Inert]
    """Channel to value, state channels only; several writes to one are `{"$writes": [...]}`, as in LangGraph."""
    goto: Sequence[str]
    """Nodes that this task routed to, by edge, Command or Send."""
    interrupts: Sequence[Interrupt]
    """The last question of the task, answered or not: LangGraph keeps one row for it."""
    resumes: Sequence[Inert]
    """Answers that the task has received, in the order of its questions."""
    error: Inert
    """The error's `repr`, or None."""
    path: str
    due: bool = False
    """The channels made it due; the rows of update_state, of calls and of error handlers belong to no due task."""
    asked_at: str | None = None
    """When the question was committed, where the database keeps it."""
    answered_at: str | None = None
    """When the answers were committed, which is when the task asked again or ended."""
    by_update: bool = False
    """Its output was written by update_state in its name; it did not run to its end itself."""
    error_handled: bool = False
    """A node's error handler took the error over."""
    answers_taken: int | None = None
    """How many answers a task that ran to its end had taken by then, where its rows tell."""
    answer_is_anothers: bool = False
    """The step's unscoped answer was to a question before its last one, or to another task: this one had ended."""

    @property
    def pending(self) -> Sequence[Interrupt]:
        """Questions that wait for an answer."""
        return self.interrupts if self.status == "interrupted" else ()


@dataclass(frozen=True, slots=True)
class DeltaState:
    """A delta channel between two snapshots: its value needs the application's reducer, so only its parts are known."""

    snapshot: Inert
    """The last stored value, None when there is none in reach."""
    snapshot_checkpoint_id: str | None
    writes: Sequence[Inert]
    """What was written to it since, oldest first."""


@dataclass(slots=True)  # frozen would cost five times as much to make
class Step:
    """One checkpoint and the super-step that starts from it."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    parent_checkpoint_id: str | None
    step: int | None
    source: str | None
    """`input`, `loop`, `update` or `fork`; None where the writer left no metadata."""
    ts: str | None
    """RFC 3339, from the checkpoint, or from its id when the checkpoint cannot be decoded."""
    next: Sequence[str]
    """Nodes due from here: Sends first in their order, then by name. Whether they ran is in `tasks`."""
    tasks: Sequence[Task]
    values: Mapping[str, Inert]
    """State channels; the engine's own channels are left out."""
    channels: Mapping[str, Inert]
    """Every stored channel, the engine's own included."""
    metadata: Mapping[str, Inert]
    null_writes: Mapping[str, Inert]
    """What a Command wrote to the state before the step was resumed; not part of `values`."""
    null_resume: Inert
    """The answer that was given without naming a question."""
    null_resume_at: str | None
    """When that was committed, where the database keeps it."""
    not_materialised: Mapping[str, DeltaState]
    functional: bool
    """The namespace runs an `@entrypoint`."""
    resumed_from_parent: bool
    """This checkpoint came of resuming its parent."""
    parent_task_id: str | None
    """For a subgraph's checkpoint: the task of the parent graph that it runs in."""
    notes: Sequence[str] = ()
    closed: bool = False
    """Its state cannot be read: `next` holds only what has left rows."""
    committed_at: str | None = None
    """When the row was committed, where the database keeps it (Postgres with `track_commit_timestamp`)."""
    before: Mapping[str, Inert] = field(default_factory=dict, repr=False)
    """The parent's values."""
    before_closed: bool = False
    """The parent's state cannot be read."""
    writers: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Channel to the nodes whose writes made this checkpoint."""

    @property
    def changes(self) -> list[Change] | None:
        """How the state differs from the parent's, each change with the nodes that wrote its channel.

        None where the one or the other cannot be read.
        """
        if self.closed or self.before_closed:
            return None
        return attributed_changes(self.before, self.values, self.writers)

    def changes_since(self, other: "Step", writers: Mapping[str, Sequence[str]]) -> list[Change] | None:
        """How the state differs from that of another step, with who wrote each channel since.

        None where the one or the other cannot be read.
        """
        return None if self.closed or other.closed else attributed_changes(other.values, self.values, writers)

    @property
    def interrupts(self) -> list[Interrupt]:
        """The questions of all tasks."""
        return [interrupt for task in self.tasks for interrupt in task.interrupts]

    @property
    def pending(self) -> list[tuple[Task, Interrupt]]:
        """Questions that wait for an answer, each with its task."""
        return [(task, interrupt) for task in self.tasks for interrupt in task.pending]


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits: which node of which namespace asks it."""

    id: str
    node: str
    value: Inert
    checkpoint_ns: str
    checkpoint_id: str


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """One thread, from the newest checkpoint of its root graph."""

    thread_id: str
    status: ThreadStatus
    checkpoints: int
    """Rows of all namespaces."""
    steps: int
    """Super-steps on the way to the newest root checkpoint; 0 when only the input is there."""
    updated_at: str | None
    """Timestamp of the newest checkpoint, RFC 3339."""
    pending: Sequence[Pending]
    next: Sequence[str]
    error: Inert = None
    inferred: bool = False
    """The status follows from spans, not from the database alone."""
    note: str | None = None
    """Why the status is `unknown`."""
    first_checkpoint_id: str | None = None
    """The oldest checkpoint of all namespaces; its id holds its time."""
    source: str | None = None
    """What wrote the newest checkpoint, as in `Step`."""
    in_flight: Sequence[str] = ()
    """Of a thread that is `running` or `crashed`: the innermost spans that have not ended."""


class ThreadHistory:
    """The steps of one thread, oldest first, root graph and subgraphs together; read as they are asked for."""

    def __init__(self, thread_id: str, read: Callable[[], Iterator[Step]]) -> None:
        self.thread_id = thread_id
        self._read = read

    @property
    def steps(self) -> Iterator[Step]:
        """A fresh pass over the database each time it is asked for."""
        return self._read()
