"""Screens that lie over the frame until something is chosen or they are left."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.message import Message
from textual.widgets import Input, OptionList

from flightlog_viewer.tui.faults import Guarded
from flightlog_viewer.tui.widgets.virtual import VirtualRows

if TYPE_CHECKING:
    from flightlog_viewer.tui.app import FlightlogApp

_CHOICES = (Input.Submitted, OptionList.OptionSelected, VirtualRows.Opened)


class Over(Guarded):
    """A screen in which one thing is chosen once.

    Over a slow line keys come in bunches: the second Enter is here before the first has taken the screen away, and
    obeyed it would take away the screen below as well.
    """

    NAME: ClassVar[str]
    """How the help calls it, where there is help."""

    def action_help(self) -> None:
        """Every key that works here."""
        from flightlog_viewer.tui.screens.help import HelpScreen

        viewer = cast("FlightlogApp", self.app)
        viewer.push_screen(HelpScreen(viewer.screen.active_bindings.values(), self.NAME, viewer.glyphs))

    async def _dispatch_message(self, message: Message) -> None:
        current: object = self.app.screen
        if current is self or not isinstance(message, _CHOICES):
            await super()._dispatch_message(message)
