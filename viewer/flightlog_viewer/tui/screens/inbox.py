"""Screen 4: questions that wait for a human, over all threads, and those that were answered."""

from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.approval_document import document, snippet
from flightlog_viewer.analysis.document import Block, Document
from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.analysis.question_filter import Passes, compile_question_filter, complete, hint
from flightlog_viewer.analysis.times import wall
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.lists.approvals import ApprovalRows, columns, late_mark
from flightlog_viewer.tui.screens.threads import NO_DATABASE
from flightlog_viewer.tui.screens.view import READING, View
from flightlog_viewer.tui.text import content
from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.filter_line import FilterLine
from flightlog_viewer.tui.widgets.lines import TabBar
from flightlog_viewer.tui.widgets.panes import Panes
from flightlog_viewer.tui.widgets.row_list import RowList

TABS = ("Pending", "Answered", "All")


class InboxView(View):
    """A list of questions; beside it one of them, with what may be answered and how."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="inbox.filter"),
        Binding("v", "next_tab", "Pending / answered", id="inbox.tab"),
        Binding("V", "next_tab(-1)", "Previous tab", show=False, id="inbox.tab.previous"),
        Binding("t,x", "thread", "Thread", id="inbox.thread"),
        Binding("tab", "other_pane", "Other pane", show=False, id="inbox.pane"),
        Binding("z", "zoom_pane", "Zoom pane", show=False, id="inbox.zoom"),
    ]

    def __init__(self) -> None:
        super().__init__(id="inbox")
        self._approvals: list[Approval] = []
        self._text = ""
        """The filter."""
        self._passing: list[Approval] = []
        """Those that pass the filter, of all tabs."""
        self._listed: dict[str, Approval] = {}
        self._as_of: datetime | None = None

    def compose(self) -> ComposeResult:
        yield TabBar(TABS, id="inbox-tabs")
        yield Static("", markup=False, id="inbox-note")
        line = FilterLine("node:approve refund", id="inbox-filter", complete=complete)
        rows = Vertical(line, RowList(columns(pending=True), id="inbox-rows"))
        yield Panes(rows, BodyView(id="inbox-body", gutter=True), id="inbox-panes")

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one("#inbox-filter", FilterLine)

    @property
    def table(self) -> RowList:
        return self.query_one("#inbox-rows", RowList)

    @property
    def body(self) -> BodyView:
        return self.query_one("#inbox-body", BodyView)

    @property
    def panes(self) -> Panes:
        return self.query_one("#inbox-panes", Panes)

    @property
    def selected(self) -> Approval | None:
        """The question under the cursor."""
        return self._listed.get(str(self.table.key))

    def on_mount(self) -> None:
        self.body.glyphs = self.glyphs
        self.data_changed(appended=False)

    def shown(self) -> None:
        self.panes.enter("first")

    def data_changed(self, *, appended: bool) -> None:
        self.table.nothing = self.waiting or READING
        self.table.refresh()
        if not self.session.loaded:
            return
        again = partial(self.data_changed, appended=True) if appended else None
        where, threads = self._compiled(self._text), self.session.threads

        def work() -> tuple[list[Approval], datetime | None, list[Approval]]:
            every, as_of = threads.approvals()
            return every, as_of, every if where is None else [one for one in every if where(one)]

        self.ask("approvals", work, self._read, again=again)

    def zone_changed(self) -> None:
        if self._text:
            self.data_changed(appended=False)  # its times are meant in the zone
        self._list()
        self._show()

    def _read(self, answer: tuple[list[Approval], datetime | None, list[Approval]]) -> None:
        self._approvals, self._as_of, self._passing = answer
        self.tell_problems()
        self.viewer.set_pending(sum(approval.status == "pending" for approval in self._approvals))
        self._list()

    def _list(self) -> None:
        tab = TABS[self.query_one("#inbox-tabs", TabBar).active]
        of_tab, shown = (
            [a for a in some if tab == "All" or (a.status == "pending") == (tab == "Pending")]
            for some in (self._approvals, self._passing)
        )
        # What waits longest comes first, and what was answered last.
        shown.sort(key=lambda a: a.asked_at or datetime.min.replace(tzinfo=UTC), reverse=tab != "Pending")
        self._listed = {f"{a.thread_id}/{a.interrupt_id}/{a.turn}": a for a in shown}
        now = self.viewer.now()
        waits = tab == "Pending"
        self.table.set_columns(columns(pending=waits))
        self.table.show_rows(ApprovalRows(self._listed, self.glyphs, now, self.viewer.ttl_seconds, pending=waits))
        self.filter_line.set_count(f"{len(shown):,} of {len(of_tab):,}" if self._text else "")
        pending = sum(a.status == "pending" for a in self._approvals)
        seen = ""
        if self._as_of is not None:
            seen = f" as of {wall(self._as_of, self.zone, '%H:%M:%S')}, when the database was last written"
        ttl = units.age(self.viewer.ttl_seconds)
        note = f"{pending} pending{seen}" + (f"; {late_mark(self.glyphs)} is past {ttl}" if pending else "")
        self.query_one("#inbox-note", Static).update(content((note, "dim")), layout=False)
        self.table.nothing = (
            "" if shown else f"nothing is {tab.lower()}" if tab != "All" else "no question was ever asked"
        )
        if of_tab and not shown:
            self.table.nothing = "no question here matches this filter: Esc clears it" + hint(self.filter_line.text)
        if not shown:
            lines = NO_DATABASE if not self._approvals and not self.session.checkpoints else ()
            self.body.show_document(Document([Block(line, "dim") for line in lines]))

    def on_virtual_rows_moved(self, event: RowList.Moved) -> None:
        event.stop()
        if event.sender is self.table:
            self._show()

    def _show(self) -> None:
        approval = self.selected
        if approval is not None:
            self.body.show_document(document(approval, self.viewer.now(), self._as_of, self.zone))

    def on_virtual_rows_opened(self, event: RowList.Opened) -> None:
        event.stop()
        if event.sender is self.table:
            self._show()
            self.panes.enter("second")

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self._choose(event.index)

    def _choose(self, index: int) -> None:
        self.query_one("#inbox-tabs", TabBar).active = index
        self._list()

    def back(self) -> bool:
        if self.body.has_focus:
            self.shown()
            return True
        if self.filter_line.text:
            self.filter_line.set_text("")
            return True
        return False

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        text = event.text.strip()
        try:
            self._compiled(text)
        except FilterError as error:
            self.filter_line.show_error(error.message, error.position)
            return
        self.filter_line.clear_error()
        self._text = text
        self.data_changed(appended=False)

    def _compiled(self, text: str) -> Passes | None:
        """A filter as it is meant now and in this zone. Raises FilterError."""
        return compile_question_filter(text, tz=self.zone, now=self.viewer.now()) if text else None

    def on_filter_line_left(self, event: FilterLine.Left) -> None:
        event.stop()
        self.table.focus()

    def action_filter(self) -> None:
        self.panes.bring("first")
        self.filter_line.focus_input()

    def copy_choices(self) -> list[CopyChoice]:
        approval = self.selected
        if approval is None:
            return []
        return [
            CopyChoice("snippet: resume", lambda: snippet(approval)),
            CopyChoice("thread id", lambda: approval.thread_id),
            CopyChoice("interrupt id", lambda: approval.interrupt_id),
            CopyChoice("question as JSON", lambda: as_text(normal_form(approval.question))),
        ]

    def body_text(self) -> str:
        approval = self.selected
        return "" if approval is None else as_text(normal_form(approval.question))

    def action_next_tab(self, step: int = 1) -> None:
        self._choose((self.query_one("#inbox-tabs", TabBar).active + step) % len(TABS))

    def action_thread(self) -> None:
        approval = self.selected
        if approval is not None:
            self.viewer.open_thread(approval.thread_id)

    def action_other_pane(self) -> None:
        self.panes.change()

    def action_zoom_pane(self) -> None:
        self.panes.zoom()
