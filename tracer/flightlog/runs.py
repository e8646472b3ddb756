"""The runs that have started and not ended, and what is still remembered of those that have.

Everything here is bounded: a run that ends, or whose parent has ended and left it behind, is let go.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from flightlog.memo import Memo
from flightlog.sampling import Held
from flightlog.span import VERSION

REMEMBERED: Final = 4_096
"""Ended runs of which the trace is remembered before the older half is forgotten."""


class Root:
    """What the runs of one trace share."""

    __slots__ = ("error", "held", "memo", "metadata", "skipped", "trace_id")

    def __init__(self, trace_id: str) -> None:
        self.trace_id: Final = trace_id
        self.memo = Memo()
        self.metadata: tuple[dict[str, Any], bytes] | None = None
        """The last user metadata met, and its JSON."""
        self.error: tuple[BaseException, dict[str, Any]] | None = None
        """The last error and its record: it passes through every run that encloses it."""
        self.skipped = False
        """Left out by sampling."""
        self.held: Held | None = None
        """Where the lines of a trace wait that sampling may still leave out."""


class OpenRun:
    """One run between its start and its end."""

    __slots__ = (
        "attempts",
        "children",
        "chunks",
        "first_token_ns",
        "head",
        "inputs",
        "interrupts",
        "key",
        "kind",
        "metadata",
        "parent",
        "paused",
        "previous",
        "record",
        "root",
        "run_id",
        "seq",
        "start_ns",
        "stream_events",
        "truncated",
        "type",
    )

    def __init__(
        self, key: int, run_id: str, type_: str, kind: str | None, parent: "OpenRun | None", root: Root, seq: int
    ) -> None:
        self.key = key
        """The run_id as a number: hashing a UUID costs five times as much."""
        self.run_id = run_id
        self.type = type_
        self.kind = kind
        self.parent = parent
        self.root = root
        self.seq = seq
        self.start_ns = 0
        """Monotonic."""
        self.record: dict[str, Any] = {"v": VERSION, "type": type_}
        """The fields known so far, in the order of the line, without payloads."""
        self.head: bytes | None = None
        """``record`` as JSON, as long as it has not changed since."""
        self.inputs: bytes | None = None
        self.metadata: bytes | None = None
        self.truncated: dict[str, Any] | None = None
        self.children: dict[int, OpenRun] | None = None
        """The open ones, by ``seq``."""
        self.attempts: tuple[Any, dict[Any, int]] | None = None
        """The current step, and the starts of each of its tasks."""
        self.interrupts: list[Any] | None = None
        """Interrupt objects that were raised through a child and may be held by this run."""
        self.paused = False
        """Whether LangGraph said that this graph waits."""
        self.previous: OpenRun | None = None
        """An older open run that uses the same run_id."""
        self.chunks = 0
        """Tokens told by ``on_llm_new_token``."""
        self.stream_events = 0
        """Deltas told by ``on_stream_event``."""
        self.first_token_ns = 0

    def descendants(self) -> Iterator["OpenRun"]:
        """The open runs below, innermost first."""
        for child in list((self.children or {}).values()):
            yield from child.descendants()
            yield child


class Runs:
    """The open runs of one tracer, by run_id, and the traces of those that ended lately."""

    def __init__(self) -> None:
        self.open: dict[int, OpenRun] = {}
        """By ``run_id.int``."""
        self._new: dict[int, str] = {}
        self._old: dict[int, str] = {}
        self.left_behind: dict[int, tuple[OpenRun, int]] = {}
        """Open runs whose parent has ended, by ``seq``, and the monotonic time in ns when it did."""

    def add(self, run: OpenRun) -> None:
        """Take a run up; an open one of the same id stays open behind it."""
        if run.key in self.open:
            run.previous = self.open[run.key]
        self.open[run.key] = run
        parent = run.parent
        if parent is not None:
            if parent.children is None:
                parent.children = {}
            parent.children[run.seq] = run

    def take(self, key: UUID) -> OpenRun | None:
        """Let go of the newest open run of an id."""
        run = self.open.pop(key.int, None)
        if run is not None:
            self._release(run)
        return run

    def discard(self, run: OpenRun) -> bool:
        """Let go of this very run. False when it has ended already."""
        newest = self.open.get(run.key)
        if newest is run:
            del self.open[run.key]
        else:
            while newest is not None and newest.previous is not run:
                newest = newest.previous
            if newest is None:
                return False
            newest.previous = run.previous
            run.previous = None
        self._release(run)
        return True

    def trace_of(self, key: UUID) -> str | None:
        """The trace_id of a run that ended lately."""
        return self._new.get(key.int) or self._old.get(key.int)

    @property
    def remembered(self) -> int:
        """How many ended runs are still known: at most twice REMEMBERED."""
        return len(self._new) + len(self._old)

    def clear(self) -> None:
        """Forget every open run, but remember that they were there."""
        for key, run in list(self.open.items()):
            self._remember(key, run.root.trace_id)
        self.open.clear()
        self.left_behind.clear()

    def _release(self, run: OpenRun) -> None:
        if run.previous is not None:
            self.open[run.key] = run.previous
            run.previous = None
        if self.left_behind:
            self.left_behind.pop(run.seq, None)
        parent = run.parent
        if parent is not None:
            if parent.children is not None:
                parent.children.pop(run.seq, None)
            run.parent = None
        self._remember(run.key, run.root.trace_id)

    def _remember(self, key: int, trace_id: str) -> None:
        if len(self._new) >= REMEMBERED:
            self._old, self._new = self._new, {}
        self._new[key] = trace_id
