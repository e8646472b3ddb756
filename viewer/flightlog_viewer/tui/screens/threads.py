"""Screen 3: the threads of checkpoint databases, and one of them step by step."""

from functools import partial
from typing import Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.analysis.join import Link
from flightlog_viewer.analysis.jumps import jump
from flightlog_viewer.analysis.snippets import answer_snippet, continue_snippet, fork_snippet
from flightlog_viewer.analysis.step_document import TABS
from flightlog_viewer.analysis.thread_filter import Passes, compile_thread_filter, complete, hint
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.lists.runs import COLUMNS as RUN_COLUMNS
from flightlog_viewer.tui.lists.runs import RunRows
from flightlog_viewer.tui.lists.threads import COLUMNS, FAILED, ThreadRows, counted
from flightlog_viewer.tui.playing import Player
from flightlog_viewer.tui.questions.threads import ThreadEntry, ThreadSteps
from flightlog_viewer.tui.screens.steps import Against, StepsPane
from flightlog_viewer.tui.screens.view import TraceOpened, View
from flightlog_viewer.tui.stepping import Stepper
from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.divider import Panes
from flightlog_viewer.tui.widgets.filter_line import FilterLine
from flightlog_viewer.tui.widgets.lines import TabBar
from flightlog_viewer.tui.widgets.row_list import RowList

NO_DATABASE = (
    "no checkpoint database is open. To step through threads:",
    "",
    "    flightlog view FILE --checkpoints DB",
    "",
    "DB is LangGraph's SQLite file, or a postgresql:// URL.",
)


class ThreadsView(View):
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
        self._warned = False
        self._thread: str | None = None
        """The thread asked for; ``_steps`` follows."""
        self._steps: ThreadSteps | None = None
        self._stepper = Stepper(())
        self._against: Against = "parent"
        self._player = Player(self, self._play_on)

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
    def pane(self) -> StepsPane:
        return self.query_one(StepsPane)

    @property
    def body(self) -> BodyView:
        return self.pane.body

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
        self._show_step()

    def _read_threads(self) -> None:
        if not self.session.checkpoints:
            self.table.nothing = "no checkpoint database"
            self.table.refresh()
            self.pane.say(*NO_DATABASE)
            return
        if not self._entries:
            self.table.nothing = "reading"
            self.table.refresh()
        where, threads = self._where, self.session.threads

        def work() -> tuple[list[ThreadEntry], list[ThreadEntry]]:
            every = threads.listed()
            return every, every if where is None else [entry for entry in every if where(entry.summary)]

        self.ask("threads", work, lambda found: self._listed(*found), again=self._read_threads)

    def _listed(self, every: list[ThreadEntry], entries: list[ThreadEntry]) -> None:
        self._entries = entries
        self.filter_line.set_count(counted(every, None if self._where is None else entries, self.glyphs))
        if self.session.threads.problems and not self._warned:
            self._warned = True
            self.notify("\n".join(self.session.threads.problems[:5]), severity="warning", markup=False, timeout=15)
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

    def show_thread(self, thread_id: str, span: dict[str, Any] | None = None) -> None:
        """Open a thread; with a span, at the step it belongs to."""
        if not self.session.checkpoints:
            self.panes.bring("second")
            return
        if not self.table.go_to(thread_id) and self.filter_line.text:
            self.filter_line.set_text("")
        self._open(thread_id, span=span)
        self.panes.bring("second")
        self.body.focus()

    def _open(self, thread_id: str, *, span: dict[str, Any] | None = None, keep: bool = False) -> None:
        session, self._thread = self.session, thread_id
        self.ask(
            "steps",
            lambda: session.threads.steps(thread_id),
            lambda steps: self._opened(steps, span, keep=keep),
            again=partial(self._open, thread_id, keep=True) if keep else None,
        )

    def _opened(self, steps: ThreadSteps, span: dict[str, Any] | None, *, keep: bool) -> None:
        self._steps = steps
        self._stepper = self._stepper.again(steps.steps) if keep else Stepper(steps.steps)
        if span is not None:
            link = next((link for link in steps.links if link.row_id == span.get("row_id")), None)
            if link is None or not self._stepper.go_to(link.checkpoint_id):
                self.notify("no step of this thread fits the span", markup=False)
            else:
                self.notify(sureness(link), markup=False)
        self._show_step()

    def _show_step(self) -> None:
        if self._steps is None:
            return
        self.pane.show(self._stepper, self._steps.runs, self._against, self.zone)
        self._show_runs(self._steps)

    def _show_runs(self, steps: ThreadSteps) -> None:
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
            self.panes.bring("second")
            self.body.focus()
        elif event.sender is self.runs and isinstance(rows := self.runs.rows, RunRows):
            span = rows.span(event.row)
            self.post_message(TraceOpened(span.trace_id, span.row_id))

    def on_virtual_rows_moved(self, event: RowList.Moved) -> None:
        event.stop()
        if event.sender is self.table and not self.panes.alone and self.table.key != self._thread:
            self._open(str(self.table.key))

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.pane.show_tab(event.index)

    def on_body_view_link_opened(self, event: BodyView.LinkOpened) -> None:
        event.stop()
        self.post_message(TraceOpened(str(event.target)))

    def back(self) -> bool:
        if self._player.stop():
            return True
        if (self.body.has_focus or self.runs.has_focus) and self.session.checkpoints:
            self.panes.bring("first")
            self.table.focus()
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

    def copy_choices(self) -> list[CopyChoice]:
        step, block = self._stepper.step, self.body.block
        if step is None:
            return []
        choices = [
            CopyChoice("thread id", lambda: step.thread_id),
            CopyChoice("checkpoint id", lambda: step.checkpoint_id),
            CopyChoice("state as JSON", lambda: as_text(normal_form(step.values))),
            CopyChoice("snippet: run again from this step", lambda: fork_snippet(step)),
        ]
        if step.next and not step.pending and self._stepper.newest:
            choices.insert(0, CopyChoice("snippet: go on with what is due", lambda: continue_snippet(step.thread_id)))
        for _, interrupt in step.pending[:5]:
            snippet = answer_snippet(step.thread_id, interrupt.id)
            choices.insert(0, CopyChoice(f"snippet: resume {interrupt.id[:12]}", partial(str, snippet)))
        if block is not None and block.value is not None:
            choices.insert(0, CopyChoice("value under the cursor", lambda: as_text(block.value)))
        return choices

    def body_text(self) -> str:
        step = self._stepper.step
        return "" if step is None else as_text(normal_form(step.values))

    def action_step(self, by: int) -> None:
        if self._stepper.move(by):
            self._show_step()

    def action_mark(self, direction: int) -> None:
        if self._stepper.move_to_mark(direction):
            self._show_step()
        else:
            self.notify("no interrupt or fork that way", markup=False)

    def action_error(self, step: int) -> None:
        failed = [row for row, entry in enumerate(self._entries) if entry.summary.status in FAILED]
        found = jump(failed, self.table.cursor, step, fresh=self.table.fresh)
        if found is None:
            self.notify("no thread in this list failed", markup=False)
            return
        self.table.choose(found.to)
        self._open(self._entries[found.to].summary.thread_id)
        if found.said:
            self.notify(found.said, markup=False)

    def action_branch(self) -> None:
        if self._stepper.turn():
            self._show_step()
        else:
            self.notify("this thread has one branch", markup=False)

    def action_namespace(self) -> None:
        if self._stepper.next_namespace():
            self._show_step()
        else:
            self.notify("this thread has one namespace", markup=False)

    def action_set_mark(self) -> None:
        if self._stepper.mark():
            self.notify(f"marked step {self._stepper.place[0]}; d compares with it", markup=False)
        else:
            self.notify("no step to mark here", markup=False)

    def action_diff(self) -> None:
        order: list[Against] = ["parent", "mark", "none"]
        self._against = order[(order.index(self._against) + 1) % 3]
        if self._against == "mark" and self._stepper.marked is None:
            self._against = "none"
        self.pane.tabs.active = 0
        self._show_step()

    def action_play(self) -> None:
        if self._stepper.step is not None and not self._player.playing:
            place, length = self._stepper.place
            if place == length and self._stepper.move(-length):  # at its end a film begins anew
                self._show_step()
        self._player.faster()

    def _play_on(self) -> bool:
        if moved := self._stepper.move(1):
            self._show_step()
        return moved

    def action_next_tab(self, step: int = 1) -> None:
        self.pane.show_tab((self.pane.tabs.active + step) % len(TABS))

    def action_other_pane(self) -> None:
        if self.table.has_focus and self.runs.display and self.runs.region.height:
            self.runs.focus()
            return
        front: Literal["first", "second"] = "first" if self.body.has_focus else "second"
        self.panes.bring(front)
        (self.table if front == "first" else self.body).focus()

    def action_zoom_pane(self) -> None:
        self.panes.zoom("second" if self.body.has_focus else "first")

    def action_span(self) -> None:
        session, links = self.session, self._step_links()
        if not links:
            self.notify("no span of this step is in the span files", markup=False)
            return
        link = next((link for link in links if link.exact), links[0])
        self.notify(sureness(link), markup=False)
        self.ask("link", lambda: session.spans.find_span("row_id", link.row_id), self._to_span)

    def _step_links(self) -> list[Link]:
        """What ran from this step; from the newest nothing has, and what led to it is the next best."""
        step = self._stepper.step
        if step is None or self._steps is None:
            return []
        links = self._steps.links
        here = [link for link in links if link.checkpoint_id == step.checkpoint_id]
        return here or [link for link in links if link.checkpoint_id == step.parent_checkpoint_id]

    def _to_span(self, found: tuple[str, int] | None) -> None:
        if found is not None:
            self.post_message(TraceOpened(*found))


def sureness(link: Link) -> str:
    """How a span was matched with a checkpoint."""
    return f"{'exact' if link.exact else 'approximate'} match, by {link.by}"
