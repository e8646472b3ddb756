"""For tests of code that is traced: spans in memory, with times and ids that are the same on every run.

from flightlog.testing import recording

with recording() as tracer:
    agent.invoke(inputs, {"callbacks": [tracer]})
assert [span.name for span in tracer.spans] == ["plan", "act", "agent"]
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Unpack

from flightlog.clock import Clock
from flightlog.handler import JsonlTracer, TracerOptions
from flightlog.span import Span

START_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z in nanoseconds since the epoch: where the fixed clock begins."""


def fixed_clock(start_ns: int = START_NS, step_ns: int = 1_000_000) -> Clock:
    """A clock that moves on by a fixed step at every reading, of either kind."""
    readings = itertools.count(start_ns, step_ns)
    return Clock(lambda: next(readings), lambda: next(readings))


class MemorySink:
    """A sink that keeps what it sees."""

    def __init__(self) -> None:
        self.started: list[Span] = []
        """Spans at their start: ``status`` and ``duration_ms`` are None."""
        self.ended: list[Span] = []
        """Spans at their end, in that order."""
        self.closed = False

    def on_start(self, span: Span) -> dict[str, str] | None:
        """Keep a start; gives no ids."""
        self.started.append(span)
        return None

    def on_end(self, span: Span) -> None:
        """Keep an end."""
        self.ended.append(span)

    def close(self) -> None:
        """Remember that the tracer was closed."""
        self.closed = True


class SequentialIds:
    """Replaces ids by numbers in the order in which they are met: ``run-1``, ``run-2``, ..."""

    def __init__(self, prefix: str = "run") -> None:
        self._prefix = prefix
        self._known: dict[str, str] = {}

    def __call__(self, identity: str) -> str:
        """The number of an id, as text."""
        return self._known.setdefault(identity, f"{self._prefix}-{len(self._known) + 1}")

    def __contains__(self, identity: object) -> bool:
        """Whether an id has been met."""
        return identity in self._known


class RecordingTracer(JsonlTracer):
    """A tracer in memory whose spans compare equal from run to run, if the recorded code does the same.

    Times are steps of a fixed clock, and the ids that LangChain and LangGraph make are numbers, those of messages in
    payloads too.
    """

    def __init__(self, **options: Unpack[TracerOptions]) -> None:
        options.setdefault("clock", fixed_clock())
        super().__init__(**options)

    @property
    def spans(self) -> list[Span]:
        """The finished spans; runs are numbered in the order in which they started."""
        found = super().spans
        numbers = _Numbers()
        in_order = sorted(found, key=lambda span: span.seq or 0)
        for span in in_order:
            numbers.runs(span.run_id)
        for span in in_order:
            numbers.put(span)
            span.host = span.pid = None
        return found


class _Numbers:
    """Numbers in the place of all ids that LangChain and LangGraph make."""

    def __init__(self) -> None:
        self.runs = SequentialIds("run")
        self._writers = SequentialIds("writer")
        self._tasks = SequentialIds("task")
        self._checkpoints = SequentialIds("checkpoint")
        self._questions = SequentialIds("interrupt")
        self._messages = SequentialIds("message")

    def put(self, span: Span) -> None:
        """Replace the ids of one span."""
        span.run_id, span.trace_id = self.runs(span.run_id), self.runs(span.trace_id)
        if span.parent_run_id is not None:
            span.parent_run_id = self.runs(span.parent_run_id)
        if span.writer_id is not None:
            span.writer_id = self._writers(span.writer_id)
        if span.checkpoint_ns is not None:
            span.checkpoint_ns = "|".join(map(self._part, span.checkpoint_ns.split("|")))
        if span.task_id is not None:
            span.task_id = self._tasks(span.task_id)
        if span.checkpoint_id is not None:
            span.checkpoint_id = self._checkpoints(span.checkpoint_id)
        if span.message_id is not None:
            span.message_id = _UUID.sub(self._in_message, span.message_id)
        for question in span.interrupts or ():
            if "id" in question:
                question["id"] = self._questions(question["id"])
        for answer in span.resumes or ():
            if "interrupt_id" in answer:
                answer["interrupt_id"] = self._questions(answer["interrupt_id"])
        span.inputs, span.output = self._payload(span.inputs), self._payload(span.output)

    def _part(self, part: str) -> str:
        """One graph of a namespace: ``node:task_id``, or the number of a call."""
        node, colon, task_id = part.partition(":")
        return f"{node}:{self._tasks(task_id)}" if colon else part

    def _payload(self, value: Any) -> Any:
        """A payload with the ids of messages and of questions replaced."""
        if isinstance(value, str):
            return self._questions(value) if value in self._questions else value
        if isinstance(value, list):
            return [self._payload(item) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("id"), str) and "type" in value and "content" in value:
            value = {**value, "id": _UUID.sub(self._in_message, value["id"])}
        return {self._payload(key): self._payload(item) for key, item in value.items()}

    def _in_message(self, found: re.Match[str]) -> str:
        """LangChain calls a message by the run that made it."""
        return self.runs(found[0]) if found[0] in self.runs else self._messages(found[0])


_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@contextmanager
def recording(**options: Unpack[TracerOptions]) -> Iterator[RecordingTracer]:
    """A RecordingTracer with the options of JsonlTracer, closed at the end of the block."""
    with RecordingTracer(**options) as tracer:
        yield tracer
