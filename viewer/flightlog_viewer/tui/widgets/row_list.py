"""A table over any number of rows: columns that give way when it is narrow, a cursor that keeps its row."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from rich.segment import Segment
from textual.message import Message

from flightlog_viewer.tui.text import fit, picture, segment
from flightlog_viewer.tui.widgets.virtual import VirtualRows


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``width`` is in cells; the one with ``share`` takes what is left."""

    key: str
    title: str
    width: int
    right: bool = False
    share: bool = False
    drop: int = 0
    """When it is too narrow, columns go in this order (1 first); 0 stays."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text with a tone (see ``VirtualRows.tone``)."""

    text: str
    tone: str = ""
    drawn: bool = False
    """A picture, such as a bar."""


class Rows(Protocol):
    """What a list shows. All calls return at once: what is not here yet is None, and asked for in the background."""

    def __len__(self) -> int: ...

    def cells(self, row: int) -> Sequence[Cell] | None:
        """One cell a column, or None while the row is being fetched."""

    def key(self, row: int) -> Hashable:
        """What identifies the row when the order changes."""

    def find(self, key: Hashable) -> int | None:
        """Where that row is now."""
        return next((row for row in range(len(self)) if self.key(row) == key), None)


class TableRows(Rows):
    """Rows that are all in memory."""

    def __init__(self, rows: Sequence[Sequence[Cell]], keys: Sequence[Hashable]) -> None:
        self._rows = rows
        self._keys = keys

    def __len__(self) -> int:
        return len(self._rows)

    def cells(self, row: int) -> Sequence[Cell] | None:
        return self._rows[row]

    def key(self, row: int) -> Hashable:
        return self._keys[row]


class RowList(VirtualRows):
    """Rows under a line of titles."""

    HEADER: ClassVar[int] = 1

    class HeaderClicked(Message):
        """A click on a title."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._rows: Rows = TableRows((), ())
        self._sorted: tuple[str, bool] | None = None
        self._fitted: tuple[int, list[tuple[int, Column, int]]] = (-1, [])

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Rows:
        return self._rows

    @property
    def key(self) -> Hashable | None:
        """The key of the row under the cursor; None in an empty list."""
        return self._rows.key(self._cursor) if len(self._rows) else None

    def show_rows(self, rows: Rows, *, sort: tuple[str, bool] | None = None, keep: bool = True) -> None:
        """Show these. With ``keep`` the cursor stays on its row (by key) and the row on its line of the screen.

        ``sort`` names the column that is marked as sorted and whether it is descending.
        """
        key, line = self.key, self._cursor - self.scroll_offset.y
        self._rows = rows
        self._sorted = sort
        found = rows.find(key) if keep and key is not None else None
        self._cursor = 0 if found is None else found
        self.fresh = self.fresh or found is None
        self.resized()
        top = 0 if found is None else max(0, found - line)
        self.scroll_to(y=top, animate=False, immediate=True, force=True)
        self.call_after_refresh(self._keep_in_view)
        if found is None and len(rows):
            self.post_message(self.Moved(self, self._cursor))

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Change the columns; the rows shown next must have as many cells."""
        if columns != self._columns:
            self._columns = columns
            self._fitted = (-1, [])
            self.refresh()

    def go_to(self, key: Hashable) -> bool:
        """Put the cursor on the row with this key; False when it is not in the list."""
        row = self._rows.find(key)
        if row is None:
            return False
        self.move_to(row)
        return True

    def layout_for(self, width: int) -> list[tuple[int, Column, int]]:
        """The columns that fit, as (index, column, width in cells)."""
        if self._fitted[0] == width:
            return self._fitted[1]
        kept = list(enumerate(self._columns))
        for _, column in sorted(kept, key=lambda item: item[1].drop):
            if sum(c.width + 1 for _, c in kept) <= width + 1:
                break
            if column.drop:
                kept = [item for item in kept if item[1] is not column]
        spare = width - sum(c.width + 1 for _, c in kept) + 1
        sharing = sum(c.share for _, c in kept) or 1
        found = [(i, c, max(1, c.width + (spare // sharing if c.share else 0))) for i, c in kept]
        self._fitted = (width, found)
        return found

    def draw_header(self, line: int, width: int) -> list[Segment]:
        style = self.get_component_rich_style("rows--header", partial=True)
        found = []
        for _, column, cells in self.layout_for(width):
            title = column.title
            if self._sorted and self._sorted[0] == column.key:
                title = f"{title} {'v' if self._sorted[1] else '^'}"
            found.append(segment(fit(title, cells, right=column.right) + " ", style))
        return found

    def draw_row(self, row: int, width: int, selected: bool) -> list[Segment]:
        cells = self._rows.cells(row)
        if cells is None:
            return [segment(fit("...", width), self.tone("dim"))]
        return [
            (picture if cells[i].drawn else segment)(
                fit(cells[i].text, size, right=column.right) + " ", self.tone(cells[i].tone)
            )
            for i, column, size in self.layout_for(width)
        ]

    def header_clicked(self, x: int, y: int) -> None:
        at = 0
        for _, column, cells in self.layout_for(self.size.width):
            at += cells + 1
            if x < at:
                self.post_message(self.HeaderClicked(column.key))
                return
