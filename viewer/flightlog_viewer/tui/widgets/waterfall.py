"""The tree of a trace with its bars of time beside it, drawn row by row over any number of spans."""

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.binding import Binding, BindingType

from flightlog_viewer.analysis import timeline, units
from flightlog_viewer.analysis.timeline import Axis, Interval
from flightlog_viewer.analysis.tree import Line, Outline, SpanRow, build
from flightlog_viewer.tui.glyphs import UNICODE, Glyphs, letter
from flightlog_viewer.tui.text import fit, segment, width_of
from flightlog_viewer.tui.widgets.virtual import VirtualRows

_TONES = {"llm": "llm", "tool": "tool", "retriever": "retriever"}
_STATUS_TONES = {"error": "error", "interrupted": "wait", "running": "wait", "unfinished": "error", "cancelled": "dim"}
_DURATION = 7
_MOST_BARS = 400
"""More spans than this on one row draw the same picture as a sample of them."""


class GroupFacts(NamedTuple):
    """What the row of a group shows."""

    total_ms: float
    failed: bool
    some: list[SpanRow]
    """Its spans, or a sample of them that gives the same picture."""


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
        Binding("w", "zoom(0.5)", "Zoom in", id="time.in"),
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
        self.outline: Outline = build(())
        self._expanded: set[int] = set()
        self._lines: list[Line] = []
        self._row_of: dict[int, int] | None = None
        self._matches: list[int] | None = None
        self._failures: list[int] = []
        self._critical: set[int] | None = None
        self._collapse_idle = True
        self._until = 0
        self._whole = Interval(0, 1)
        self._window = self._whole
        self._busy: list[Interval] = []
        self._axis: Axis | None = None
        self._small: tuple[Axis, list[int], list[bool]] | None = None
        self._groups: dict[int, GroupFacts] = {}

    @property
    def row_count(self) -> int:
        return len(self._lines)

    @property
    def selected(self) -> SpanRow | None:
        """The span under the cursor, or the first one of a group; None in an empty tree."""
        if not self._lines:
            return None
        return self.outline.rows[self.outline.first_span(self._lines[self._cursor].node)]

    def show_outline(self, outline: Outline, until_us: int, *, keep: bool = False) -> None:
        """Show a trace. ``until_us`` is where unended spans are drawn to. ``keep`` holds folds, cursor and zoom."""
        was, window, fitted = self.selected, self._window, self._window == self._whole
        folded = {self._key(n) for n, below in enumerate(self.outline.children) if below and n not in self._expanded}
        self.outline = outline
        self._expanded = outline.everything_open()
        if keep:
            self._expanded -= {node for node in self._expanded if self._key(node) in folded}
        self._until = until_us
        whole = timeline.extent(outline)
        if any(row.duration_ms is None for row in outline.rows):
            whole = Interval(whole.start, max(whole.end, until_us))
        self._whole = whole
        self._window = window if keep and not fitted else whole
        self._busy = timeline.busy(outline, whole.end)
        self._failures = outline.failures()
        self._critical = None
        self._matches = None
        self._axis = self._small = None
        self._groups = {}
        self._relist()
        if keep and was is not None:
            self.go_to_row(was.row_id)
        else:
            self._cursor = 0
            self.move_to(0, tell=False)
        if self._lines:
            self.post_message(self.Moved(self, self._cursor))

    def filter_rows(self, row_ids: set[int] | None) -> int:
        """Show only these spans and what stands above them; None shows all. Returns how many match."""
        rows = self.outline.rows
        self._matches = None if row_ids is None else [n for n in self.outline.order if rows[n].row_id in row_ids]
        was = self._lines[self._cursor].node if self._lines else None
        self._relist()
        if was is not None and (row := self._rows_by_node().get(was)) is not None:
            self.move_to(row)
        elif self._matches:
            self.go_to(self._matches[0])
        else:
            self.move_to(0)
        return len(self._matches or ())

    def go_to(self, node: int) -> None:
        """Open what hides a node and put the cursor on it."""
        if self._matches is None:
            closed = [above for above in self.outline.ancestors(node) if above not in self._expanded]
            if closed:
                self._expanded |= set(closed)
                self._relist()
        row = self._rows_by_node().get(node)
        if row is not None:
            self.move_to(row)

    def go_to_row(self, row_id: int) -> bool:
        """Put the cursor on the span with this row id; False when the trace has none."""
        for node, row in enumerate(self.outline.rows):
            if row.row_id == row_id:
                self.go_to(node)
                return True
        return False

    def draw_header(self, line: int, width: int) -> list[Segment]:
        label, bars = self._split(width)
        axis = self._axis_for(bars)
        style = self.get_component_rich_style("rows--header", partial=True)
        if line == 0:
            whole, counts, failed = self._minimap(bars)
            density = self.glyphs.density
            top = max(counts, default=0) or 1
            summary = f"{len(self.outline.rows):,} spans  {units.duration(self._span_ms(self._whole))}"
            if self._failures:
                summary += f"  {self.glyphs.status['error']}{len(self._failures)}"
            found = [segment(fit(summary, label), style)]
            left, right = whole.column(self._window.start), whole.column(self._window.end)
            for column, count in enumerate(counts):
                mark = density[0 if not count else max(1, round(count / top * (len(density) - 1)))]
                inside = left <= column < max(right, left + 1)
                tone = "error" if failed[column] else ("strong" if inside else "dim")
                found.append(segment(mark, self.tone(tone)))
            return found
        ruler = [" "] * bars
        for column, ms in axis.ticks(max(1, bars // 12)):
            shift = self._span_ms(Interval(self._whole.start, self._window.start))
            text = units.duration(ms + shift) if ms + shift else "0"
            if column + len(text) < bars and not "".join(ruler[column : column + len(text) + 1]).strip():
                ruler[column : column + len(text)] = text
        for column in axis.gap_columns():
            ruler[min(column, bars - 1)] = self.glyphs.gap
        return [segment(fit("", label), style), segment("".join(ruler), style)]

    def draw_row(self, row: int, width: int, selected: bool) -> list[Segment]:
        node, depth = self._lines[row]
        label, bars = self._split(width)
        outline, glyphs = self.outline, self.glyphs
        below = outline.children[node]
        fold = (glyphs.unfolded if self._open(node) else glyphs.folded) if below else " "
        indent = min(depth, max(1, (label - 20) // 2)) if label > 22 else min(depth, 3)
        lead = " " * indent + (f"{depth}" if indent < depth else "") + fold + " "
        on_path = self._critical is not None and node in self._critical
        if not outline.is_span(node):
            first = outline.rows[outline.first_span(node)]
            orphans = node == outline.orphans
            name = "orphans: parent not in this file" if orphans else first.name
            mark = "? " if orphans else f"{letter(first.type, first.kind)} "
            facts = self._facts(node)
            status = glyphs.status["error"] if facts.failed else " "
            text = f"{lead}{status}{mark}{name} x{len(below)}"
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
        took = span.status if span.duration_ms is None else units.duration(span.duration_ms)
        name = f"{span.name}{cut}"
        head = f"{lead}{status}{letter(span.type, span.kind)} "
        room = label - _DURATION - 2 - width_of(head)
        return [
            segment(head, self.tone(tone)),
            segment(fit(name, max(1, room)) + " ", self.tone("path" if on_path else "")),
            segment(fit(took, _DURATION, right=True) + " ", self.tone("dim")),
            *self._bars([span], bars, "path" if on_path else "bar" if tone == "chain" else tone),
        ]

    def _minimap(self, width: int) -> tuple[Axis, list[int], list[bool]]:
        """The whole trace in small; it looks at every span, so it is kept until the width changes."""
        if self._small is None or self._small[0].width != width:
            whole = timeline.axis(self._whole, width)
            self._small = (whole, *(timeline.minimap(self.outline, whole) if width > 0 else ([], [])))
        return self._small

    def _facts(self, node: int) -> GroupFacts:
        """What a group comes to, reckoned once."""
        found = self._groups.get(node)
        if found is None:
            rows = [self.outline.rows[n] for n in self.outline.children[node] if self.outline.is_span(n)]
            some = rows[:: max(1, len(rows) // _MOST_BARS)]
            total = sum(row.duration_ms or 0 for row in rows)
            found = self._groups[node] = GroupFacts(total, any(row.status == "error" for row in rows), some)
        return found

    def _bars(self, spans: list[SpanRow], width: int, tone: str = "bar") -> list[Segment]:
        axis = self._axis_for(width)
        columns = bytearray(width)
        for span in spans:
            end = self._whole.end if span.end_us is None else span.end_us
            bar = axis.bar(span.start_us, end)
            if bar is not None:
                columns[bar.start : bar.end] = bytes([1 if span.end_us is not None else 2]) * (bar.end - bar.start)
        marks = (" ", self.glyphs.full, self.glyphs.open_end)
        for column in axis.gap_columns():
            if column < width and columns[column]:
                columns[column] = 3
        return [segment("".join((*marks, self.glyphs.gap)[c] for c in columns), self.tone(tone))] if width else []

    def _split(self, width: int) -> tuple[int, int]:
        """Cells for the tree and for the bars."""
        bars = 0 if width < 40 else max(12, width * 45 // 100)
        return width - bars, bars

    def _axis_for(self, width: int) -> Axis:
        if self._axis is None or self._axis.width != width:
            busy = self._busy if self._collapse_idle else None
            self._axis = timeline.axis(self._window, width, busy)
        return self._axis

    def _open(self, node: int) -> bool:
        return node in self._expanded or self._matches is not None

    def _key(self, node: int) -> tuple[bool, int]:
        """What a node is known by when the trace is read again."""
        return self.outline.is_span(node), self.outline.rows[self.outline.first_span(node)].row_id

    def _span_ms(self, interval: Interval) -> float:
        return (interval.end - interval.start) / 1000

    def _relist(self) -> None:
        keep = None if self._matches is None else set(self._matches)
        self._lines = self.outline.lines(self._expanded, keep)
        self._row_of = None
        self.resized()

    def _rows_by_node(self) -> dict[int, int]:
        if self._row_of is None:
            self._row_of = {line.node: row for row, line in enumerate(self._lines)}
        return self._row_of

    def _set_window(self, window: Interval) -> None:
        self._window = window
        self._axis = None
        self.refresh()

    def action_fold(self) -> None:
        if not self._lines or self._matches is not None:
            return
        node, depth = self._lines[self._cursor]
        if not self.outline.children[node]:
            return
        at = self._cursor + 1
        if node in self._expanded:
            self._expanded.discard(node)
            end = at
            while end < len(self._lines) and self._lines[end].depth > depth:
                end += 1
            del self._lines[at:end]
        else:
            self._expanded.add(node)
            self._lines[at:at] = self.outline.below(node, depth, self._expanded)
        self._row_of = None
        self.resized()

    def action_collapse(self) -> None:
        if not self._lines:
            return
        node = self._lines[self._cursor].node
        if self.outline.children[node] and self._open(node) and self._matches is None:
            self.action_fold()
        elif (above := self.outline.parent[node]) >= 0:
            self.go_to(above)

    def action_expand(self) -> None:
        if not self._lines:
            return
        node = self._lines[self._cursor].node
        if self.outline.children[node] and not self._open(node):
            self.action_fold()
        elif self.outline.children[node]:
            self.action_move(1)

    def _jump(self, marks: list[int], step: int, nothing: str) -> None:
        found = self.outline.next_in(marks, self._lines[self._cursor].node, step) if self._lines else None
        if found is None:
            self.notify(nothing, markup=False)
        else:
            self.go_to(found)

    def action_error(self, step: int) -> None:
        self._jump(self._failures, step, "no span of this trace failed")

    def action_match(self, step: int) -> None:
        self._jump(self._matches or [], step, "no filter: / sets one")

    def action_sibling(self, step: int) -> None:
        if self._lines and (found := self.outline.sibling(self._lines[self._cursor].node, step)) is not None:
            self.go_to(found)

    def action_zoom(self, factor: float) -> None:
        span = self.selected
        if span is None:
            return
        end = self._whole.end if span.end_us is None else span.end_us
        centre = max(self._window.start, min((span.start_us + end) // 2, self._window.end))
        self._set_window(timeline.zoomed(self._window, self._whole, factor, centre))

    def action_pan(self, share: float) -> None:
        by = round((self._window.end - self._window.start) * share)
        self._set_window(timeline.shifted(self._window, self._whole, by))

    def action_fit(self) -> None:
        span = self.selected
        if span is None:
            return
        end = self._whole.end if span.end_us is None else span.end_us
        fitted = Interval(span.start_us, max(end, span.start_us + 10))
        self._set_window(self._whole if self._window == fitted else fitted)

    def action_critical(self) -> None:
        self._critical = timeline.critical_path(self.outline) if self._critical is None else None
        self.refresh()

    def action_idle(self) -> None:
        self._collapse_idle = not self._collapse_idle
        self._set_window(self._window)

    def row_clicked(self, row: int, x: int) -> None:
        node, depth = self._lines[row]
        if self.outline.children[node] and x <= depth + 1:
            self.action_fold()
