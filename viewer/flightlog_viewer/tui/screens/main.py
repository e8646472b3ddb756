"""The frame around the six numbered screens, and what is common to them: loading, following, back, copy."""

from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from flightlog_viewer.tui.faults import Faulted, Guarded
from flightlog_viewer.tui.screens.traces import TracesView
from flightlog_viewer.tui.screens.view import TraceOpened, View
from flightlog_viewer.tui.text import Part, content
from flightlog_viewer.tui.widgets.lines import Banner, KeyBar, TabBar

if TYPE_CHECKING:
    from flightlog_viewer.tui.app import FlightlogApp
    from flightlog_viewer.tui.screens.trace import TraceView

VIEWS = ("traces", "trace", "threads", "inbox", "stats", "sql")
TITLES = tuple(name.title() if name != "sql" else "SQL" for name in VIEWS)
_CLASSES = {
    "trace": "TraceView",
    "threads": "ThreadsView",
    "inbox": "InboxView",
    "stats": "StatsView",
    "sql": "SqlView",
}


class LoadProgress(Message):
    """How far the load is."""

    def __init__(self, done: int, total: int, rows: int) -> None:
        super().__init__()
        self.done = done
        self.total = total
        self.rows = rows

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LoadProgress)


class MainScreen(Guarded, Screen[None]):
    """Status, tabs, one of the views, keys."""

    AUTO_FOCUS = "#traces-rows"
    """Otherwise the line of the filter would have it first, and the list after another paint."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(i + 1), f"view('{name}')", TITLES[i], show=False, id=f"view.{name}")
            for i, name in enumerate(VIEWS)
        ),
        Binding("question_mark", "help", "Help", id="help"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("q", "back_or_quit", "Back / quit", id="quit"),
        Binding("y", "copy", "Copy", id="copy"),
        Binding("r", "load_again", "Load again", show=False, id="load.again"),
        Binding("quotation_mark,apostrophe", "bookmarks", "Bookmarks", show=False, id="bookmarks"),
        Binding("R", "rejects", "Bad lines", show=False, id="rejects"),
        Binding("F", "follow", "Follow", show=False, id="follow"),
        Binding("Z", "zone", "Time zone", show=False, id="zone"),
        Binding("o", "pager", "Pager", show=False, id="pager"),
        Binding("O", "editor", "Editor", show=False, id="editor"),
        Binding("percent_sign", "mouse", "Mouse capture on / off", show=False, id="mouse"),
        Binding("colon", "app.command_palette", "Palette", show=False, id="palette"),
        Binding("ctrl+z", "app.suspend_process", "Suspend", show=False, id="suspend"),
        Binding("ctrl+c", "copy_or_hint", "Copy selection", show=False, id="copy.selection"),
    ]

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual's own draws the whole screen anew with it; who gains or loses the focus draws itself."""

    def __init__(self) -> None:
        super().__init__()
        self._front = "traces"
        self._before: list[str] = []
        self._behind: set[View] = set()
        """Views that have not been told of new rows."""

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="status")
        yield TabBar([f"{i + 1} {title}" for i, title in enumerate(TITLES)], id="tabs")
        yield Banner()
        yield Container(TracesView(), id="body")
        yield KeyBar()

    @property
    def viewer(self) -> "FlightlogApp":
        return cast("FlightlogApp", self.app)

    def on_mount(self) -> None:
        self.view("traces").shown()

    def on_resize(self, event: events.Resize) -> None:
        # At the start three tell of the size that it was laid out in: driver, application and the layout itself.
        if event.size == self.outer_size:
            event.prevent_default()

    def view(self, name: str) -> View:
        """A view by its name; it is made on first use, so that nobody waits for what is not looked at."""
        found = self.query(f"#{name}")
        if found:
            return found.only_one(View)
        module = import_module(f"flightlog_viewer.tui.screens.{name}")
        made: View = getattr(module, _CLASSES[name])()
        self.query_one("#body", Container).mount(made)
        return made

    @property
    def front(self) -> View:
        """The view in front."""
        return self.view(self._front)

    def bring(self, name: str, *, remember: bool = True) -> View:
        """Bring a view to the front."""
        if name != self._front and remember:
            self._before.append(self._front)
        self._front = name
        view = self.view(name)
        for other in self.query_one("#body", Container).children:
            other.display = other is view
        self.query_one("#tabs", TabBar).active = VIEWS.index(name)
        if view in self._behind:
            self._behind.discard(view)
            view.data_changed(appended=True)
        if view.is_mounted:
            view.shown()
        else:
            view.call_after_refresh(self._came, view)
        return view

    def go(self, name: str) -> None:
        """To a screen by its number. Where that leads back, the way from there on is forgotten: q would repeat it.

        Before any trace has been opened its screen opens the one under the cursor of the list.
        """
        if name in self._before and name != self._front:
            del self._before[self._before.index(name) :]
            self.bring(name, remember=False)
        else:
            self.bring(name)
        if name == "trace" and cast("TraceView", self.front).trace_id is None:
            cast(TracesView, self.view("traces")).open_selected()

    def _came(self, view: View) -> None:
        """A view is there for the first time; whoever has left it meanwhile is not called back."""
        if view is self.front:
            view.shown()

    def say_status(self, *parts: Part) -> None:
        """The line at the top."""
        # Its size is fixed: a layout of the whole screen ten times a second would hold up the keys during a load.
        for line in self.query("#status").results(Static):  # none when the screen is being taken down
            line.update(content(*parts), layout=False)

    def data_changed(self, *, appended: bool) -> None:
        """Tell every view that there is something new; of new rows those behind hear when they come to the front."""
        for view in self._views():
            if appended and view is not self.front:
                self._behind.add(view)
            else:
                view.data_changed(appended=appended)

    def zone_changed(self) -> None:
        """Tell every view that times are shown in another zone."""
        for view in self._views():
            view.zone_changed()

    def _views(self) -> list[View]:
        """Those that are there; one that comes reads by itself."""
        return [view for view in self.query(View) if view.is_mounted]

    def go_newest(self) -> None:
        """Stand on the newest trace; whoever moves away from it is not followed with."""
        view = self.view("traces")
        if isinstance(view, TracesView):
            view.go_newest()

    def on_faulted(self, event: Faulted) -> None:
        event.stop()
        where = f"  (log: {event.log})" if event.log else ""
        self.query_one(Banner).say(f"{event.sentence}{where}")

    def on_load_progress(self, event: LoadProgress) -> None:
        event.stop()
        self.viewer.load_progressed(event.done, event.total, event.rows)

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.go(VIEWS[event.index])

    def on_trace_opened(self, event: TraceOpened) -> None:
        event.stop()
        self.viewer.open_trace(event.trace_id, event.row_id, event.found_by)

    def action_view(self, name: str) -> None:
        self.go(name)

    def action_back(self) -> None:
        # From another screen Esc leads back, as ever; on the list of traces it stops their load.
        if not self._leave() and not (self._front == "traces" and self.viewer.cancel_load()) and not self._return():
            self.viewer.cancel_load()

    def action_back_or_quit(self) -> None:
        if not self._leave() and not self._return():
            self.app.exit(0)

    def _leave(self) -> bool:
        """One level up within the screen; False at its top."""
        return self.query_one(Banner).close() or (self.front.is_mounted and self.front.back())

    def _return(self) -> bool:
        """Back to the screen before this one; False when there was none."""
        if self._before:
            self.bring(self._before.pop(), remember=False)
            return True
        return False

    def action_copy(self) -> None:
        from flightlog_viewer.tui.screens.menus import Menu

        choices = self.front.copy_choices()
        if not choices:
            self.notify("nothing to copy here", markup=False)
            return

        def chosen(label: str | None) -> None:
            for choice in choices:
                if choice.label == label:
                    self.viewer.copy_text(choice.text())

        self.app.push_screen(Menu("Copy", [choice.label for choice in choices]), chosen)

    def action_copy_or_hint(self) -> None:
        selected = self.get_selected_text()
        if selected:
            self.viewer.copy_text(selected)
        else:
            key = next(
                (self.app.get_key_display(b.binding) for b in self.active_bindings.values() if b.binding.id == "quit"),
                "q",
            )
            self.notify(f"{key} quits; y copies", markup=False)

    def action_bookmarks(self) -> None:
        from flightlog_viewer.analysis.times import shown
        from flightlog_viewer.tui import bookmarks
        from flightlog_viewer.tui.screens.menus import Menu

        marks = {
            f"{shown(mark.when, self.viewer.zone)[:19]}  {mark.name}  {mark.trace_id}": mark
            for mark in bookmarks.load()
        }
        if not marks:
            self.notify("no bookmark is set: B on a trace sets one", markup=False)
            return

        def chosen(label: str | None) -> None:
            if label is not None:
                self.viewer.open_trace(marks[label].trace_id)

        self.app.push_screen(Menu("Bookmarks", list(marks)), chosen)

    def action_rejects(self) -> None:
        from flightlog_viewer.tui.screens.rejects import RejectsScreen

        if (session := self.viewer.session).loaded:
            missing = session.left_out, session.spans.rejects(), session.spans.losses()
            self.app.push_screen(RejectsScreen(*missing, self.viewer.glyphs, self.viewer.zone))

    def action_load_again(self) -> None:
        self.viewer.load_again()

    def action_follow(self) -> None:
        self.viewer.toggle_follow()

    def action_zone(self) -> None:
        self.viewer.turn_zone()

    def action_help(self) -> None:
        from flightlog_viewer.tui.screens.help import HelpScreen

        self.app.push_screen(
            HelpScreen(self.active_bindings.values(), TITLES[VIEWS.index(self._front)], self.viewer.glyphs)
        )

    def action_mouse(self) -> None:
        self.viewer.toggle_mouse()

    def action_pager(self) -> None:
        self.viewer.hand_over(self.front.body_text(), "PAGER", "less")

    def action_editor(self) -> None:
        self.viewer.hand_over(self.front.body_text(), "EDITOR", "vi")
