"""The runs that have started and not ended, and what is still remembered of those that have.

Everything here is bounded: a run that ends, or whose parent has ended and left it behind, is let go.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from flightlog.events.langgraph import NOWHERE, Place
from flightlog.payloads.memo import Memo
from flightlog.sampling import Held

Identity = UUID | str
"""A run_id as it goes into a line: a UUID as it is, because orjson writes one in a fifth of the time ``str`` takes."""

REMEMBERED: Final = 4_096
"""Ended runs of which the trace is remembered before the older half is forgotten."""


class Root:
    """What the runs of one trace share."""

    __slots__ = ("error", "held", "memo", "metadata", "place", "skipped", "start_inputs", "trace_id", "writer")

    def __init__(self, trace_id: Identity) -> None:
        self.trace_id: Final = trace_id
        self.writer = b""
        """The fields that are the same on every line of the trace, as they stand behind others."""
        self.memo = Memo()
        self.place: Place = NOWHERE
        """Where in the graph the last run was."""
        self.start_inputs: tuple[bytes, bytes] = (b"", b"")
        """The beginning of the last inputs too long for the sidecar, and what stands for them there."""
        self.metadata: tuple[dict[str, Any], bytes] | None = None
        """The last user metadata met, and its JSON."""
        self.error: tuple[BaseException, dict[str, Any]] | None = None
        """The last error and its record: it passes through every run that encloses it."""
        self.skipped = False
        """Left out by sampling."""
        self.held: Held | None = None
        """Where the lines of a trace wait that sampling may still leave out."""

    def goes_on(self) -> None:
        """A graph of the trace goes on after a pause."""
        if self.held is not None:
            self.held.goes_on()


class Unusual:
    """What only few runs have."""

    __slots__ = ("chunks", "first_token_ns", "interrupts", "paused", "stream_events", "told", "truncated")

    def __init__(self) -> None:
        self.truncated: dict[str, Any] | None = None
        self.interrupts: list[Any] = []
        """Interrupt objects that were raised through a child and may be held by this run."""
        self.paused = False
        """Whether LangGraph said that this graph waits."""
        self.chunks = 0
        """Tokens told by ``on_llm_new_token``."""
        self.stream_events = 0
        """Deltas told by ``on_stream_event``."""
        self.first_token_ns = 0
        self.told = 1
        """How many times each event is told (see ``Runs.told_again``)."""


class OpenRun:
    """One run between its start and its end."""

    __slots__ = (
        "attempts",
        "children",
        "head",
        "inputs",
        "key",
        "kind",
        "metadata",
        "parent",
        "place",
        "previous",
        "record",
        "rest",
        "root",
        "seq",
        "start_ns",
        "type",
        "unusual",
        "watch",
    )

    def __init__(
        self,
        key: int,
        type_: str,
        kind: str | None,
        parent: "OpenRun | None",
        root: Root,
        seq: int,
        record: dict[str, Any],
    ) -> None:
        self.key = key
        """The run_id as a number: hashing a UUID costs five times as much."""
        self.type = type_
        self.kind = kind
        self.parent = parent
        self.root = root
        self.seq = seq
        self.record = record
        """The light fields that are this run's own, as far as they are known."""
        self.place: Place = NOWHERE
        """Where in the graph it is."""
        self.rest = b""
        """The other light fields of its start as they stand behind these; no field is in both."""
        self.start_ns = 0
        """Monotonic."""
        self.head: bytes | None = None
        """Both as JSON without the last brace, as long as ``record`` has not changed since."""
        self.inputs: bytes | None = None
        self.metadata: bytes | None = None
        self.children: dict[int, OpenRun] | None = None
        """The open ones, by ``seq``."""
        self.attempts: tuple[Any, dict[Any, int]] | None = None
        """The current step, and the starts of each of its tasks."""
        self.previous: OpenRun | None = None
        """An older open run that uses the same run_id."""
        self.unusual: Unusual | None = None
        self.watch: weakref.ref[UUID] | None = None
        """Tells when nobody is left who could end it."""

    def remark(self) -> Unusual:
        """Where to note something unusual of this run."""
        if self.unusual is None:
            self.unusual = Unusual()
        return self.unusual

    def tag(self, name: str) -> None:
        """Put one more tag on its record."""
        self.record["tags"], self.head = [*self.record.get("tags", ()), name], None

    def descendants(self) -> Iterator["OpenRun"]:
        """The open runs below, innermost first; in tasks they may be nested deeper than Python calls."""
        found: list[OpenRun] = []
        waiting = list((self.children or {}).values())
        while waiting:
            run = waiting.pop()
            found.append(run)
            waiting += list((run.children or {}).values())
        return reversed(found)


class Runs:
    """The open runs of one tracer, by run_id, and the traces of those that ended lately."""

    def __init__(self) -> None:
        self.open: dict[int, OpenRun] = {}
        """By ``run_id.int``."""
        self.shared = False
        """Whether another tracer writes the same file, and may record a run first."""
        self._new: dict[int, Identity] = {}
        self._old: dict[int, Identity] = {}
        self.left_behind: dict[int, tuple[OpenRun, int]] = {}
        """Open runs that nothing will end, by ``seq``, and the monotonic time in ns since when: their parent has ended,
        or whoever would have told of their end is gone."""

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
        self.release(run)
        return True

    def paused(self, key: UUID, checkpoint_id: str, interrupts: Iterable[Any]) -> None:
        """LangGraph says that a graph waits for a human."""
        run = self.open.get(key.int)
        if run is not None:
            unusual = run.remark()
            unusual.paused = True
            unusual.interrupts.extend(interrupts)
            self.resumed(key, checkpoint_id)

    def resumed(self, key: UUID, checkpoint_id: str) -> None:
        """LangGraph says from which checkpoint a graph goes on."""
        run = self.open.get(key.int)
        if run is not None:
            run.record["checkpoint_id"] = checkpoint_id
            run.head = None
            run.root.goes_on()

    def told_again(self, run: OpenRun) -> bool:
        """Whether a run is the open one of its id, told of once more.

        LangChain does so where a tracer stands in the callbacks of a runnable and in those of a call: it joins the two
        lists, and only runs below the root look for what is in them twice.
        """
        first = self.open.get(run.key)
        if first is None or first.children is not None or first.parent is not run.parent:
            return False
        if first.inputs != run.inputs or first.record["name"] != run.record["name"]:
            return False
        first.remark().told += 1
        return True

    def watch(self, run: OpenRun, run_id: UUID, now: Callable[[], int]) -> None:
        """Leave the run behind when its run_id goes: LangChain holds that very object as long as it may tell of an end.

        For runs without a parent whose end LangChain passes over when they are cancelled. Nobody else may hold it.
        """
        run.watch = weakref.ref(run_id, partial(self._unwatched, run.key, run.seq, now))

    def _unwatched(self, key: int, seq: int, now: Callable[[], int], _: object) -> None:
        # Called out of any line of the application, so it only notes.
        run = self.open.get(key)
        if run is not None and run.seq == seq:
            self.left_behind[seq] = (run, now())

    def all_open(self) -> Iterator[OpenRun]:
        """The open runs, those behind others of their id too."""
        for newest in list(self.open.values()):
            run: OpenRun | None = newest
            while run is not None:
                yield run
                run = run.previous

    def trace_of(self, key: UUID) -> Identity | None:
        """The trace_id of a run that ended lately."""
        return self._new.get(key.int) or self._old.get(key.int)

    def clear(self) -> None:
        """Forget every open run, but remember that they were there."""
        self._old, self._new = self._new, {key: run.root.trace_id for key, run in list(self.open.items())}
        self.open.clear()
        self.left_behind.clear()

    def release(self, run: OpenRun) -> None:
        """What is to be done once a run is no longer in ``open``."""
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
        new = self._new
        if len(new) >= REMEMBERED:
            self._old, new = new, {}
            self._new = new
        new[run.key] = run.root.trace_id
