"""Screen 2: one trace as tree and waterfall, and the span under the cursor beside it."""

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document
from flightlog_viewer.analysis.messages import ToolSpan
from flightlog_viewer.analysis.span_document import TABS, document
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.analysis.tree import Outline, SpanRow
from flightlog_viewer.tui import bookmarks
from flightlog_viewer.tui.copying import CopyChoice, as_text, sql_text
from flightlog_viewer.tui.questions.spans import OpenTrace
from flightlog_viewer.tui.screens.view import READING, View
from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.filter_line import FilterLine, without_sql
from flightlog_viewer.tui.widgets.lines import TabBar
from flightlog_viewer.tui.widgets.panes import Panes
from flightlog_viewer.tui.widgets.waterfall import Waterfall

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter

_SETTLE_S = 0.06
"""The selection moves at once; while it moves on, the detail is read when it has rested this long."""
_REST_S = 0.25
"""A move after so long a rest is a single one: its detail is read without waiting."""


class TraceView(View):
    """Tree, waterfall and detail."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="trace.filter"),
        Binding("x", "checkpoint", "Checkpoint", id="trace.checkpoint"),
        Binding("v", "next_tab", "Next tab", id="detail.tab"),
        Binding("V", "next_tab(-1)", "Previous tab", show=False, id="detail.tab.previous"),
        Binding("Q", "sql", "In SQL", id="trace.sql"),
        Binding("tab", "other_pane", "Other pane", show=False, id="pane.other"),
        Binding("z", "zoom_pane", "Zoom pane", show=False, id="pane.zoom"),
        Binding("B", "bookmark", "Bookmark", show=False, id="trace.bookmark"),
    ]

    def __init__(self) -> None:
        super().__init__(id="trace")
        self.trace_id: str | None = None
        self._where: Filter | None = None
        self._filter_text = ""
        self._tools: Mapping[str, ToolSpan] = {}
        self._span: dict[str, Any] = {}
        self._payload: dict[str, Any] = {}
        self._shown_row: int | None = None
        self._wanted_row: int | None = None
        self._settle: Timer | None = None
        self._moved_at = 0.0
        self._found_by: Filter | None = None
        self._missing = False
        """The trace that is asked for is in none of the files."""

    def compose(self) -> ComposeResult:
        yield FilterLine("filter the spans of this trace: status:error type:llm", id="trace-filter")
        tree = Waterfall(id="trace-tree")
        detail = Vertical(TabBar(TABS, id="detail-tabs"), BodyView(id="detail-body"), id="detail")
        yield Panes(tree, detail, id="trace-panes")

    @property
    def waterfall(self) -> Waterfall:
        return self.query_one("#trace-tree", Waterfall)

    @property
    def body(self) -> BodyView:
        return self.query_one("#detail-body", BodyView)

    @property
    def tabs(self) -> TabBar:
        return self.query_one("#detail-tabs", TabBar)

    @property
    def panes(self) -> Panes:
        return self.query_one("#trace-panes", Panes)

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one("#trace-filter", FilterLine)

    def on_mount(self) -> None:
        self.waterfall.glyphs = self.body.glyphs = self.glyphs
        self._say_nothing()
        if self.trace_id is None:
            self.body.show_document(Document([Block("nothing is chosen", "dim")]))

    def shown(self) -> None:
        self.panes.enter("first")

    def show_trace(self, trace_id: str, row_id: int | None = None, found_by: "Filter | None" = None) -> None:
        """Open a trace at the span of this row id, at what it was found by, where it failed or asks, or at its top."""
        if trace_id == self.trace_id and row_id is not None and self._stand_on(row_id):
            return
        self.trace_id = trace_id
        self._missing = False
        self._wanted_row, self._found_by = row_id, found_by
        self._say_nothing()
        self._read(keep=False)

    def _say_nothing(self) -> None:
        if self.trace_id is None:
            said = "no trace is open: Enter on a trace of screen 1 opens it"
        elif self._missing:
            said = "this trace is not in the files that are open"
        elif self.filter_line.text:
            said = "no span matches this filter: Esc clears it"
        else:
            said = self.waiting or READING
        self.waterfall.nothing = said
        self.waterfall.refresh()

    def data_changed(self, *, appended: bool) -> None:
        self._say_nothing()
        if self.trace_id is not None:
            self._read(keep=True)

    def zone_changed(self) -> None:
        if self._where is not None:
            self._filter(self._filter_text)  # its times are meant in the zone
        self._show_tab()

    def _read(self, *, keep: bool) -> None:
        trace_id, session = self.trace_id, self.session
        if trace_id is None or not session.loaded:
            return

        folded, found_by = self.waterfall.folded() if keep else frozenset(), self._found_by

        def work() -> OpenTrace:
            return session.spans.open_trace(trace_id, round(time() * 1e6), folded, found_by)

        self.ask(
            "trace",
            work,
            lambda opened: self._opened(opened, keep=keep),
            again=partial(self._read, keep=True) if keep else None,
        )

    def _opened(self, opened: OpenTrace, *, keep: bool) -> None:
        outline, before = opened.folding.outline, self.waterfall.outline
        ended = not (self._has_running(before) or self._has_running(outline))
        if keep and ended and len(outline.rows) == len(before.rows):
            return
        self._tools = opened.tools
        self._missing = not outline.rows
        self._say_nothing()
        if self._missing:
            self._shown_row, self._span, self._payload = None, {}, {}
            self.body.show_document(Document(()))
        self.waterfall.show_trace(opened.folding, opened.spread, keep=keep)
        self.filter_line.set_count(units.plural(len(outline.rows), "span"))
        if self._wanted_row is not None:
            self._stand_on(self._wanted_row)
            self._wanted_row = None
        elif not keep and (first := opened.folding.beginning()) is not None:
            self.waterfall.go_to(first)
        if self._filter_text:
            self._filter(self._filter_text)
        if not keep:
            self._read_span()

    def _stand_on(self, row_id: int) -> bool:
        """Go to a span that was asked for by itself: where only one pane has room, its detail is what is wanted."""
        found = self.waterfall.go_to_row(row_id)
        if found and self.panes.alone:
            self.panes.enter("second")
        return found

    @staticmethod
    def _has_running(outline: Outline) -> bool:
        return any(row.duration_ms is None for row in outline.rows)

    def on_virtual_rows_moved(self, event: Waterfall.Moved) -> None:
        event.stop()
        if event.sender is self.waterfall:
            if self._settle is not None:
                self._settle.stop()
            now, before = monotonic(), self._moved_at
            self._moved_at = now
            if now - before > _REST_S:
                self._read_span()
            else:
                self._settle = self.set_timer(_SETTLE_S, self._read_span)

    def _read_span(self, then: Callable[[], None] | None = None) -> None:
        """Show the span under the cursor if it is not shown yet, then do what needs it."""
        if self._settle is not None:
            self._settle.stop()
        row = self.waterfall.selected
        if row is None or row.row_id == self._shown_row:
            if then is not None:
                then()
            return
        session, row_id = self.session, row.row_id

        def work() -> tuple[dict[str, Any], dict[str, Any]]:
            return session.spans.span(row_id), session.spans.payload(row_id)

        def show(answer: tuple[dict[str, Any], dict[str, Any]]) -> None:
            self._shown_row = row_id
            self._span, self._payload = answer
            self._show_tab()
            if then is not None:
                then()

        self.ask("span", work, show)

    def _show_tab(self) -> None:
        if not self._span:
            return
        made = document(TABS[self.tabs.active], self._span, self._payload, self._tools, self.glyphs.status, self.zone)
        self.body.show_document(made)

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.tabs.active = event.index
        self._show_tab()

    def on_virtual_rows_opened(self, event: Waterfall.Opened) -> None:
        event.stop()
        if event.sender is self.waterfall:
            self.panes.enter("second")

    def on_body_view_link_opened(self, event: BodyView.LinkOpened) -> None:
        event.stop()
        if event.kind == "span":
            self.waterfall.go_to_row(event.target)
            self.panes.enter("first")
        else:
            self.action_checkpoint()

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        text, in_sql = without_sql(event.text)
        if (text or not in_sql) and not self._filter(text):
            return
        if in_sql:
            self.notify(self._sql(), title="This filter in SQL (y copies it)", markup=False, timeout=15)

    def _sql(self) -> str:
        passes = "" if self._where is None else f" AND ({self._where.as_sql()})"
        return f"SELECT * FROM spans WHERE trace_id = {sql_text(self.trace_id or '')}{passes}"

    def _filter(self, text: str) -> bool:
        """False when the text is no filter."""
        from flightlog_viewer.analysis.filter import FilterError, compile_filter

        trace_id, session = self.trace_id, self.session
        if not text or trace_id is None:
            self._where, self._filter_text = None, text
            self.filter_line.clear_error()
            self.waterfall.filter_rows(None)
            self.filter_line.set_count(units.plural(len(self.waterfall.outline.rows), "span"))
            return True
        try:
            where = compile_filter(text, "spans", tz=self.zone, now=self.viewer.now())
        except FilterError as error:
            self.filter_line.show_error(error.message, error.position)
            return False
        self._where, self._filter_text = where, text
        self.filter_line.clear_error()
        self.ask("filter", lambda: session.spans.matching_spans(trace_id, where), self._filtered)
        return True

    def _filtered(self, row_ids: set[int]) -> None:
        found = self.waterfall.filter_rows(row_ids)
        self._say_nothing()
        self.filter_line.set_count(f"{found:,} of {len(self.waterfall.outline.rows):,}")

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        event.stop()
        self.waterfall.focus()

    def back(self) -> bool:
        if self.body.has_focus:
            self.panes.enter("first")
            return True
        if self.filter_line.text:
            self.filter_line.set_text("")
            return True
        return False

    def copy_choices(self) -> list[CopyChoice]:
        row, block = self.waterfall.selected, self.body.block
        if row is None:
            return []
        choices = [
            CopyChoice("run id", lambda: row.run_id),
            CopyChoice("trace id", lambda: self.trace_id or ""),
            *self._known(row),
            CopyChoice("SQL of these spans", self._sql),
            CopyChoice("SQL of this span", lambda: f"SELECT * FROM spans WHERE run_id = {sql_text(row.run_id)}"),
            CopyChoice("JSON of this span", self._json),
            CopyChoice("this tab as text", self.body.text),
        ]
        if block is not None and block.value is not None:
            choices.insert(0, CopyChoice("value under the cursor", lambda: as_text(block.value)))
        return choices

    def _known(self, row: SpanRow) -> list[CopyChoice]:
        """What a report about the span under the cursor names, where it has it."""
        thread, error = self._span.get("thread_id"), self._span.get("error")
        if self._span.get("row_id") != row.row_id:
            return []
        choices = [CopyChoice("thread id", lambda: as_text(thread))] if thread else []
        if isinstance(error, Mapping):
            said = f"{error.get('type') or 'error'}: {error.get('message') or ''}"
            choices.append(CopyChoice("error", lambda: said))
            if stack := error.get("stacktrace"):
                choices.append(CopyChoice("error with its stack", lambda: f"{said}\n{stack}"))
        return choices

    def _json(self) -> str:
        from flightlog_viewer.analysis.span_document import plain

        light = {k: plain(v) for k, v in self._span.items() if v is not None}
        return as_text({**light, **self._payload})

    def body_text(self) -> str:
        return self._json()

    def action_filter(self) -> None:
        self.filter_line.focus_input()

    def action_sql(self) -> None:
        if self.trace_id is not None:
            self.viewer.open_sql(f"{self._sql()}\nORDER BY start_time")

    def action_other_pane(self) -> None:
        self.panes.change()

    def action_zoom_pane(self) -> None:
        self.panes.zoom()

    def action_next_tab(self, step: int = 1) -> None:
        self.tabs.active = (self.tabs.active + step) % len(TABS)
        self._show_tab()

    def action_bookmark(self) -> None:
        trace_id, session = self.trace_id, self.session
        if trace_id is not None:
            self.ask("bookmark", lambda: session.spans.find_trace(trace_id), self._bookmark)

    def _bookmark(self, trace: TraceRow | None) -> None:
        if trace is not None:
            self.notify(bookmarks.turn(trace), markup=False)

    def action_checkpoint(self) -> None:
        self._read_span(self._to_checkpoint)  # the cursor may have moved on a moment ago

    def _to_checkpoint(self) -> None:
        thread_id = self._span.get("thread_id")
        if isinstance(thread_id, str):
            self.viewer.open_thread(thread_id, span=self._span)
        else:
            self.notify("this span names no thread", markup=False)
