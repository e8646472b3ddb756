"""The viewer as an application: options, loading, following, and the ways between the screens."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from flightlog.errors import FlightlogError, UnreadableError, UsageError
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui import handover, keymap, palette, themes
from flightlog_viewer.tui.background import ask_behind, gently
from flightlog_viewer.tui.drawn_app import DrawnApp
from flightlog_viewer.tui.faults import Faulted, Guarded, record
from flightlog_viewer.tui.following import Follower
from flightlog_viewer.tui.pending import PendingCount
from flightlog_viewer.tui.screens.main import LoadProgress, MainScreen
from flightlog_viewer.tui.server_watch import ServerWatch
from flightlog_viewer.tui.session import Session
from flightlog_viewer.tui.status_line import load_line, status_line
from flightlog_viewer.tui.zones import Zones

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter
    from flightlog_viewer.tui.screens.sql import SqlView
    from flightlog_viewer.tui.screens.threads import ThreadsView
    from flightlog_viewer.tui.screens.trace import TraceView
    from flightlog_viewer.tui.screens.traces import TracesView

_FOLLOW_S = 0.25
_FAULTS = 20
"""An error that comes back with every look must not be kept each time, with all that its traceback holds."""


class LoadEnded(Message):
    """The store is there, or is not."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error


class FlightlogApp(Guarded, DrawnApp):
    """Reads span files and checkpoint databases; writes nothing but its own log and bookmarks."""

    TITLE = "flightlog"
    CSS_PATH = "flightlog.tcss"
    # Textual declares these two without ClassVar.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, system=True, id="quit.now"),
    ]

    def __init__(
        self,
        session: Session,
        *,
        first_rows: Sequence[TraceRow] = (),
        ascii_only: bool = False,
        theme: str | None = None,
        ttl_seconds: float = 86_400,
        zone: tzinfo = UTC,
        clock: Any = monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        no_colour = "NO_COLOR" in os.environ
        super().__init__(ansi_color=no_colour or theme == "ansi-dark", ascii_only=ascii_only)
        self.session = session
        self.first_rows = list(first_rows)
        self.following = False
        self.ttl_seconds = ttl_seconds
        self._zones = Zones(zone)
        self.now = now
        self.faults: deque[Exception] = deque(maxlen=_FAULTS)
        """The last ones."""
        self.main = MainScreen()
        """The frame, whatever lies over it; still there for a thread that outlives the application."""
        self._clock = clock
        self._started = clock()
        self.mouse_given_away = False
        """Whether the terminal has it, so that it selects text."""
        self._cancelled = False
        self._loading = True
        self._furthest = 0
        self._follower = Follower()
        self._pending = 0
        self._pending_count = PendingCount(self, session, self.set_pending)
        self._server_watch = ServerWatch(self, session.threads, self._servers_grew)
        themes.register(self)
        if theme is not None and theme not in self.available_themes:
            raise UsageError(f"no theme is named {theme!r}; there are {', '.join(sorted(self.available_themes))}")
        self.begin_with_theme("ansi-dark" if no_colour else (theme or themes.DEFAULT))
        self.set_keymap(keymap.load())
        self.faulty_keys = keymap.problem()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield from palette.commands(screen)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FALLBACK

    def get_default_screen(self) -> Screen[Any]:
        # Over an empty one of Textual's each would be laid out with the other.
        wide, high = self.size
        # What the first resize would find out, styling and laying out everything a second time.
        classes = (
            max(self.HORIZONTAL_BREAKPOINTS, key=lambda b: b if b[0] <= wide else (-1, ""))[1],
            max(self.VERTICAL_BREAKPOINTS, key=lambda b: b if b[0] <= high else (-1, ""))[1],
        )
        self.main.add_class(*classes)
        return self.main

    def on_mount(self) -> None:
        self.call_after_refresh(self.start_load)

    def start_load(self) -> None:
        """Load everything in a thread; the rows of the excerpt stay until it is done."""
        self._loading = True
        self._furthest = 0
        self._show_status()
        if self.faulty_keys:
            self.notify(self.faulty_keys, severity="warning", markup=False)

        def work() -> None:
            error: Exception | None = None
            try:
                gently(lambda: self.session.load(self._progress))
            except Exception as caught:  # shown by the handler below
                error = caught
            self.post_message(LoadEnded(error))

        self.run_worker(work, thread=True, group="load", exit_on_error=False)

    def _progress(self, done: int, total: int, rows: int) -> bool:
        """Called from the loading thread."""
        self.main.post_message(LoadProgress(done, total, rows))
        return not self._cancelled

    def load_progressed(self, done: int, total: int, rows: int) -> None:
        """Say how far the load is."""
        # Each statement of the load counts from the start; what was read once is read.
        done = self._furthest = max(self._furthest, done)
        if self._loading:
            self.main.say_status(("flightlog ", "bold"), load_line(done, total, rows, self._clock() - self._started))

    @property
    def settled(self) -> bool:
        """Whether the load has ended."""
        return not self._loading

    def load_again(self) -> None:
        """Start over after a cancelled load."""
        if not self._loading and not self.session.loaded:
            self._cancelled = False
            self._started = self._clock()
            self.start_load()

    def cancel_load(self) -> bool:
        """Stop the load; False when none is running."""
        if not self._loading or self._cancelled:
            return False
        self._cancelled = True
        return True

    def on_load_ended(self, event: LoadEnded) -> None:
        self._loading = False
        if event.error is not None:
            self._show_status()
            if self._cancelled and isinstance(event.error, FlightlogError):
                self.main.say_status(("flightlog ", "bold"), "stopped: only the newest traces are shown; r loads all")
            else:
                self.fault(event.error)
            self.main.data_changed(appended=False)
            return
        self._show_status()
        self.main.data_changed(appended=False)
        self.call_later(self._remember)
        for problem in self.session.threads.news():
            self.main.post_message(Faulted(problem, None))
        if self.session.checkpoints and not self.session.files():
            self.main.bring("threads")
        self._pending_count.ask()
        self._follower.watch(self.session.watched())
        self._read_on(grown=False)  # what came while the rest was loaded
        self.set_interval(_FOLLOW_S, self._look_for_more)
        self._server_watch.start()

    def _remember(self) -> None:
        from flightlog_viewer.tui import recent

        files = self.session.paths or [str(path) for path in self.session.files()[-1:]]
        recent.remember(files, self.session.checkpoints)

    def _look_for_more(self) -> None:
        """Four times a second one ``stat`` a file; what has grown is read in a thread."""
        grown = self._follower.grown()
        if grown or (self._follower.overdue() and (self.session.in_flight or self.session.is_behind())):
            self._read_on(grown=grown)

    def _servers_grew(self) -> None:
        if self._follower.busy:
            self.set_timer(_FOLLOW_S, self._servers_grew)
        else:
            self._read_on(grown=True)

    def _read_on(self, *, grown: bool) -> None:
        """Read what has come in a thread; where files have ``grown`` that changes something in any case."""
        self._follower.begin()
        ask_behind(self, "follow", self._refreshed, partial(self._show_more, grown=grown))

    def _refreshed(self) -> bool | Exception:
        try:
            return self.session.refresh()
        except Exception as error:
            return error

    def _show_more(self, changed: bool | Exception, *, grown: bool) -> None:
        self._follower.end()
        if isinstance(changed, Exception):
            self.fault(changed)
            return
        self._follower.read(self.session.watched())
        if changed or grown:
            self._show_status()
            self._pending_count.ask()
            self.main.data_changed(appended=True)

    def _show_status(self) -> None:
        loaded = None if self._loading else self.session.loaded
        self.main.say_status(
            *status_line(
                self.session, loaded, self._pending, self.glyphs, following=self.following, zone=str(self.zone)
            )
        )

    def set_pending(self, count: int) -> None:
        """How many approvals wait, for the status line."""
        self._pending = count
        self._show_status()

    @property
    def zone(self) -> tzinfo:
        """Of every time that is shown."""
        return self._zones.now

    def turn_zone(self) -> None:
        """Show times in another zone."""
        self.notify(self._zones.turn(), markup=False)
        self._show_status()
        self.main.zone_changed()

    def toggle_follow(self) -> None:
        """Keep the newest row in view, or let the rows stand."""
        self.following = not self.following
        self._show_status()
        if self.following:
            self.main.go_newest()
        self.main.data_changed(appended=True)

    def open_trace(self, trace_id: str, row_id: int | None = None, found_by: "Filter | None" = None) -> None:
        """Show a trace; ``found_by`` is the filter over spans of the list that led to it."""
        view = cast("TraceView", self.main.bring("trace"))
        view.call_after_refresh(view.show_trace, trace_id, row_id, found_by)

    def open_thread(self, thread_id: str, span: dict[str, Any] | None = None) -> None:
        """Show a thread, at the step a span belongs to where that is known."""
        view = cast("ThreadsView", self.main.bring("threads"))
        view.call_after_refresh(view.show_thread, thread_id, span)

    def open_filtered(self, text: str) -> None:
        """Show the traces that pass a filter."""
        cast("TracesView", self.main.bring("traces")).set_filter(text)

    def open_sql(self, query: str) -> None:
        """Ask in SQL."""
        view = cast("SqlView", self.main.bring("sql"))
        view.call_after_refresh(view.ask_sql, query)

    def copy_text(self, text: str) -> None:
        """To the clipboard of the terminal, of the system, or into a file; a toast says which."""
        self.notify(handover.copy(self, text), markup=False)

    def hand_over(self, text: str, variable: str, otherwise: str) -> None:
        """Show a text in the user's own program."""
        if text:
            handover.show(self, text, variable, otherwise)

    def toggle_mouse(self) -> None:
        """Give the mouse to the terminal (so that it selects text), or take it back."""
        self.notify(handover.toggle_mouse(self), markup=False)

    def fault(self, error: Exception) -> None:
        """Show an error as a banner; unexpected ones go to the log."""
        if self.session.drop_damaged_cache(error):
            error = UnreadableError("the index cache of these files was damaged and has been removed: open them again")
        self.faults.append(error)
        screens = [screen for screen in self.screen_stack if isinstance(screen, MainScreen)]
        if screens:
            screens[0].post_message(record(error))

    def _handle_exception(self, error: Exception) -> None:
        self.fault(error)
