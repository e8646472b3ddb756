"""The rows of an SQL query, cell by cell, moved in with the keys of every other list."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual_fastdatatable import DataTable


class Grid(DataTable, inherit_bindings=False):
    """A table of the library with our keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", "Down", show=False, id="move.down"),
        Binding("k,up", "cursor_up", "Up", show=False, id="move.up"),
        Binding("h,left", "cursor_left", "Cell to the left", show=False, id="cell.left"),
        Binding("l,right", "cursor_right", "Cell to the right", show=False, id="cell.right"),
        Binding("g,home", "scroll_home", "First", show=False, id="move.first"),
        Binding("G,end", "scroll_end", "Last", show=False, id="move.last"),
        Binding("ctrl+d", "half_page(1)", "Half page down", show=False, id="move.half_down"),
        Binding("ctrl+u", "half_page(-1)", "Half page up", show=False, id="move.half_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="move.page_down"),
        Binding("pageup", "page_up", "Page up", show=False, id="move.page_up"),
        Binding("enter", "select_cursor", "Open", id="open"),
    ]

    def action_half_page(self, step: int) -> None:
        row = self.cursor_coordinate.row + step * max(1, self.size.height // 2)
        self.move_cursor(row=max(0, min(row, self.row_count - 1)))
