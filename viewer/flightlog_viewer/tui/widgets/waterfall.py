"""The tree of a trace with its bars of time beside it, drawn row by row over any number of spans."""

from collections import Counter
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.binding import Binding, BindingType

from flightlog_viewer.analysis import timeline, units
from flightlog_viewer.analysis.folding import Folding, Key
from flightlog_viewer.analysis.timeline import Axis, Interval, Spread
from flightlog_viewer.analysis.tree import Outline, SpanRow, build
from flightlog_viewer.tui.glyphs import UNICODE, Glyphs, letter
from flightlog_viewer.tui.text import fit, picture, segment, width_of
from flightlog_viewer.tui.widgets.virtual import VirtualRows

_TONES = {"llm": "llm", "tool": "tool", "retriever": "retriever"}
_STATUS_TONES = {"error": "error", "interrupted": "wait", "running": "wait", "unfinished": "error", "cancelled": "dim"}
_DURATION = 7
_MOST_TOOLS = 10
_MOST_BARS = 400
"""More spans than this on one row draw the same picture as a sample of them."""


class GroupFacts(NamedTuple):
    """What the row of a group shows."""

    total_ms: float
    failed: bool
    some: list[SpanRow]
    """Its spans, or a sample of them that gives the same picture."""
    tools: list[str]
    """The first of the tools that its spans called."""


class Waterfall(VirtualRows):
    """Minimap and ruler above, then one row a span: tree on the left, time on the right."""

    HEADER: ClassVar[int] = 2

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "collapse", "Collapse", show=False, id="tree.collapse"),
        Binding("l,right", "expand", "Expand", show=False, id="tree.expand"),
        Binding("space", "fold", "Fold", show=False, id="tree.fold"),
        Binding("e", "error(1)", "Next error", id="error.next"),
        Binding("E", "error(-1)", "Previous error", show=False, id="error.previous"),
        Binding("full_stop", "sibling(1)", "Next sibling", show=False, id="sibling.next"),
        Binding("comma", "sibling(-1)", "Previous sibling", show=False, id="sibling.previous"),
        Binding("w", "zoom(0.5)", "Zoom in", show=False, id="time.in"),
        Binding("b", "zoom(2)", "Zoom out", show=False, id="time.out"),
        Binding("L", "pan(0.25)", "Later", show=False, id="time.later"),
        Binding("H", "pan(-0.25)", "Earlier", show=False, id="time.earlier"),
        Binding("f", "fit", "Fit span / trace", show=False, id="time.fit"),
        Binding("c", "critical", "Critical path", show=False, id="critical_path"),
        Binding("i", "idle", "Collapse idle time", show=False, id="idle"),
        Binding("n", "match(1)", "Next match", show=False, id="match.next"),
        Binding("N", "match(-1)", "Previous match", show=False, id="match.previous"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs: Glyphs = UNICODE
        self._folding = Folding(build(()))
        self._spread = timeline.measure(self.outline, 0)
        self._window = self._spread.whole
        self._critical: set[int] | None = None
        self._collapse_idle = True
        self._axis: Axis | None = None
        self._small: tuple[int, list[int], list[bool]] | None = None
        self._groups: dict[int, GroupFacts] = {}
        self._failed: Counter[str] = Counter()

    @property
    def outline(self) -> Outline:
        return self._folding.outline

    @property
    def row_count(self) -> int:
        return len(self._folding.lines)

    @property
    def selected(self) -> SpanRow | None:
        """The span under the cursor, or the first one of a group; None in an empty tree."""
        node = self._node
        return None if node is None else self.outline.rows[self.outline.first_span(node)]

    @property
    def _node(self) -> int | None:
        return self._folding.lines[self._cursor].node if self._folding.lines else None

    def folded(self) -> frozenset[Key]:
        """What is closed, for the same trace read again."""
        return self._folding.folded()

    def show_trace(self, folding: Folding, spread: Spread, *, keep: bool = False) -> None:
        """Show a trace. ``keep`` holds cursor and zoom; both arguments are made elsewhere: a large trace takes time."""
        stood = None if self._node is None else self._folding.key(self._node)
        fitted = self._window == self._spread.whole
        self._folding, self._spread = folding, spread
        if not keep or fitted:
            self._window = spread.whole
        self._critical = None
        self._axis = self._small = None
        self._groups = {}
        self._failed = Counter(self.outline.rows[node].status for node in folding.failures)
        self.resized()
        if keep and stood is not None:
            node = folding.find(stood)
            if node is not None:
                self.go_to(node)
        else:
            self._cursor = 0
            self.move_to(0, tell=False)
        if self.row_count:
            self.post_message(self.Moved(self, self._cursor))

    def filter_rows(self, row_ids: set[int] | None) -> int:
        """Show only these spans and what stands above them; None shows all. Returns how many match."""
        was = self._node
        found = self._folding.keep(row_ids)
        self.resized()
        row = None if was is None else self._folding.row_of(was)
        if row is None and self._folding.matches:
            row = self._folding.row_of(self._folding.matches[0])
        self.move_to(row or 0)
        return found

    def go_to(self, node: int) -> None:
        """Open what hides a node and put the cursor on it."""
        rows = self.row_count
        row = self._folding.reveal(node)
        if self.row_count != rows:
            self.resized()
        if row is not None:
            self.move_to(row)

    def go_to_row(self, row_id: int) -> bool:
        """Put the cursor on the span with this row id; False when the trace has none."""
        node = self._folding.node_of(row_id)
        if node is not None:
            self.go_to(node)
        return node is not None

    def draw_header(self, line: int, width: int) -> list[Segment]:
        if not self.outline.rows:
            return []
        label, bars = self._split(width)
        axis = self._axis_for(bars)
        style = self.get_component_rich_style("rows--header", partial=True)
        if line == 0:
            counts, failed = self._minimap(bars)
            whole = timeline.axis(self._spread.whole, bars)
            density = self.glyphs.density
            top = max(counts, default=0) or 1
            summary = f"{units.plural(len(self.outline.rows), 'span')}  {units.duration(_ms(self._spread.whole))}"
            for status, number in self._failed.items():
                summary += f"  {self.glyphs.status[status]}{number}"
            found = [segment(fit(summary, label), style)]
            left, right = whole.column(self._window.start), whole.column(self._window.end)
            for column, count in enumerate(counts):
                mark = density[0 if not count else max(1, round(count / top * (len(density) - 1)))]
                inside = left <= column < max(right, left + 1)
                tone = "error" if failed[column] else ("strong" if inside else "dim")
                found.append(segment(mark, self.tone(tone)))
            return found
        ruler = [" "] * bars
        for column in axis.gap_columns():
            ruler[min(column, bars - 1)] = self.glyphs.gap
        for column, ms in axis.ticks(max(1, bars // 12)):
            shift = _ms(Interval(self._spread.whole.start, self._window.start))
            text = units.duration(ms + shift) if ms + shift else "0"
            beside = "".join(ruler[max(0, column - 1) : column + len(text) + 1]).replace(self.glyphs.gap, " ")
            if column + len(text) < bars and not beside.strip() and set(ruler[column : column + len(text)]) == {" "}:
                ruler[column : column + len(text)] = text
        return [segment(fit("", label), style), segment("".join(ruler), style)]

    def draw_row(self, row: int, width: int, selected: bool) -> list[Segment]:
        node, depth = self._folding.lines[row]
        label, bars = self._split(width)
        outline, glyphs = self.outline, self.glyphs
        below = outline.children[node]
        fold = (glyphs.unfolded if self._folding.is_open(node) else glyphs.folded) if below else " "
        indent = min(depth, max(1, (label - 20) // 2)) if label > 22 else min(depth, 3)
        lead = " " * indent + (f"{depth}" if indent < depth else "") + fold + " "
        on_path = self._critical is not None and node in self._critical
        if not outline.is_span(node):
            first = outline.rows[outline.first_span(node)]
            orphans = node == outline.orphans
            name = "orphans: parent not in this file" if orphans else units.name(outline.group_name(node))
            mark = "? " if orphans else f"{letter(first.type, first.kind)} "
            facts = self._facts(node)
            status = glyphs.status["error"] if facts.failed else " "
            tools = ", ".join(units.name(tool) for tool in facts.tools)
            text = f"{lead}{status}{mark}{name} x{len(below)}{': ' if tools else ''}{tools}"
            total = None if orphans else facts.total_ms
            return [
                segment(fit(text, label - _DURATION - 2) + " ", self.tone("error" if facts.failed else "dim")),
                segment(fit("" if total is None else units.duration(total), _DURATION, right=True) + " ", None),
                *self._bars(facts.some, bars),
            ]
        span = outline.rows[node]
        status = " " if span.status == "ok" else glyphs.status.get(span.status, "?")
        tone = _STATUS_TONES.get(span.status, _TONES.get(span.type, "chain"))
        cut = " (cycle cut)" if node in outline.cut else ""
        took = units.took(span.duration_ms, span.status)
        name = f"{units.name(span.name)}{units.attempt(span.attempt)}{cut}"
        head = f"{lead}{status}{letter(span.type, span.kind)} "
        room = label - _DURATION - 2 - width_of(head)
        return [
            segment(head, self.tone(tone)),
            segment(fit(name, max(1, room)) + " ", self.tone("path" if on_path else "")),
            segment(fit(took, _DURATION, right=True) + " ", self.tone("dim")),
            *self._bars([span], bars, "path" if on_path else "bar" if tone == "chain" else tone),
        ]

    def _minimap(self, width: int) -> tuple[list[int], list[bool]]:
        """The whole trace in small, kept until the width changes."""
        if self._small is None or self._small[0] != width:
            self._small = (width, *timeline.minimap(self._spread, width))
        return self._small[1:]

    def _facts(self, node: int) -> GroupFacts:
        """What a group comes to, reckoned once."""
        found = self._groups.get(node)
        if found is None:
            rows = [self.outline.rows[n] for n in self.outline.children[node] if self.outline.is_span(n)]
            some = rows[:: max(1, len(rows) // _MOST_BARS)]
            total = sum(row.duration_ms or 0 for row in rows)
            tools = [] if node == self.outline.orphans else self.outline.tools_in(node)[:_MOST_TOOLS]
            found = self._groups[node] = GroupFacts(total, any(row.status == "error" for row in rows), some, tools)
        return found

    def _bars(self, spans: list[SpanRow], width: int, tone: str = "bar") -> list[Segment]:
        axis = self._axis_for(width)
        columns = bytearray(width)
        for span in spans:
            bar = axis.bar(span.start_us, self._end_of(span))
            if bar is not None:
                columns[bar.start : bar.end] = bytes([1 if span.end_us is not None else 2]) * (bar.end - bar.start)
        marks = (" ", self.glyphs.full, self.glyphs.open_end)
        for column in axis.gap_columns():
            if column < width and columns[column]:
                columns[column] = 3
        return [picture("".join((*marks, self.glyphs.gap)[c] for c in columns), self.tone(tone))] if width else []

    def _split(self, width: int) -> tuple[int, int]:
        """Cells for the tree and for the bars."""
        bars = 0 if width < 40 else max(12, width * 45 // 100)
        return width - bars, bars

    def _axis_for(self, width: int) -> Axis:
        if self._axis is None or self._axis.width != width:
            busy = self._spread.busy if self._collapse_idle else None
            self._axis = timeline.axis(self._window, width, busy)
        return self._axis

    def _set_window(self, window: Interval) -> None:
        self._window = window
        self._axis = None
        self.refresh()

    def action_fold(self) -> None:
        if self.row_count and self._folding.fold(self._cursor):
            self.resized()

    def action_collapse(self) -> None:
        node = self._node
        if node is None:
            return
        if self._folding.is_open(node) and self._folding.fold(self._cursor):
            self.resized()
        elif (above := self.outline.parent[node]) >= 0:
            self.go_to(above)

    def action_expand(self) -> None:
        node = self._node
        if node is None or not self.outline.children[node]:
            return
        if self._folding.is_open(node):
            self.action_move(1)
        else:
            self.action_fold()

    def _jump(self, marks: list[int], step: int, nothing: str) -> None:
        node = self._node
        found = None if node is None else self.outline.next_in(marks, node, step)
        if found is None:
            self.notify(nothing, markup=False)
            return
        self.go_to(found.to)
        if found.said:
            self.notify(found.said, markup=False)

    def action_error(self, step: int) -> None:
        failures, filtered = self._folding.failures, self._folding.matches is not None
        if filtered:
            failures = [node for node in failures if self._folding.row_of(node) is not None]
        self._jump(failures, step, f"no span of this {'filter' if filtered else 'trace'} failed")

    def action_match(self, step: int) -> None:
        matches = self._folding.found or None if self._folding.matches is None else self._folding.matches
        nothing = "no filter: / sets one" if matches is None else "no span matches this filter"
        self._jump(matches or [], step, nothing)

    def action_sibling(self, step: int) -> None:
        node = self._node
        if node is None:
            return
        found = self.outline.sibling(node, step)
        if found is None:
            self.notify(f"this is the {'last' if step > 0 else 'first'} of its siblings", markup=False)
        else:
            self.go_to(found)

    def action_zoom(self, factor: float) -> None:
        span, whole = self.selected, self._spread.whole
        if span is None:
            return
        centre = (span.start_us + self._end_of(span)) // 2
        centre = max(self._window.start, min(centre, self._window.end))
        self._set_window(timeline.zoomed(self._window, whole, factor, centre))

    def action_pan(self, share: float) -> None:
        by = round((self._window.end - self._window.start) * share)
        self._set_window(timeline.shifted(self._window, self._spread.whole, by))

    def action_fit(self) -> None:
        span, whole = self.selected, self._spread.whole
        if span is None:
            return
        fitted = Interval(span.start_us, max(self._end_of(span), span.start_us + 10))
        self._set_window(whole if self._window == fitted else fitted)

    def _end_of(self, span: SpanRow) -> int:
        return self._spread.whole.end if span.end_us is None else span.end_us

    def action_critical(self) -> None:
        self._critical = timeline.critical_path(self.outline) if self._critical is None else None
        self.refresh()

    def action_idle(self) -> None:
        self._collapse_idle = not self._collapse_idle
        self._set_window(self._window)

    def row_clicked(self, row: int, x: int) -> None:
        node, depth = self._folding.lines[row]
        if self.outline.children[node] and x <= depth + 1:
            self.action_fold()


def _ms(interval: Interval) -> float:
    return (interval.end - interval.start) / 1000
