"""What is missing: files that cannot be read, lines that are not spans, and spans that could not be written."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.screens.overlay import Overlay


class RejectsScreen(Overlay):
    """Files by name, losses by time, lines by file and byte offset."""

    NAME = "Bad lines"

    def __init__(
        self,
        left_out: Mapping[Path, str],
        rejects: Sequence[tuple[Any, ...]],
        losses: Sequence[tuple[Any, ...]],
        glyphs: Glyphs,
        tz: tzinfo,
    ) -> None:
        super().__init__(glyphs)
        self._left_out = left_out
        self._rejects = rejects
        self._losses = losses
        self._tz = tz

    def document(self) -> Document:
        blocks: list[Block] = []
        if self._left_out:
            blocks += [heading("Files that were left out"), gap()]
            blocks += [Block(f"{name_text(path)}: {why}") for path, why in self._left_out.items()]
            blocks += [gap()]
        if self._losses:
            blocks += [heading("Spans that could not be written, and are missing in every figure"), gap()]
            blocks += [Block(f"{units.clock(us, self._tz, date=True)}  {text}") for us, text in self._losses]
            blocks += [gap()]
        blocks += [heading("Lines that are not spans, and were left out"), gap()]
        blocks += [Block(f"{path} at byte {offset:,}: {reason}") for path, offset, reason in self._rejects]
        if not self._rejects:
            blocks.append(Block("every line is a span", "ok"))
        return Document(blocks)
