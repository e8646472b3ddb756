"""Spans -> Chrome Trace Event JSON, which ui.perfetto.dev and chrome://tracing open.

A thread of a graph is a process there, and each thread of control in it a track. Slices of one track must lie within
one another or apart, so what runs in parallel gets a track of its own. An arrow leads from a question to the run that
its answer resumed. Source: "Trace Event Format" (Google); times are microseconds since the earliest span.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain
from typing import Any, BinaryIO, Final, TypeVar

import orjson

from flightlog.span import Span, format_time
from flightlog.truncation import write_any_depth
from flightlog_exporters.slice_file import Pause, Slice, SliceFile
from flightlog_exporters.span_source import Tick

T = TypeVar("T")

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
class _Track:
    tid: int
    open: list[tuple[str, int]] = field(default_factory=list)
    """Run and end of the slices around the present moment, outermost first."""

    def reach(self, moment_ns: int) -> None:
        """Let go of what has ended."""
        while self.open and self.open[-1][1] <= moment_ns:
            self.open.pop()


class _Tracks(list[_Track]):
    """The tracks of one process; track 1 is the first."""

    def __init__(self) -> None:
        super().__init__()
        self._busy: list[tuple[int, int]] = []
        """When each track is free again, and its number; a heap, because many runs may go on at one time."""
        self._free: list[int] = []

    def take(self, start_ns: int, end_ns: int) -> _Track:
        """The first track with nothing on it, for a slice."""
        while self._busy and self._busy[0][0] <= start_ns:
            heappush(self._free, heappop(self._busy)[1])
        if self._free:
            track = self[heappop(self._free) - 1]
            track.reach(start_ns)
        else:
            track = _Track(len(self) + 1)
            self.append(track)
        heappush(self._busy, (end_ns, track.tid))
        return track


def write(spans: Iterable[Span], out: BinaryIO, tick: Tick | None = None) -> int:
    """Write the file and answer how many spans it holds. They are sorted in a temporary file, without their payloads.

    Once they are read, ``tick`` is told how many steps are done, how many there are, and how many spans. Raises
    UsageError when there is no room for the temporary file.
    """
    with SliceFile() as slices:
        base: int | None = None
        for span in spans:
            base = span.start_ns if base is None else min(base, span.start_ns)
            _add(span, slices)
        slices.sort()
        base = base or 0
        out.write(b'{"displayTimeUnit":"ms","otherData":')
        out.write(orjson.dumps({"start": format_time(base), "producer": "flightlog"}))
        out.write(b',"traceEvents":[')
        separator = b"\n"
        processes = _lay_out(_told(slices.in_order(), slices.count, 0, tick), slices)
        drawn = _drawn(_told(slices.contents(), slices.count, 1, tick), base)
        for event in chain(_names(processes), drawn, _arrows(slices, base)):
            out.write(separator + orjson.dumps(event))
            separator = b",\n"
        out.write(b"\n]}\n")
        return slices.count


def _told(items: Iterable[T], count: int, before: int, tick: Tick | None) -> Iterator[T]:
    """The items of one of the two passes over ``count`` slices, with word of how far it is."""
    for number, item in enumerate(items):
        if tick is not None and number % 256 == 0:
            tick(before * count + number, 2 * count, count)
        yield item


def _add(span: Span, slices: SliceFile) -> None:
    arguments = {name: value for name in _ARGUMENTS if (value := getattr(span, name)) is not None}
    arguments |= {"start_time": span.start_time, "duration_ms": span.duration_ms}
    if span.error is not None:
        arguments["error"] = {name: text for name, text in span.error.items() if name != "stacktrace"}
    content = {
        "name": span.name,
        "type": span.kind or span.type,
        "is_error": span.status == "error",
        "args": arguments,
    }
    pause = None
    if span.parent_run_id is None:
        asked = _ids(span.interrupts, "id") if span.status == "interrupted" else []
        answered = [_text(item, "interrupt_id") for item in span.resumes or ()]
        pause = Pause(asked, answered, span.thread_id) if asked or answered else None
    end_ns = span.end_ns if span.end_ns is not None else span.start_ns
    one = Slice(0, span.run_id, span.parent_run_id, span.start_ns, end_ns)
    slices.add(one, span.trace_id, span.thread_id, write_any_depth(content, orjson.OPT_NON_STR_KEYS), pause)


def _ids(items: Any, key: str) -> list[str]:
    return [text for item in items or () if (text := _text(item, key)) is not None]


def _text(item: Any, key: str) -> str | None:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else None


def _lay_out(in_order: Iterable[tuple[Slice, str, str | None]], slices: SliceFile) -> dict[str, tuple[int, _Tracks]]:
    """Give each slice its process and track; answers the tracks of each process by its name."""
    processes: dict[str, tuple[int, _Tracks]] = {}
    for one, trace_id, thread_id in in_order:
        name = f"thread {thread_id}" if thread_id is not None else f"trace {trace_id}"
        one.pid, tracks = processes.setdefault(name, (len(processes) + 1, _Tracks()))
        track, end_ns = _track_for(one, tracks, slices)
        one.tid = track.tid
        slices.place(one, end_ns)
        track.open.append((one.run_id, end_ns))
    return processes


def _track_for(one: Slice, tracks: _Tracks, slices: SliceFile) -> tuple[_Track, int]:
    """The track of a slice, and where it ends there."""
    parent = slices.run(one.parent) if one.parent is not None else None
    if parent is not None and parent.tid and parent.pid == one.pid:
        track = tracks[parent.tid - 1]
        track.reach(one.start_ns)
        if track.open:
            around, around_end_ns = track.open[-1]
            if one.end_ns <= around_end_ns + _SLACK_NS and _is_within(one, around, slices):
                return track, min(one.end_ns, around_end_ns)
    return tracks.take(one.start_ns, one.end_ns), one.end_ns


def _is_within(one: Slice, around: str, slices: SliceFile) -> bool:
    """Whether the one was started by the other, directly or not. Parents may be missing, or in a circle."""
    parent = one.parent
    for _ in range(1000):
        if parent is None or parent == around:
            return parent is not None
        above = slices.run(parent)
        parent = above.parent if above is not None else None
    return False


def _names(processes: dict[str, tuple[int, _Tracks]]) -> Iterator[dict[str, Any]]:
    for name, (pid, tracks) in processes.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "ts": 0, "args": {"name": name}}
        for track in tracks:
            title = "main" if track.tid == 1 else f"parallel {track.tid - 1}"
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": track.tid, "ts": 0, "args": {"name": title}}


def _drawn(contents: Iterable[tuple[Slice, bytes]], base: int) -> Iterator[dict[str, Any]]:
    for one, content in contents:
        told = orjson.loads(content)
        event: dict[str, Any] = {
            "name": told["name"],
            "cat": told["type"],
            "pid": one.pid,
            "tid": one.tid,
            "ts": (one.start_ns - base) / 1000,
            "args": told["args"],
        }
        if told["type"] == "event":
            yield event | {"ph": "i", "s": "t"}
            continue
        if told["is_error"]:
            event["cname"] = "terrible"
        yield event | {"ph": "X", "dur": (one.end_ns - one.start_ns) / 1000}


def _arrows(slices: SliceFile, base: int) -> Iterator[dict[str, Any]]:
    """From the last moment of a run that asked to the first of the one that was resumed with the answer."""
    waiting: dict[tuple[str, str], Slice] = {}
    number = 0
    for one, pause in slices.pauses():
        targets = {}
        for interrupt_id in pause.answered:
            asked = waiting.get(("interrupt", interrupt_id)) if interrupt_id is not None else None
            if asked is None and pause.thread_id is not None:
                asked = waiting.get(("thread", pause.thread_id))
            if asked is not None:
                targets[asked.run_id] = asked
        for asked in targets.values():
            number += 1
            about = {"name": "resume", "cat": "resume", "id": number}
            # A moment at the very end of a slice would bind to what comes after it.
            last = max(asked.start_ns, asked.end_ns - 1)
            yield {**about, "ph": "s", "pid": asked.pid, "tid": asked.tid, "ts": (last - base) / 1000}
            yield {**about, "ph": "f", "bp": "e", "pid": one.pid, "tid": one.tid, "ts": (one.start_ns - base) / 1000}
        for interrupt_id in pause.asked:
            waiting["interrupt", interrupt_id] = one
        if pause.asked and pause.thread_id is not None:
            waiting["thread", pause.thread_id] = one
