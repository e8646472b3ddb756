"""One value in full, over everything else."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from flightlog_viewer.analysis.document import Document, heading, json_blocks, open_within
from flightlog_viewer.analysis.span_document import plain
from flightlog_viewer.tui.faults import Guarded
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.widgets.body import BodyView


class CellScreen(Guarded, ModalScreen[None]):
    """A cell of the SQL grid as a foldable document."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Back", id="cell.leave")]

    def __init__(self, name: str, value: Any, glyphs: Glyphs) -> None:
        super().__init__()
        self._column = name
        self._value = value
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        body = BodyView(id="help")
        body.glyphs = self._glyphs
        yield body

    def on_mount(self) -> None:
        body = self.query_one(BodyView)
        body.show_document(Document([heading(self._column), *open_within(json_blocks(plain(self._value)))]))
        body.focus()
