"""Which spans belong to which checkpoint of a thread, and how sure that is.

Sure links: the task id that a span carries is the one that wrote at the checkpoint; the checkpoint id that a lifecycle
event gave; the run id inside a message's id (`lc_run--RUN_ID`); a provider's message id or a tool call id that occurs
once. Everything else is approximate: an id that several spans share (a cache hit repeats the first call's message), the
node and step of another recorder, or nothing but the time.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from flightlog_viewer.approvals.approval import parse_time
from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.tasks import task_of_namespace

By: TypeAlias = Literal["task", "checkpoint", "message", "tool call", "step", "time"]


@dataclass(frozen=True, slots=True)
class SpanRef:
    """What of a span can tell its place in a thread."""

    row_id: int
    run_id: str
    type: str
    start_time: datetime | None
    """UTC, as the end."""
    end_time: datetime | None = None
    """None while it has not ended."""
    checkpoint_ns: str | None = None
    """The namespace of the span's own task, `parent|node:task_id`."""
    task_id: str | None = None
    node: str | None = None
    step: int | None = None
    """The step that the span ran in: one more than its checkpoint's."""
    checkpoint_id: str | None = None
    message_id: str | None = None
    tool_call_id: str | None = None
    cache_hit: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A span and the checkpoint that its super-step started from; of a run, the one that holds its input."""

    row_id: int
    run_id: str
    checkpoint_ns: str
    checkpoint_id: str
    task_id: str | None
    by: By
    exact: bool


@dataclass(slots=True)
class _Places:
    """Where the rows of a thread can be found by what spans carry."""

    tasks: dict[str, tuple[str, str]]
    checkpoints: dict[str, tuple[str, str]]
    messages: dict[str, list[tuple[str, str]]]
    """Message id to the checkpoints whose tasks wrote it."""
    tool_calls: dict[str, list[tuple[str, str]]]
    steps: dict[tuple[str, int], list[tuple[str, str]]]
    """Node and step number of the checkpoint that it started from."""
    times: list[tuple[float, tuple[str, str]]]
    """Root checkpoints by time."""
    inputs: list[tuple[float, tuple[str, str]]]
    """Those that a run wrote when it began with new input."""


def join(steps: Iterable[Step], spans: Sequence[SpanRef]) -> list[Link]:
    """One link a span that has a place in the thread, in the order of the spans; spans without one are left out."""
    places = _places(steps)
    shared: defaultdict[tuple[str, str], int] = defaultdict(int)
    for span in spans:
        for name in (span.message_id, span.tool_call_id):
            if name is not None:
                shared[span.type, name] += 1
    links = []
    for span in spans:
        for place, task_id, by, exact in _candidates(span, places, shared):
            links.append(Link(span.row_id, span.run_id, *place, task_id, by, exact))
            break
    return links


def message_run(message_id: str | None) -> str | None:
    """The run id in a message id that LangChain made itself: `lc_run--RUN_ID`, with `-0` after it when streamed."""
    prefix = "lc_run--" if message_id and message_id.startswith("lc_run--") else "run-"
    if message_id is None or not message_id.startswith(prefix):
        return None
    rest = message_id[len(prefix) :].removeprefix("-")
    return rest[:36] if len(rest) >= 36 else None


_Candidate: TypeAlias = tuple[tuple[str, str], str | None, By, bool]


def _candidates(span: SpanRef, places: _Places, shared: Mapping[tuple[str, str], int]) -> Iterator[_Candidate]:
    task_id = span.task_id or task_of_namespace(span.checkpoint_ns or "")
    if task_id is not None and task_id in places.tasks:
        yield places.tasks[task_id], task_id, "task", True
    if span.checkpoint_id is not None and span.checkpoint_id in places.checkpoints:
        yield places.checkpoints[span.checkpoint_id], None, "checkpoint", True
    if span.message_id is not None and (found := places.messages.get(span.message_id)):
        run = message_run(span.message_id)
        sure = run == span.run_id if run is not None else shared[span.type, span.message_id] == 1
        yield found[0], None, "message", sure and not span.cache_hit and len(found) == 1
    if span.tool_call_id is not None and (found := places.tool_calls.get(span.tool_call_id)):
        sure = shared[span.type, span.tool_call_id] == 1 and len(found) == 1
        yield _nearest(found, span, places), None, "tool call", sure
    if span.node is not None and span.step is not None and (found := places.steps.get((span.node, span.step - 1))):
        yield _nearest(found, span, places), None, "step", False
    if span.start_time is not None:
        start, end = span.start_time, span.end_time
        begun, before = _first_within(start, end, places.inputs), _at_time(start, places)
        if (place := begun or before or _first_within(start, end, places.times)) is not None:
            yield place, None, "time", False


def _places(steps: Iterable[Step]) -> _Places:
    places = _Places({}, {}, defaultdict(list), defaultdict(list), defaultdict(list), [], [])
    for step in steps:
        place = (step.checkpoint_ns, step.checkpoint_id)
        places.checkpoints[step.checkpoint_id] = place
        moment = parse_time(step.ts)
        if step.checkpoint_ns == "" and moment is not None:
            places.times.append((moment.timestamp(), place))
            if step.source == "input":
                places.inputs.append(places.times[-1])
        for task in step.tasks:
            if task.task_id:
                places.tasks[task.task_id] = place
            if step.step is not None:
                places.steps[task.node, step.step].append(place)
            for value in task.writes.values():
                for message in _messages(value):
                    _note(places.messages, message.get("id"), place)
                    _note(places.tool_calls, message.get("tool_call_id"), place)
    places.times.sort()
    places.inputs.sort()
    return places


def _messages(value: Any) -> Iterator[Mapping[str, Any]]:
    items = value["$writes"] if isinstance(value, dict) and isinstance(value.get("$writes"), list) else [value]
    for item in items:
        for message in item if isinstance(item, list) else [item]:
            if isinstance(message, dict) and "type" in message and "content" in message:
                yield message


def _note(index: dict[str, list[tuple[str, str]]], name: Any, place: tuple[str, str]) -> None:
    if isinstance(name, str) and place not in index[name]:
        index[name].append(place)


def _nearest(found: Sequence[tuple[str, str]], span: SpanRef, places: _Places) -> tuple[str, str]:
    """Of several checkpoints the newest that is not younger than the span: ids of one thread sort by time."""
    if len(found) == 1 or span.start_time is None:
        return found[0]
    at_time = _at_time(span.start_time, places)
    before = [place for place in found if at_time is not None and place[1] <= at_time[1]]
    return max(before, key=lambda place: place[1]) if before else found[0]


def _at_time(moment: datetime, places: _Places) -> tuple[str, str] | None:
    at = bisect_right(places.times, _seconds(moment), key=lambda item: item[0])
    return places.times[at - 1][1] if at else None


def _first_within(
    start: datetime, end: datetime | None, times: Sequence[tuple[float, tuple[str, str]]]
) -> tuple[str, str] | None:
    """The first of some checkpoints that was written while a span ran."""
    at = bisect_left(times, _seconds(start), key=lambda item: item[0])
    return times[at][1] if at < len(times) and (end is None or times[at][0] <= _seconds(end)) else None


def _seconds(moment: datetime) -> float:
    """Since the epoch; a store keeps UTC and does not say so."""
    return moment.replace(tzinfo=UTC).timestamp()


def span_refs(rows: Iterable[Mapping[str, Any]]) -> list[SpanRef]:
    """The rows of the named query `thread_spans` as what `join` takes."""
    return [SpanRef(**{**row, "cache_hit": bool(row["cache_hit"])}) for row in rows]
