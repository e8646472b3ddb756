"""How the viewer meets its terminal: the driver, the marks, the colours, what may reach the screen, toasts, palette."""

from collections.abc import Sequence

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.driver import Driver
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.theme import ThemeProvider

from flightlog.errors import UsageError
from flightlog_viewer.tui import glyphs
from flightlog_viewer.tui.palette import Palette
from flightlog_viewer.tui.text import OutputFilter
from flightlog_viewer.tui.type_ahead import TypeAhead


class DrawnApp(App[int]):
    """An application all of whose output passes the filter."""

    def __init__(self, *, ansi_color: bool, ascii_only: bool) -> None:
        super().__init__(ansi_color=ansi_color)
        self.glyphs = glyphs.ASCII if ascii_only else glyphs.UNICODE
        self._out = OutputFilter(ascii_only=ascii_only)
        self.typed = TypeAhead(self, super().on_event)
        self._styled_as = ""

    def get_driver_class(self) -> type[Driver]:
        try:
            usual = super().get_driver_class()  # the environment may name another
        except (ImportError, AttributeError, ValueError, RuntimeError) as error:
            raise UsageError(f"TEXTUAL_DRIVER names no driver of Textual ({str(error).strip()}): unset it") from None
        if usual.__module__ != "textual.drivers.linux_driver":
            return usual  # a browser's, say
        from flightlog_viewer.tui.terminal import Terminal

        return Terminal

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.typed.take(event)
        else:
            await super().on_event(event)

    def get_key_display(self, binding: Binding) -> str:
        shown = super().get_key_display(binding)
        return shown if shown.isascii() or self.glyphs is glyphs.UNICODE else binding.key

    def begin_with_theme(self, name: str) -> None:
        """Read the style sheets in these colours, which would else come after those of a theme of Textual's own."""
        self.theme = self._styled_as = name
        self.stylesheet.set_variables(self.get_css_variables())

    def refresh_css(self, animate: bool = True) -> None:
        # Asked for at the start as well, when all was styled just now.
        if self.theme != self._styled_as:
            self._styled_as = self.theme
            super().refresh_css(animate=animate)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._out]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a toast; one that only tells what a key did takes the place of those before."""
        if severity == "information":
            self.clear_notifications()
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def action_command_palette(self) -> None:
        """Show the commands."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        """Show the themes."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))
