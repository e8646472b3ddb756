"""Where the spans of a trace stand on a line of terminal columns: bars, idle gaps, critical path, minimap."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from flightlog_viewer.analysis.tree import Outline

IDLE_SHARE = 0.1
"""A stretch without work longer than this share of the window is collapsed."""
IDLE_COLUMNS = 3
"""Columns that stand for a collapsed stretch."""
MOST_GAPS = 5


class Interval(NamedTuple):
    """Microseconds since the epoch, end excluded."""

    start: int
    end: int


class Bar(NamedTuple):
    """Columns ``start`` to ``end`` (excluded); at least one column wide."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Axis:
    """A piecewise linear map from time to columns: ``times[i]`` stands at ``columns[i]``."""

    times: tuple[int, ...]
    columns: tuple[float, ...]
    gaps: tuple[Interval, ...]
    width: int

    @property
    def window(self) -> Interval:
        return Interval(self.times[0], self.times[-1])

    def column(self, time: int) -> float:
        """Where a time stands; outside the window the nearest edge."""
        times, columns = self.times, self.columns
        if time <= times[0]:
            return 0.0
        if time >= times[-1]:
            return float(self.width)
        i = bisect_right(times, time) - 1
        share = (time - times[i]) / (times[i + 1] - times[i])
        return columns[i] + share * (columns[i + 1] - columns[i])

    def time(self, column: float) -> int:
        """The time under a column."""
        i = max(0, min(bisect_right(self.columns, column) - 1, len(self.times) - 2))
        span = self.columns[i + 1] - self.columns[i]
        share = (column - self.columns[i]) / span if span else 0.0
        return round(self.times[i] + share * (self.times[i + 1] - self.times[i]))

    def bar(self, start: int, end: int) -> Bar | None:
        """The columns of a span; None when it lies outside the window."""
        if end < self.times[0] or start > self.times[-1] or self.width <= 0:
            return None
        left = min(int(self.column(start)), self.width - 1)
        right = max(left + 1, min(self.width, round(self.column(end))))
        return Bar(left, right)

    def gap_columns(self) -> list[int]:
        """The middle column of every collapsed stretch."""
        return [int((self.column(gap.start) + self.column(gap.end)) / 2) for gap in self.gaps]

    def ticks(self, count: int) -> list[tuple[int, float]]:
        """About ``count`` round times as (column, milliseconds since the start of the trace's window)."""
        start, end = self.window
        step = _round_step((end - start) / 1000 / max(1, count))
        found: list[tuple[int, float]] = []
        at = 0.0
        while at <= (end - start) / 1000 and len(found) < 100:
            found.append((int(self.column(start + round(at * 1000))), at))
            at += step
        return found


def axis(window: Interval, width: int, busy: Iterable[Interval] | None = None) -> Axis:
    """The axis of ``window`` over ``width`` columns. With ``busy`` intervals, long stretches outside them collapse."""
    start, end = window
    end = max(end, start + 1)
    gaps: list[Interval] = []
    if busy is not None and width > IDLE_COLUMNS * MOST_GAPS * 2:
        gaps = [gap for gap in idle(busy, Interval(start, end)) if gap.end - gap.start > (end - start) * IDLE_SHARE]
        gaps = sorted(sorted(gaps, key=lambda g: g.start - g.end)[:MOST_GAPS])
    if not gaps:
        return Axis((start, end), (0.0, float(width)), (), width)
    work = (end - start) - sum(gap.end - gap.start for gap in gaps)
    free = width - IDLE_COLUMNS * len(gaps)
    times, columns = [start], [0.0]
    for gap in gaps:
        if gap.start > times[-1]:
            columns.append(columns[-1] + (gap.start - times[-1]) / max(1, work) * free)
            times.append(gap.start)
        times.append(gap.end)
        columns.append(columns[-1] + IDLE_COLUMNS)
    if times[-1] < end:
        times.append(end)
        columns.append(float(width))
    columns[-1] = float(width)
    return Axis(tuple(times), tuple(columns), tuple(gaps), width)


def idle(busy: Iterable[Interval], window: Interval) -> list[Interval]:
    """The stretches of ``window`` in which nothing is busy, by time."""
    found = []
    reached = window.start
    for start, end in sorted(busy):
        if start > reached:
            found.append(Interval(reached, min(start, window.end)))
        reached = max(reached, end)
        if reached >= window.end:
            break
    if reached < window.end:
        found.append(Interval(reached, window.end))
    return [gap for gap in found if gap.end > gap.start]


@dataclass(frozen=True, slots=True)
class Spread:
    """When a trace ran, reckoned once for all that is drawn of it. Work is done by the spans without children."""

    whole: Interval
    """From the first start to the last end; to now while something runs."""
    starts: list[int]
    """Of the working spans, sorted; ``ends`` as well, each for itself."""
    ends: list[int]
    failed: list[Interval]
    """The working spans that failed."""

    @property
    def busy(self) -> list[Interval]:
        """The stretches in which at least one span worked, by time: between these nothing did."""
        found: list[Interval] = []
        starts, ends = self.starts, self.ends
        if not starts:
            return found
        begun = starts[0]
        for i in range(1, len(starts)):
            # As many have ended as have started: nobody works until the next one starts.
            if starts[i] > ends[i - 1]:
                found.append(Interval(begun, ends[i - 1]))
                begun = starts[i]
        found.append(Interval(begun, ends[-1]))
        return found


def measure(outline: Outline, until: int) -> Spread:
    """When the spans of a trace ran. Those that run do so ``until`` then, microseconds since the epoch.

    Those that died with their process run until the last that is known of the trace: what comes after is nobody's time.
    """
    rows, children = outline.rows, outline.children
    if not rows:
        return Spread(Interval(0, 1), [], [], [])
    first = min([row.start_us for row in rows])
    known = [None if (took := row.duration_ms) is None else row.start_us + round(took * 1000) for row in rows]
    last = max([row.start_us if end is None else end for row, end in zip(rows, known, strict=True)])
    if any(row.status == "running" for row in rows):
        last = max(last, until)
    starts, ends, failed = [], [], []
    for row, end, below in zip(rows, known, children, strict=False):
        if below:
            continue
        start = row.start_us
        end = max(start + 1, last if end is None else end)
        starts.append(start)
        ends.append(end)
        if row.status == "error":
            failed.append(Interval(start, end))
    starts.sort()
    ends.sort()
    return Spread(Interval(first, max(last, first + 1)), starts, ends, failed)


def critical_path(outline: Outline) -> set[int]:
    """The spans that decided when the trace ended: from each end back through the child that finished last.

    The rule is Jaeger's: walk back from a span's end; the last child that ended by then is on the path, and the walk
    goes on from that child's start.
    """
    path: set[int] = set()
    stack: list[tuple[int, int]] = []
    tops = [outline.first_span(node) for node in outline.roots if node != outline.orphans]
    if tops:
        top = max(tops, key=lambda node: _end(outline, node))
        stack.append((top, _end(outline, top)))
    while stack:
        node, until = stack.pop()
        path.add(node)
        for child in sorted(outline.span_children(node), key=lambda c: _end(outline, c), reverse=True):
            end = min(_end(outline, child), until)
            if outline.rows[child].start_us < until and _end(outline, child) <= until + _SLACK_US:
                stack.append((child, end))
                until = outline.rows[child].start_us
    return path


def minimap(spread: Spread, width: int) -> tuple[list[int], list[bool]]:
    """For every column of the whole trace how many spans work there, and whether one of them failed."""
    start, end = spread.whole
    edges = [start + (end - start) * column // width for column in range(width + 1)] if width > 0 else []
    counts = [
        max(0, bisect_left(spread.starts, right) - bisect_right(spread.ends, left)) for left, right in pairwise(edges)
    ]
    failed = [False] * len(counts)
    line = axis(spread.whole, width)
    for interval in spread.failed:
        bar = line.bar(*interval)
        if bar is not None:
            failed[bar.start : bar.end] = [True] * (bar.end - bar.start)
    return counts, failed


def zoomed(window: Interval, whole: Interval, factor: float, centre: int) -> Interval:
    """``window`` scaled by ``factor`` around ``centre``, kept inside ``whole``; never under ten microseconds."""
    size = max(10, min(whole.end - whole.start, round((window.end - window.start) * factor)))
    share = (centre - window.start) / max(1, window.end - window.start)
    return shifted(Interval(round(centre - share * size), round(centre - share * size) + size), whole, 0)


def shifted(window: Interval, whole: Interval, by: int) -> Interval:
    """``window`` moved by so many microseconds, kept inside ``whole``."""
    size = window.end - window.start
    start = max(whole.start, min(window.start + by, whole.end - size))
    return Interval(start, start + size)


_SLACK_US = 1000
"""Clocks of a child and its parent may disagree by this much."""


def _end(outline: Outline, node: int) -> int:
    row = outline.rows[node]
    return row.start_us if row.end_us is None else row.end_us


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    step = 0.001
    while True:
        for factor in (1, 2, 5):
            if step * factor >= raw:
                return step * factor
        step *= 10
