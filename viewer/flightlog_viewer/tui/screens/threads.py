"""Screen 3: the threads of checkpoint databases, and one of them step by step."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.analysis.jumps import jump
from flightlog_viewer.analysis.thread_filter import Passes, compile_thread_filter, complete, hint
from flightlog_viewer.tui.lists.runs import COLUMNS as RUN_COLUMNS
from flightlog_viewer.tui.lists.runs import RunRows
from flightlog_viewer.tui.lists.threads import COLUMNS, FAILED, ThreadRows, counted
from flightlog_viewer.tui.questions.threads import ThreadEntry, ThreadSteps
from flightlog_viewer.tui.screens.stepped import SteppedView
from flightlog_viewer.tui.screens.steps import StepsPane
from flightlog_viewer.tui.screens.view import READING, TraceOpened
from flightlog_viewer.tui.widgets.filter_line import FilterLine
from flightlog_viewer.tui.widgets.panes import Panes
from flightlog_viewer.tui.widgets.row_list import RowList

NO_DATABASE = (
    "no checkpoint database is open. To step through threads:",
    "",
    "    flightlog view FILE --checkpoints DB",
    "",
    "DB is LangGraph's SQLite file, or a postgresql:// URL.",
)


class ThreadsView(SteppedView):
    """A list of threads; beside it the steps of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", show=False, id="threads.filter"),
        Binding("left_square_bracket", "step(-1)", "Step back", show=False, id="step.back"),
        Binding("right_square_bracket", "step(1)", "Step", id="step.next"),
        Binding("left_curly_bracket", "mark(-1)", "Previous interrupt or fork", show=False, id="mark.previous"),
        Binding("v", "next_tab", "Next tab", id="threads.tab"),
        Binding("V", "next_tab(-1)", "Previous tab", show=False, id="threads.tab.previous"),
        Binding("x", "span", "To the span", id="threads.span"),
        Binding("d", "diff", "Diff against", id="diff"),
        Binding("right_curly_bracket", "mark(1)", "Next interrupt / fork", id="mark.next"),
        Binding("e", "error(1)", "Next failed thread", show=False, id="threads.error.next"),
        Binding("E", "error(-1)", "Previous failed thread", show=False, id="threads.error.previous"),
        Binding("f", "branch", "Other branch", show=False, id="branch"),
        Binding("P", "play", "Play", show=False, id="play"),
        Binding("m", "set_mark", "Mark this step", show=False, id="mark.set"),
        Binding("n", "namespace", "Next namespace", show=False, id="namespace"),
        Binding("tab", "other_pane", "Other pane", show=False, id="threads.pane"),
        Binding("z", "zoom_pane", "Zoom pane", show=False, id="threads.zoom"),
    ]

    def __init__(self) -> None:
        super().__init__(id="threads")
        self._where: Passes | None = None
        self._entries: list[ThreadEntry] = []
        """The threads in the list: those that pass the filter."""
        self._error_step: int | None = None
        """Which way to a failed thread was asked for while there was no list."""

    def compose(self) -> ComposeResult:
        line = FilterLine("status:errored node:approve refund", id="threads-filter", complete=complete)
        lists = line, RowList(COLUMNS, id="thread-rows"), RowList(RUN_COLUMNS, id="thread-runs")
        yield Panes(Vertical(*lists, id="thread-lists"), StepsPane(), share=40, id="thread-panes")

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one("#threads-filter", FilterLine)

    @property
    def table(self) -> RowList:
        return self.query_one("#thread-rows", RowList)

    @property
    def runs(self) -> RowList:
        return self.query_one("#thread-runs", RowList)

    @property
    def panes(self) -> Panes:
        return self.query_one("#thread-panes", Panes)

    def on_mount(self) -> None:
        self.pane.glyphs = self.body.glyphs = self.glyphs
        self._read_threads()

    def shown(self) -> None:
        if not self.body.has_focus:
            self.panes.bring("first" if self.session.checkpoints else "second")
            self.table.focus()

    def data_changed(self, *, appended: bool) -> None:
        self._read_threads()
        if self._thread is not None and appended:
            self._open(self._thread, keep=True)

    def zone_changed(self) -> None:
        self._filter(self.filter_line.text.strip())  # its times are meant in the zone
        self.show_step()

    def _read_threads(self) -> None:
        if not self.session.checkpoints:
            self.table.nothing = "no checkpoint database"
            self.table.refresh()
            self.pane.say(*NO_DATABASE)
            return
        if not self._entries:
            self.table.nothing = READING
            self.table.refresh()
        where, threads = self._where, self.session.threads

        def work() -> tuple[list[ThreadEntry], list[ThreadEntry]]:
            every = threads.listed()
            return every, every if where is None else [entry for entry in every if where(entry.summary)]

        self.ask("threads", work, lambda found: self._listed(*found), again=self._read_threads)

    def _listed(self, every: list[ThreadEntry], entries: list[ThreadEntry]) -> None:
        self._entries = entries
        self.filter_line.set_count(counted(every, None if self._where is None else entries, self.glyphs))
        self.tell_problems()
        self.table.show_rows(ThreadRows(entries, self.glyphs, self.zone))
        if self._thread is not None:
            self.table.go_to(self._thread)
        elif entries:
            self._open(entries[0].summary.thread_id)
        elif not every:
            self.table.nothing = "this database has no threads yet"
            self.pane.say(self.table.nothing)
        if every and not entries:
            self.table.nothing = "no thread matches this filter: Esc clears it" + hint(self.filter_line.text)
        step, self._error_step = self._error_step, None
        if step is not None and self.display:
            self.action_error(step)

    def show_thread(self, thread_id: str, span: dict[str, Any] | None = None) -> None:
        """Open a thread; with a span, at the step it belongs to."""
        if not self.session.checkpoints:
            self.panes.bring("second")
            return
        if not self.table.go_to(thread_id) and self.filter_line.text:
            self.filter_line.set_text("")
        self._open(thread_id, span=span)
        self.panes.enter("second")

    def look(self) -> None:
        if self.panes.alone and not self.body.has_focus:
            self.panes.enter("second")

    def step_shown(self, steps: ThreadSteps) -> None:
        marked = frozenset(link.row_id for link in self._step_links())
        rows = RunRows(steps.spans, marked, self.glyphs, self.zone)
        self.runs.nothing = "no run of this thread is in the span files"
        self.runs.show_rows(rows)
        if rows.first_marked is not None and not self.runs.has_focus:
            self.runs.move_to(rows.first_marked)

    def on_virtual_rows_opened(self, event: RowList.Opened) -> None:
        event.stop()
        if event.sender is self.table:
            self._open(str(self.table.key))
            self.panes.enter("second")
        elif event.sender is self.runs and isinstance(rows := self.runs.rows, RunRows):
            span = rows.span(event.row)
            self.post_message(TraceOpened(span.trace_id, span.row_id))

    def on_virtual_rows_moved(self, event: RowList.Moved) -> None:
        event.stop()
        if event.sender is self.table and self.table.key != self._thread:
            self._open(str(self.table.key))

    def back(self) -> bool:
        if self._player.stop():
            return True
        if (self.body.has_focus or self.runs.has_focus) and self.session.checkpoints:
            self.panes.enter("first")
            return True
        if self.filter_line.text:
            self.filter_line.set_text("")
            return True
        return False

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._filter(event.text.strip())

    def _filter(self, text: str) -> None:
        try:
            where = compile_thread_filter(text, tz=self.zone, now=self.viewer.now()) if text else None
        except FilterError as error:
            self.filter_line.show_error(error.message, error.position)
            return
        self.filter_line.clear_error()
        self._where = where
        self._read_threads()

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        event.stop()
        self.table.focus()

    def action_filter(self) -> None:
        self.panes.bring("first")
        self.filter_line.focus_input()

    def action_error(self, step: int) -> None:
        if not self._entries and "threads" in self._unanswered:
            self._error_step = step
            return
        failed = [row for row, entry in enumerate(self._entries) if entry.summary.status in FAILED]
        found = jump(failed, self.table.cursor, step, fresh=self.table.fresh)
        if found is None:
            self.notify("no thread in this list failed", markup=False)
            return
        self.table.choose(found.to)
        self._open(self._entries[found.to].summary.thread_id)
        if found.said:
            self.notify(found.said, markup=False)

    def action_other_pane(self) -> None:
        if self.table.has_focus and self.runs.display and self.runs.region.height:
            self.runs.focus()
        else:
            self.panes.change()

    def action_zoom_pane(self) -> None:
        self.panes.zoom()
