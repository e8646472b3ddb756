"""The lines that are no spans: where, and why."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.tui.faults import Guarded
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.widgets.body import BodyView


class RejectsScreen(Guarded, ModalScreen[None]):
    """A list by file and byte offset."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Back", id="rejects.leave")]

    def __init__(self, rejects: Sequence[tuple[Any, ...]], glyphs: Glyphs) -> None:
        super().__init__()
        self._rejects = rejects
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        body = BodyView(id="help")
        body.glyphs = self._glyphs
        yield body

    def on_mount(self) -> None:
        blocks = [heading("Lines that are no spans, and were left out"), gap()]
        blocks += [Block(f"{path} at byte {offset:,}: {reason}") for path, offset, reason in self._rejects]
        if not self._rejects:
            blocks.append(Block("every line is a span", "ok"))
        body = self.query_one(BodyView)
        body.show_document(Document(blocks))
        body.focus()
