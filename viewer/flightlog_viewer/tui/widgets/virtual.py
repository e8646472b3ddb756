"""What the three virtual widgets share: a cursor over numbered rows, of which only the visible ones are drawn."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from flightlog_viewer.tui.text import overlaid, segment, strip, wrap


class VirtualRows(ScrollView, can_focus=True, inherit_bindings=False):
    """A scrolling list of rows. Subclasses say how many rows there are and draw one."""

    HEADER: ClassVar[int] = 0
    """Lines at the top that do not scroll."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--cursor",
        "rows--cursor-blurred",
        "rows--header",
        "tone--ok",
        "tone--error",
        "tone--wait",
        "tone--dim",
        "tone--strong",
        "tone--llm",
        "tone--tool",
        "tone--retriever",
        "tone--chain",
        "tone--key",
        "tone--path",
        "tone--bar",
    }
    """``tone--*``: the colours of text, named by meaning; the style sheet and the themes give them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("g,home", "first", "First", show=False, id="move.first"),
        Binding("G,end", "last", "Last", show=False, id="move.last"),
        Binding("ctrl+d", "page(0.5)", "Half page down", show=False, id="move.half_down"),
        Binding("ctrl+u", "page(-0.5)", "Half page up", show=False, id="move.half_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="move.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="move.page_up"),
        Binding("enter", "open", "Open", id="open"),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, sender: "VirtualRows", row: int) -> None:
            super().__init__()
            self.sender = sender
            self.row = row

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, VirtualRows.Moved) and message.sender is self.sender

    class Opened(Message):
        """Enter or a double click on a row."""

        def __init__(self, sender: "VirtualRows", row: int) -> None:
            super().__init__()
            self.sender = sender
            self.row = row

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cursor = 0
        self.fresh = True
        """Nobody has put the cursor where it stands."""
        self._unseen = False
        """The cursor was moved while there was no room at all."""
        self.nothing = ""
        """What an empty widget says."""

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def draw_row(self, row: int, width: int, selected: bool) -> list[Segment]:
        """One row. Called for visible rows only."""
        raise NotImplementedError

    def draw_header(self, line: int, width: int) -> list[Segment]:
        """One of the ``HEADER`` lines."""
        return []

    @property
    def cursor(self) -> int:
        """The row the cursor stands on; 0 when there are none."""
        return self._cursor

    @property
    def page_rows(self) -> int:
        """Rows that fit below the header."""
        return max(1, self.scrollable_content_region.height - self.HEADER)

    def resized(self) -> None:
        """Call after the number of rows has changed."""
        # Rows are as wide as the widget, whatever its width: only their number asks for another layout.
        self.virtual_size = Size(1, self.row_count + self.HEADER)
        self._cursor = max(0, min(self._cursor, self.row_count - 1))
        self.refresh()

    def move_to(self, row: int, *, tell: bool = True) -> None:
        """Put the cursor on a row and bring it into view."""
        row = max(0, min(row, self.row_count - 1))
        before, self._cursor = self._cursor, row
        top, height = self.scroll_offset.y, self.page_rows
        if not self.size.height:
            self._unseen = True  # how much it can show is known with the first layout
        elif row < top or row >= top + height:
            far = self._unseen or abs(row - before) > height
            centred = row - height // 2 if far else (row if row < top else row - height + 1)
            self._unseen = False
            self.scroll_to(y=max(0, centred), animate=False, immediate=True, force=True)
            self.refresh()
        elif row != before:
            self.refresh_row(before)
            self.refresh_row(row)
        if tell and row != before:
            self.fresh = False
            self.post_message(self.Moved(self, row))

    def watch_show_vertical_scrollbar(self, is_shown: bool) -> None:
        # Textual tells the bar of no scrolling that came before it was shown.
        if is_shown:
            self.vertical_scrollbar.position = self.scroll_y

    def choose(self, row: int) -> None:
        """Put the cursor on a row on purpose, be it the one it stands on."""
        self.move_to(row)
        self.fresh = False

    def refresh_row(self, row: int) -> None:
        """Draw one row again, if it is in view."""
        y = row - self.scroll_offset.y + self.HEADER
        if self.HEADER <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.visual_style.rich_style  # rich_style itself is worked out anew each time
        if y < self.HEADER:
            return strip(self.draw_header(y, width), width, base).apply_style(base)
        row = y - self.HEADER + self.scroll_offset.y
        if row >= self.row_count:
            said = [] if self.row_count or not self.nothing else wrap(self.nothing, max(4, width - 4))
            if 1 <= row <= len(said):
                return strip([segment(f"  {said[row - 1]}", self.tone("dim"))], width).apply_style(base)
            return Strip.blank(width, base)
        selected = row == self._cursor
        line = strip(self.draw_row(row, width, selected), width)
        # Joined where the style is the same: a third of the bytes for the terminal.
        return (overlaid(line, self.cursor_style) if selected else line).apply_style(base).simplify()

    @property
    def cursor_style(self) -> Style:
        """The style laid over the row of the cursor."""
        return self.get_component_rich_style("rows--cursor" if self.has_focus else "rows--cursor-blurred", partial=True)

    def tone(self, name: str) -> Style | None:
        """The style of a named tone; None for the plain one."""
        return self.get_component_rich_style(f"tone--{name}", partial=True) if name else None

    def on_resize(self) -> None:
        # Textual has drawn it in its new size: the rows that are in view are as they were.
        self.call_after_refresh(self._keep_in_view)

    def _keep_in_view(self) -> None:
        self.move_to(self._cursor, tell=False)

    def on_focus(self) -> None:
        self.refresh_row(self._cursor)

    def on_blur(self) -> None:
        self.refresh_row(self._cursor)

    def row_at(self, y: int) -> int | None:
        """The row under a line of the widget."""
        row = y - self.HEADER + self.scroll_offset.y
        return row if y >= self.HEADER and 0 <= row < self.row_count else None

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y)
        if row is None:
            self.header_clicked(event.x, event.y)
            return
        self.move_to(row)
        if event.chain == 2:
            self.action_open()
        else:
            self.row_clicked(row, event.x)

    def header_clicked(self, x: int, y: int) -> None:
        """A click on one of the lines that do not scroll."""

    def row_clicked(self, row: int, x: int) -> None:
        """A single click on a row, after the cursor has moved there."""

    def action_move(self, by: int) -> None:
        self.move_to(self._cursor + by)

    def action_page(self, pages: float) -> None:
        self.move_to(self._cursor + round(self.page_rows * pages))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self.row_count - 1)

    def action_open(self) -> None:
        if self.row_count:
            self.post_message(self.Opened(self, self._cursor))
