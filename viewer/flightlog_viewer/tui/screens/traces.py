"""Screen 1: every trace, filtered and sorted."""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.filter_fields import hint
from flightlog_viewer.analysis.jumps import Jump, jump
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui import bookmarks
from flightlog_viewer.tui.comparing import Comparison
from flightlog_viewer.tui.copying import CopyChoice, sql_text
from flightlog_viewer.tui.lists.trace_cells import cells, columns
from flightlog_viewer.tui.lists.traces import TraceLister
from flightlog_viewer.tui.questions.spans import TRACE_SORTS, trace_order
from flightlog_viewer.tui.screens.view import TraceOpened, View
from flightlog_viewer.tui.widgets.filter_line import FilterLine, without_sql
from flightlog_viewer.tui.widgets.paged_rows import PagedRows
from flightlog_viewer.tui.widgets.row_list import Cell, RowList

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter


_NEWEST_FIRST = ("start", True)
_RISING = ("name", "status", "thread", "service")
"""Sorted from A to Z at first, the others from the largest."""


class PageArrived(Message):
    """A late page is here: draw again."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, PageArrived)


class TracesView(View):
    """The list of traces under its filter line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="filter"),
        Binding("e", "error(1)", "Next error", id="traces.error.next"),
        Binding("E", "error(-1)", "Previous error", show=False, id="traces.error.previous"),
        Binding("t,x", "thread", "Thread", id="traces.thread"),
        Binding("s", "sort", "Sort", id="sort"),
        Binding("S", "reverse", "Reverse sort", show=False, id="sort.reverse"),
        Binding("Q", "sql", "In SQL", id="traces.sql"),
        Binding("B", "bookmark", "Bookmark", show=False, id="bookmark"),
        Binding("c", "compare", "Compare (mark, then c on another)", show=False, id="compare"),
        Binding("a", "newer", "Show newer", show=False, id="newer"),
    ]

    def __init__(self) -> None:
        super().__init__(id="traces")
        self.sort, self.descending = _NEWEST_FIRST
        self.where: Filter | None = None
        self.filter_text = ""
        self._came_with = ""
        """The filter that another screen has set."""
        self._lister = TraceLister(self.session, self._line, self._arrived)
        self._newer = 0
        """Traces that wait until they are asked for."""
        self._above = 0
        """Traces that have come in above while they are followed and the cursor stands elsewhere."""
        self._summary: dict[str, Any] = {}
        self._comparison = Comparison(self)
        self._marked: set[str] = set()

    def compose(self) -> ComposeResult:
        yield FilterLine("status:error dur>2s model:gpt*", id="traces-filter")
        yield RowList(columns(services=False), id="traces-rows")

    @property
    def table(self) -> RowList:
        return self.query_one("#traces-rows", RowList)

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one("#traces-filter", FilterLine)

    def on_mount(self) -> None:
        self._marked = {mark.trace_id for mark in bookmarks.load()}
        if not self.session.loaded:
            self.show_excerpt(self.viewer.first_rows)

    def shown(self) -> None:
        self.table.focus()

    def show_excerpt(self, rows: list[TraceRow]) -> None:
        """Rows read from the file itself, until the store is there."""
        self.table.set_columns(columns(services=len({row.service for row in rows}) > 1))
        self.table.show_rows(self._lister.excerpt(rows), sort=_NEWEST_FIRST)
        self.filter_line.set_count(f"{len(rows)} so far")

    def selected(self) -> TraceRow | None:
        """The trace under the cursor."""
        return self._lister.at_cursor(self.table)

    def data_changed(self, *, appended: bool) -> None:
        self.reload(appended=appended)

    def zone_changed(self) -> None:
        if self.session.loaded:
            self._filter(self.filter_text)  # its times are meant in the zone
        else:
            self.show_excerpt(self.viewer.first_rows)

    def reload(self, *, appended: bool = False) -> None:
        """Ask for the list again; ``appended`` says that only new rows can have come."""
        if not self.session.loaded:
            return
        where, sort, descending = self.where, self.sort, self.descending
        session, stands = self.session, self.table.key

        def work() -> tuple[PagedRows, dict[str, Any]]:
            ids, summary = session.spans.trace_ids(where, sort, descending), session.spans.trace_summary(where)
            rows = self._lister.paged(ids, summary["p95_ms"])
            # What will be in view is fetched here: else placeholders would be drawn first, and all a second time.
            for row in {0, rows.find(stands) or 0}:
                rows.have(row)
            return rows, summary

        self.ask(
            "traces",
            work,
            lambda answer: self._listed(*answer, appended=appended),
            again=partial(self.reload, appended=True) if appended else None,
        )

    def _listed(self, rows: PagedRows, summary: dict[str, Any], *, appended: bool) -> None:
        self._say_nothing()
        was = self.selected()
        shown = self.table.rows
        self.table.set_columns(columns(services=summary["services"]))
        newer = len(rows) - len(shown) if appended and isinstance(shown, PagedRows) else 0
        moved = self.table.cursor > 0
        # Rows never move under the cursor: what is new waits until it is asked for.
        waits = newer > 0 and moved and not self.viewer.following
        self._newer = newer if waits else 0
        self._above = self._above + newer if appended and moved and self._newest_first else 0
        self._summary = summary
        self._count()
        if waits:
            if self._newest_first:
                # What is new stands above; of what was there some may have ended, and got another row id.
                self._put(self._lister.paged(rows.ids[newer:], summary["p95_ms"]), self.table.cursor)
            return
        if was is not None and (not isinstance(shown, PagedRows) or (was.status == "running" and moved)):
            # Known again by its trace id only: the excerpt has no row ids, and what ends gets another.
            self.ask(
                "keep",
                lambda: self._row_of(was.trace_id),
                lambda row_id: self._put(rows, rows.find(row_id) if moved and row_id is not None else None),
            )
        else:
            # A cursor that nobody has put anywhere stays at the top of another order or filter.
            keep = (moved or not self.viewer.following) if appended else not self.table.fresh
            self.table.show_rows(rows, sort=(self.sort, self.descending), keep=keep)

    @property
    def _newest_first(self) -> bool:
        return (self.sort, self.descending) == _NEWEST_FIRST

    def go_newest(self) -> None:
        """Stand on the newest trace; in another order it would be anywhere."""
        self.table.move_to(0)
        if not self._newest_first:
            self.sort, self.descending = _NEWEST_FIRST
            self.table.fresh = True  # the top of the new order, not the row one stands on
            self.reload()

    def on_virtual_rows_moved(self, event: RowList.Moved) -> None:
        event.stop()
        if event.row == 0 and self._above:
            self._above = 0
            self._count()

    def _put(self, rows: PagedRows, at: int | None) -> None:
        """Show these with the cursor ``at`` a row, on the same line of the screen; at the top without one."""
        line = self.table.cursor - self.table.scroll_offset.y
        self.table.show_rows(rows, sort=(self.sort, self.descending), keep=False)
        if at is not None:
            self.table.move_to(at)
            self.table.scroll_to(y=max(0, at - line), animate=False, immediate=True, force=True)

    def _row_of(self, trace_id: str) -> int | None:
        rows = self.session.cursors.rows("SELECT row_id FROM traces WHERE trace_id = ?", [trace_id])
        return rows[0][0] if rows else None

    def _say_nothing(self) -> None:
        if self.where is not None:
            self.table.nothing = "no trace matches this filter: Esc clears it" + hint(self.filter_text)
        elif self.session.cursors.store.sources:
            self.table.nothing = "no trace yet: waiting for the file to be written"
        else:
            self.table.nothing = "no span file is open: flightlog view FILE --checkpoints DB shows its runs here"

    def _count(self) -> None:
        summary = self._summary
        shown = summary["traces"]
        parts = [f"{shown:,} of {summary['total']:,}" if self.where is not None else units.plural(shown, "trace")]
        marks = self.glyphs.status
        parts += [f"{marks[s]}{summary[n]:,}" for s, n in (("error", "errors"), ("unfinished", "died")) if summary[n]]
        if not shown:
            self.filter_line.set_count("  ".join(parts))
            return
        parts.append(f"p95 {units.duration(summary['p95_ms'])}")
        if summary["tokens"] or summary["tokens"] is None or summary["cost"]:  # otherwise no model was called
            cost = units.money(summary["cost"], more=summary["unknown_costs"] > 0)
            parts += [f"{units.count(summary['tokens'])} tok", f"cost {cost}" if summary["cost"] is None else cost]
        if self._newer or (self._above and self.viewer.following):
            parts.insert(0, f"{self._newer} newer (a)" if self._newer else f"{self._above} newer (g)")
        self.filter_line.set_count("  ".join(parts))

    def _line(self, trace: TraceRow, p95_ms: float | None) -> list[Cell]:
        return cells(trace, self.glyphs, p95_ms, self.zone, marked=trace.trace_id in self._marked)

    def _arrived(self) -> None:
        self.post_message(PageArrived())

    def on_page_arrived(self, event: PageArrived) -> None:
        event.stop()
        self.table.refresh()

    def on_virtual_rows_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.open_selected()

    def open_selected(self) -> None:
        """Open the trace under the cursor, if there is one, at what it was found by."""
        trace = self.selected()
        if trace is None:
            return
        found_by = None
        if self.where is not None:
            from flightlog_viewer.analysis.filter import compile_filter

            found_by = compile_filter(self.filter_text, "spans", tz=self.zone, now=self.viewer.now())
        self.post_message(TraceOpened(trace.trace_id, found_by=found_by))

    def on_row_list_header_clicked(self, event: RowList.HeaderClicked) -> None:
        event.stop()
        self.sort_by({"bar": "duration", "day": "start"}.get(event.column, event.column))

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        text, in_sql = without_sql(event.text)
        if (text or not in_sql) and not self._filter(text):
            return
        if in_sql:
            self._say_sql()

    def _filter(self, text: str) -> bool:
        """False when the text is no filter."""
        from flightlog_viewer.analysis.filter import FilterError, compile_filter

        try:
            where = compile_filter(text, "traces", tz=self.zone, now=self.viewer.now()) if text else None
        except FilterError as error:
            self.filter_line.show_error(error.message, error.position)
            return False
        self.filter_line.clear_error()
        self.where, self.filter_text = where, text
        self.reload()
        return True

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        event.stop()
        self.table.focus()

    def set_filter(self, text: str) -> None:
        """Filter as if it had been typed, by whoever leads here: Esc leads back there first."""
        self.filter_line.set_text(text)
        self._came_with = text

    def _say_sql(self) -> None:
        self.notify(self._sql(), title="This filter in SQL (y copies it)", markup=False, timeout=15)

    def _sql(self) -> str:
        passes = "" if self.where is None else f"WHERE {self.where.as_sql()}\n"
        return f"SELECT * FROM traces\n{passes}ORDER BY {trace_order(self.sort, self.descending)}"

    def sort_by(self, column: str) -> None:
        """Sort by a column; by the same one again turns the order round."""
        if column not in TRACE_SORTS:
            return
        if not self.session.loaded:
            self.notify("not all traces are read yet", markup=False)
            return
        self.descending = not self.descending if column == self.sort else column not in _RISING
        self.sort = column
        self.reload()

    def back(self) -> bool:
        came_with, self._came_with = self._came_with, ""
        if self.filter_line.text and self.filter_line.text != came_with:
            self.filter_line.set_text("")
            self.table.focus()
            return True
        return False

    def copy_choices(self) -> list[CopyChoice]:
        trace = self.selected()
        if trace is None:
            return []
        return [
            CopyChoice("trace id", lambda: trace.trace_id),
            CopyChoice("thread id", lambda: trace.thread_id or ""),
            CopyChoice("SQL of this list", self._sql),
            CopyChoice("SQL of this trace", lambda: f"SELECT * FROM spans WHERE trace_id = {sql_text(trace.trace_id)}"),
        ]

    def action_filter(self) -> None:
        self.filter_line.focus_input()

    def action_sort(self) -> None:
        from flightlog_viewer.tui.screens.menus import Menu

        menu = Menu("Sort by", list(TRACE_SORTS))
        self.viewer.push_screen(menu, lambda chosen: self.sort_by(chosen) if chosen else None)

    def action_reverse(self) -> None:
        self.sort_by(self.sort)

    def action_sql(self) -> None:
        self.viewer.open_sql(self._sql())

    def action_newer(self) -> None:
        self._newer = 0
        self.reload()

    def action_error(self, step: int) -> None:
        rows = self.table.rows
        if not isinstance(rows, PagedRows):
            self.notify("not all traces are read yet", markup=False)
            return
        ids, here, fresh, session = rows.ids, self.table.cursor, self.table.fresh, self.session

        def work() -> Jump | None:
            return jump(session.spans.failed_rows(ids), here, step, fresh=fresh)

        self.ask("error", work, self._jump)

    def _jump(self, found: Jump | None) -> None:
        if found is None:
            self.notify("no trace in this list failed or died", markup=False)
            return
        self.table.choose(found.to)
        if found.said:
            self.notify(found.said, markup=False)

    def action_bookmark(self) -> None:
        trace = self.selected()
        if trace is not None:
            self.notify(bookmarks.turn(trace), markup=False)
            self._marked = {mark.trace_id for mark in bookmarks.load()}
            self.reload()

    def action_compare(self) -> None:
        trace = self.selected()
        if trace is not None:
            self._comparison.take(trace)

    def action_thread(self) -> None:
        trace = self.selected()
        if trace is not None and trace.thread_id:
            self.viewer.open_thread(trace.thread_id)
        else:
            self.notify("this trace names no thread", markup=False)
