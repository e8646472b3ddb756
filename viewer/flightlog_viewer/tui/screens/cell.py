"""One value in full, over everything else."""

from typing import Any

from flightlog_viewer.analysis.document import Document, heading, json_blocks, open_within
from flightlog_viewer.analysis.span_document import plain
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.screens.overlay import Overlay


class CellScreen(Overlay):
    """A cell of the SQL grid as a foldable document."""

    NAME = "Cell"

    def __init__(self, name: str, value: Any, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._column = name
        self._value = value

    def document(self) -> Document:
        return Document([heading(self._column), *open_within(json_blocks(plain(self._value)))])
