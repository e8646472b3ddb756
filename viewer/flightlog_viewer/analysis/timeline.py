"""Where the spans of a trace stand on a line of terminal columns: bars, idle gaps, critical path, minimap."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
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


def extent(outline: Outline) -> Interval:
    """From the first start to the last known end of a trace."""
    rows = outline.rows
    if not rows:
        return Interval(0, 1)
    start = min(row.start_us for row in rows)
    end = max(row.end_us or row.start_us for row in rows)
    return Interval(start, max(end, start + 1))


def busy(outline: Outline, until: int) -> list[Interval]:
    """When the spans without children ran: between these nothing worked. Unended spans run ``until`` then."""
    return [
        Interval(row.start_us, until if row.end_us is None else row.end_us)
        for node, row in enumerate(outline.rows)
        if not outline.children[node]
    ]


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
        for child in sorted(_span_children(outline, node), key=lambda c: _end(outline, c), reverse=True):
            end = min(_end(outline, child), until)
            if outline.rows[child].start_us < until and _end(outline, child) <= until + _SLACK_US:
                stack.append((child, end))
                until = outline.rows[child].start_us
    return path


def minimap(outline: Outline, line: Axis) -> tuple[list[int], list[bool]]:
    """For every column how many leaf spans run there at most, and whether one of them failed."""
    width = line.width
    steps = [0] * (width + 1)
    failed = [False] * width
    until = line.window.end
    for node, row in enumerate(outline.rows):
        if outline.children[node]:
            continue
        end = row.end_us
        bar = line.bar(row.start_us, until if end is None else end)
        if bar is None:
            continue
        steps[bar.start] += 1
        steps[bar.end] -= 1
        if row.status == "error":
            failed[bar.start : bar.end] = [True] * (bar.end - bar.start)
    running = 0
    counts = []
    for step in steps[:width]:
        running += step
        counts.append(running)
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


def _span_children(outline: Outline, node: int) -> list[int]:
    found = []
    for child in outline.children[node]:
        if outline.is_span(child):
            found.append(child)
        else:
            found.extend(outline.children[child])
    return found


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    step = 0.001
    while True:
        for factor in (1, 2, 5):
            if step * factor >= raw:
                return step * factor
        step *= 10
