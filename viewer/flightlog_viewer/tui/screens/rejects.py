"""What is missing: the lines that are not spans, and the spans that could not be written."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.screens.overlay import Overlay


class RejectsScreen(Overlay):
    """Losses by time, lines by file and byte offset."""

    NAME = "Bad lines"

    def __init__(
        self, rejects: Sequence[tuple[Any, ...]], losses: Sequence[tuple[Any, ...]], glyphs: Glyphs, tz: tzinfo
    ) -> None:
        super().__init__(glyphs)
        self._rejects = rejects
        self._losses = losses
        self._tz = tz

    def document(self) -> Document:
        blocks: list[Block] = []
        if self._losses:
            blocks += [heading("Spans that could not be written, and are missing in every figure"), gap()]
            blocks += [Block(f"{units.clock(us, self._tz, date=True)}  {text}") for us, text in self._losses]
            blocks += [gap()]
        blocks += [heading("Lines that are not spans, and were left out"), gap()]
        blocks += [Block(f"{path} at byte {offset:,}: {reason}") for path, offset, reason in self._rejects]
        if not self._rejects:
            blocks.append(Block("every line is a span", "ok"))
        return Document(blocks)
