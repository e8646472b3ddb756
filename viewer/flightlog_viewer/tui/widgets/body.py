"""A viewer for documents of any size: long lines wrap, JSON folds, only what is in view is drawn."""

from bisect import bisect_right
from typing import Any, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message

from flightlog_viewer.analysis.document import Block, Document
from flightlog_viewer.analysis.jumps import said
from flightlog_viewer.tui.glyphs import UNICODE, Glyphs
from flightlog_viewer.tui.text import fit, segment, width_of, wrap
from flightlog_viewer.tui.widgets.virtual import VirtualRows


class BodyView(VirtualRows):
    """Shows a ``Document``. The cursor moves by rows on the screen; Enter and space fold the line it is on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold", show=False, id="body.fold"),
        Binding("h,left", "collapse", "Collapse", show=False, id="body.collapse"),
        Binding("l,right", "expand", "Expand", show=False, id="body.expand"),
        Binding("ctrl+f", "search", "Search in this text", show=False, id="body.search"),
        Binding("n", "again(1)", "Next match in this text", show=False, id="body.next"),
        Binding("N", "again(-1)", "Previous match in this text", show=False, id="body.previous"),
    ]

    class LinkOpened(Message):
        """Enter on a line that leads somewhere."""

        def __init__(self, kind: str, target: Any) -> None:
            super().__init__()
            self.kind = kind
            self.target = target

    def __init__(self, *, id: str | None = None, gutter: bool = False) -> None:
        super().__init__(id=id)
        self._gutter = gutter
        """Draw a line beside everything that stands below a line of the viewer's own, so that it cannot imitate one."""
        self.glyphs: Glyphs = UNICODE
        self._document = Document(())
        self._starts: list[int] = [0]
        """First row of every visible line, then the number of rows."""
        self._wrapped: dict[int, list[str]] = {}
        self._width = 0
        self._needle = ""

    @property
    def document(self) -> Document:
        return self._document

    @property
    def row_count(self) -> int:
        return self._starts[-1]

    @property
    def block(self) -> Block | None:
        """The line under the cursor."""
        line = self._line(self._cursor)
        return self._document.visible[line][0] if line < len(self._document.visible) else None

    def show_document(self, document: Document) -> None:
        """Show another document, from its top."""
        self._document = document
        self._cursor = 0
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self._measure()

    def draw_row(self, row: int, width: int, selected: bool) -> list[Segment]:
        line = self._line(row)
        block, depth = self._document.visible[line]
        part = row - self._starts[line]
        texts = self._texts(line)
        lead = self._lead(block, depth)
        text = texts[part] if part < len(texts) else ""
        bar = [segment(self.glyphs.gutter, self.tone("wait"))] if self._gutter and depth else []
        if part:
            blank = " " * (min(width_of(lead), width - 4) - len(bar))
            return [*bar, segment(blank), segment(text, self.tone(block.tone))]
        fold = lead[len(bar) : len(lead) - len(self._key(block))]
        return [
            *bar,
            segment(fold, self.tone("dim")),
            segment(self._key(block), self.tone("key")),
            segment(text, self.tone(block.tone)),
        ]

    def on_resize(self) -> None:
        if self.scrollable_content_region.width != self._width:
            self._measure()

    def text(self) -> str:
        """The visible lines as plain text."""
        return "\n".join("  " * depth + self._key(block) + block.text for block, depth in self._document.visible)

    def search(self, needle: str, step: int = 1) -> None:
        """Go to the next line that contains the text, or say that there is none."""
        here = self._line(self._cursor)
        found = self._document.find(needle, here, step) if self._document.visible else None
        if found is None:
            self.notify(f"{needle!r} is not in what is unfolded", markup=False)
            return
        self.move_to(self._starts[found])
        if word := said(here, found, step):
            self.notify(word, markup=False)

    def _measure(self) -> None:
        self._width = self.scrollable_content_region.width
        self._wrapped = {}
        self._starts = [0]
        rows = 0
        for line in range(len(self._document.visible)):
            rows += len(self._texts(line))
            self._starts.append(rows)
        self.resized()

    def _texts(self, line: int) -> list[str]:
        texts = self._wrapped.get(line)
        if texts is None:
            block, depth = self._document.visible[line]
            room = max(4, self._width - min(width_of(self._lead(block, depth)), self._width - 4))
            texts = wrap(block.text, room)
            self._wrapped[line] = texts
        return texts

    def _lead(self, block: Block, depth: int) -> str:
        indent = " " * min(2 * depth, max(0, self._width // 2))
        if block.make is None:
            return f"{indent}{'> ' if block.link else '  '}{self._key(block)}"
        mark = self.glyphs.unfolded if block.is_open and not block.replaces else self.glyphs.folded
        return f"{indent}{mark} {self._key(block)}"

    def _key(self, block: Block) -> str:
        return f"{fit(block.key, min(40, width_of(block.key)), more=self.glyphs.more)} " if block.key else ""

    def _line(self, row: int) -> int:
        return max(0, bisect_right(self._starts, row) - 1)

    def _toggle(self, line: int) -> None:
        if self._document.toggle(line):
            self._measure()
            self.move_to(self._starts[min(line, len(self._starts) - 2)])

    def action_open(self) -> None:
        block = self.block
        if block is None:
            return
        if block.link is not None:
            self.post_message(self.LinkOpened(*block.link))
        else:
            self._toggle(self._line(self._cursor))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Without a search its keys are free for the screen around."""
        return action != "again" or bool(self._needle)

    def action_search(self) -> None:
        from flightlog_viewer.tui.screens.ask_line import AskLine

        def search(needle: str | None) -> None:
            self._needle = needle or ""
            if needle:
                self.action_again(1)

        self.app.push_screen(AskLine("Search in what is unfolded"), search)

    def action_again(self, step: int) -> None:
        if self._needle:
            self.search(self._needle, step)

    def action_fold(self) -> None:
        if self._document.visible:
            self._toggle(self._line(self._cursor))

    def action_expand(self) -> None:
        block = self.block
        if block is not None and block.make is not None and not block.is_open:
            self._toggle(self._line(self._cursor))
        else:
            self.action_move(1)

    def action_collapse(self) -> None:
        line = self._line(self._cursor)
        if line >= len(self._document.visible):
            return
        block, depth = self._document.visible[line]
        if block.make is not None and block.is_open:
            self._toggle(line)
            return
        for above in range(line - 1, -1, -1):
            if self._document.visible[above][1] < depth:
                self.move_to(self._starts[above])
                return

    def row_clicked(self, row: int, x: int) -> None:
        line = self._line(row)
        block, depth = self._document.visible[line]
        if block.make is not None and x <= 2 * depth + 1:
            self._toggle(line)
