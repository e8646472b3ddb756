"""Two panes beside or above each other as the room allows, and the line between them, which can be dragged."""

from typing import Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.virtual import VirtualRows

Front = Literal["first", "second"]
Arrangement = Literal["beside", "above", Front]


class Divider(Static):
    """Dragging it tells the panes around it."""

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        event.stop()
        self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        panes = self.parent
        if self.app.mouse_captured is self and isinstance(panes, Panes):
            event.stop()
            panes.drag(event.screen_x - panes.region.x, event.screen_y - panes.region.y)


class Panes(Container):
    """Rows and a body that tells of one of them.

    Side by side from 120 columns, stacked from 80 when it is high enough, else one at a time.
    """

    def __init__(self, first: Widget, second: Widget, *, share: int = 55, id: str | None = None) -> None:
        super().__init__(id=id)
        self._first = first
        self._second = second
        self._share = share
        self._zoomed = False
        self._front: Front = "first"

    def compose(self) -> ComposeResult:
        yield self._first
        yield Divider()
        yield self._second

    def on_mount(self) -> None:
        self.lay_out()

    def on_resize(self) -> None:
        self.lay_out()

    @property
    def arrangement(self) -> Arrangement:
        """How the panes lie now."""
        width, height = self.app.size
        if not self._zoomed and width >= 120 and height >= 15:
            return "beside"
        if not self._zoomed and width >= 80 and height >= 30:
            return "above"
        return self._front

    @property
    def alone(self) -> bool:
        """Whether only one pane is shown."""
        return self.arrangement in ("first", "second")

    def bring(self, front: Front) -> None:
        """The pane that is shown when there is room for one only."""
        self._front = front
        self.lay_out()

    def enter(self, front: Front) -> None:
        """Show a pane, and have the keys go to its rows or its body."""
        self.bring(front)
        (self.query(VirtualRows).first() if front == "first" else self.query_one(BodyView)).focus()

    def change(self) -> None:
        """Enter the other pane."""
        self.enter("first" if self._in_body else "second")

    def zoom(self) -> None:
        """One pane over everything, and back."""
        self._zoomed = not self._zoomed
        self.bring("second" if self._in_body else "first")

    @property
    def _in_body(self) -> bool:
        return self.query_one(BodyView).has_focus

    def drag(self, x: int, y: int) -> None:
        """Put the divider at a place of this container."""
        across, size = (x, self.size.width) if self.arrangement == "beside" else (y, self.size.height)
        self._share = max(15, min(85, round(100 * across / max(1, size))))
        self.lay_out()

    def lay_out(self) -> None:
        """Lay the panes out for the size of the terminal."""
        how = self.arrangement
        self.set_class(how == "above", "-above")
        self.set_class(how == "beside", "-beside")
        self._first.display = how != "second"
        self._second.display = how != "first"
        self.query_one(Divider).display = not self.alone
        share = f"{self._share}%" if not self.alone else "1fr"
        if how == "beside":
            self._first.styles.width, self._first.styles.height = share, "1fr"
        elif how == "above":
            self._first.styles.width, self._first.styles.height = "1fr", share
        else:
            self._first.styles.width = self._first.styles.height = "1fr"
        self._second.styles.width = self._second.styles.height = "1fr"
