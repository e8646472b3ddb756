"""Spans -> Chrome Trace Event JSON, which ui.perfetto.dev and chrome://tracing open.

A thread of a graph is a process there, and each thread of control in it a track. Slices of one track must lie within
one another or apart, so what runs in parallel gets a track of its own. An arrow leads from a question to the run that
its answer resumed. Source: "Trace Event Format" (Google); times are microseconds since the earliest span.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import orjson

from flightlog.span import Span, format_time
from flightlog.truncation import write_any_depth

_SLACK_NS: Final = 1_000_000
"""Starts are wall-clock and durations monotonic, so a child may seem to outlast its parent by a little: it is drawn
that much shorter."""
_ARGUMENTS: Final = (
    "status",
    "run_id",
    "thread_id",
    "node",
    "step",
    "attempt",
    "checkpoint_ns",
    "model",
    "provider",
    "finish_reason",
    "token_usage",
    "time_to_first_token_ms",
    "tool_call_id",
    "document_count",
    "service",
)


@dataclass(slots=True)
class Slice:
    """One span as it is drawn; without its payloads."""

    name: str
    type: str
    run_id: str
    parent: str | None
    trace_id: str
    start_ns: int
    end_ns: int
    arguments: dict[str, Any]
    asked: list[str]
    """Ids of the interrupts a root ended with."""
    answered: list[str | None]
    """Ids of the interrupts a root answers; None for one that is not named."""
    thread_id: str | None
    is_error: bool
    pid: int = 0
    tid: int = 0


@dataclass(slots=True)
class _Track:
    tid: int
    open: list[Slice] = field(default_factory=list)
    """The slices around the present moment, outermost first."""

    def reach(self, moment_ns: int) -> None:
        """Let go of what has ended."""
        while self.open and self.open[-1].end_ns <= moment_ns:
            self.open.pop()


def write(spans: Iterable[Span], out: BinaryIO) -> int:
    """Write the file and answer how many spans it holds. All spans are held in memory, without their payloads."""
    slices = sorted((_slice(span) for span in spans), key=lambda one: (one.start_ns, -one.end_ns))
    base = slices[0].start_ns if slices else 0
    out.write(b'{"displayTimeUnit":"ms","otherData":')
    out.write(orjson.dumps({"start": format_time(base), "producer": "flightlog"}))
    out.write(b',"traceEvents":[')
    separator = b"\n"
    for event in _events(slices, base):
        out.write(separator + write_any_depth(event, orjson.OPT_NON_STR_KEYS))
        separator = b",\n"
    out.write(b"\n]}\n")
    return len(slices)


def _events(slices: list[Slice], base: int) -> Iterator[dict[str, Any]]:
    yield from _names(_lay_out(slices))
    for one in slices:
        yield _drawn(one, base)
    yield from _arrows(slices, base)


def _slice(span: Span) -> Slice:
    arguments = {name: value for name in _ARGUMENTS if (value := getattr(span, name)) is not None}
    arguments |= {"start_time": span.start_time, "duration_ms": span.duration_ms}
    if span.error is not None:
        arguments["error"] = {name: text for name, text in span.error.items() if name != "stacktrace"}
    is_root = span.parent_run_id is None
    return Slice(
        name=span.name,
        type=span.kind or span.type,
        run_id=span.run_id,
        parent=span.parent_run_id,
        trace_id=span.trace_id,
        start_ns=span.start_ns,
        end_ns=span.end_ns if span.end_ns is not None else span.start_ns,
        arguments=arguments,
        asked=_ids(span.interrupts, "id") if is_root and span.status == "interrupted" else [],
        answered=[_text(item, "interrupt_id") for item in span.resumes or ()] if is_root else [],
        thread_id=span.thread_id,
        is_error=span.status == "error",
    )


def _ids(items: Any, key: str) -> list[str]:
    return [text for item in items or () if (text := _text(item, key)) is not None]


def _text(item: Any, key: str) -> str | None:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else None


def _lay_out(slices: list[Slice]) -> dict[str, tuple[int, list[_Track]]]:
    """Give each slice its process and track; answers the tracks of each process by its name."""
    thread_of = {one.trace_id: one.thread_id for one in slices if one.thread_id is not None}
    by_id = {one.run_id: one for one in slices}
    processes: dict[str, tuple[int, list[_Track]]] = {}
    for one in slices:
        thread_id = thread_of.get(one.trace_id)
        name = f"thread {thread_id}" if thread_id is not None else f"trace {one.trace_id}"
        one.pid, tracks = processes.setdefault(name, (len(processes) + 1, []))
        track = _track_for(one, tracks, by_id)
        one.tid = track.tid
        track.open.append(one)
    return processes


def _track_for(one: Slice, tracks: list[_Track], by_id: dict[str, Slice]) -> _Track:
    for track in tracks:
        track.reach(one.start_ns)
    parent = by_id.get(one.parent) if one.parent is not None else None
    if parent is not None and parent.tid and parent.pid == one.pid:
        track = tracks[parent.tid - 1]
        around = track.open[-1] if track.open else None
        if around is not None and one.end_ns <= around.end_ns + _SLACK_NS and _is_within(one, around, by_id):
            one.end_ns = min(one.end_ns, around.end_ns)
            return track
    free = next((track for track in tracks if not track.open), None)
    if free is None:
        free = _Track(len(tracks) + 1)
        tracks.append(free)
    return free


def _is_within(one: Slice, around: Slice, by_id: dict[str, Slice]) -> bool:
    """Whether the one was started by the other, directly or not. Parents may be missing, or in a circle."""
    parent = one.parent
    for _ in range(1000):
        if parent is None or parent == around.run_id:
            return parent is not None
        above = by_id.get(parent)
        parent = above.parent if above is not None else None
    return False


def _names(processes: dict[str, tuple[int, list[_Track]]]) -> Iterator[dict[str, Any]]:
    for name, (pid, tracks) in processes.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "ts": 0, "args": {"name": name}}
        for track in tracks:
            title = "main" if track.tid == 1 else f"parallel {track.tid - 1}"
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": track.tid, "ts": 0, "args": {"name": title}}


def _drawn(one: Slice, base: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": one.name,
        "cat": one.type,
        "pid": one.pid,
        "tid": one.tid,
        "ts": (one.start_ns - base) / 1000,
        "args": one.arguments,
    }
    if one.type == "event":
        return event | {"ph": "i", "s": "t"}
    if one.is_error:
        event["cname"] = "terrible"
    return event | {"ph": "X", "dur": (one.end_ns - one.start_ns) / 1000}


def _arrows(slices: list[Slice], base: int) -> Iterator[dict[str, Any]]:
    """From the last moment of a run that asked to the first of the one that was resumed with the answer."""
    waiting: dict[tuple[str, str], Slice] = {}
    number = 0
    for one in slices:
        targets = {}
        for interrupt_id in one.answered:
            asked = waiting.get(("interrupt", interrupt_id)) if interrupt_id is not None else None
            if asked is None and one.thread_id is not None:
                asked = waiting.get(("thread", one.thread_id))
            if asked is not None:
                targets[asked.run_id] = asked
        for asked in targets.values():
            number += 1
            about = {"name": "resume", "cat": "resume", "id": number}
            # A moment at the very end of a slice would bind to what comes after it.
            last = max(asked.start_ns, asked.end_ns - 1)
            yield {**about, "ph": "s", "pid": asked.pid, "tid": asked.tid, "ts": (last - base) / 1000}
            yield {**about, "ph": "f", "bp": "e", "pid": one.pid, "tid": one.tid, "ts": (one.start_ns - base) / 1000}
        for interrupt_id in one.asked:
            waiting["interrupt", interrupt_id] = one
        if one.asked and one.thread_id is not None:
            waiting["thread", one.thread_id] = one
