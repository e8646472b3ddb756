"""The lines that are not spans: where, and why."""

from collections.abc import Sequence
from typing import Any

from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.screens.overlay import Overlay


class RejectsScreen(Overlay):
    """A list by file and byte offset."""

    NAME = "Bad lines"

    def __init__(self, rejects: Sequence[tuple[Any, ...]], glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._rejects = rejects

    def document(self) -> Document:
        blocks = [heading("Lines that are not spans, and were left out"), gap()]
        blocks += [Block(f"{path} at byte {offset:,}: {reason}") for path, offset, reason in self._rejects]
        if not self._rejects:
            blocks.append(Block("every line is a span", "ok"))
        return Document(blocks)
