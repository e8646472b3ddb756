"""For tests of code that is traced: spans in memory, with times and ids that are the same on every run.

from flightlog.testing import recording

with recording() as tracer:
    agent.invoke(inputs, {"callbacks": [tracer]})
assert [span.name for span in tracer.spans] == ["plan", "act", "agent"]
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Unpack

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


class RecordingTracer(JsonlTracer):
    """A tracer in memory whose spans compare equal from run to run."""

    def __init__(self, **options: Unpack[TracerOptions]) -> None:
        options.setdefault("clock", fixed_clock())
        super().__init__(**options)

    @property
    def spans(self) -> list[Span]:
        """The finished spans; runs are numbered in the order in which they started."""
        found = super().spans
        runs, writers = SequentialIds("run"), SequentialIds("writer")
        for span in sorted(found, key=lambda span: span.seq or 0):
            runs(span.run_id)
        for span in found:
            span.run_id, span.trace_id = runs(span.run_id), runs(span.trace_id)
            if span.parent_run_id is not None:
                span.parent_run_id = runs(span.parent_run_id)
            if span.writer_id is not None:
                span.writer_id = writers(span.writer_id)
            span.host = span.pid = None
        return found


@contextmanager
def recording(**options: Unpack[TracerOptions]) -> Iterator[RecordingTracer]:
    """A RecordingTracer with the options of JsonlTracer, closed at the end of the block."""
    with RecordingTracer(**options) as tracer:
        yield tracer
