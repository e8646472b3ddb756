"""The spans of every run of a thread as a list, with those of one step marked."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo

from flightlog_viewer.analysis import units
from flightlog_viewer.tui.glyphs import Glyphs, letter
from flightlog_viewer.tui.questions.spans import RunSpan
from flightlog_viewer.tui.widgets.row_list import Cell, Column, Rows

COLUMNS = (
    Column("here", "", 1),
    Column("name", "Runs of this thread", 18, share=True),
    Column("duration", "Dur", 7, right=True),
    Column("step", "Step", 4, right=True, drop=2),
    Column("start", "Start", 8, drop=1),
)
_TONES = {"error": "error", "unfinished": "error", "interrupted": "wait", "running": "wait"}


class RunRows(Rows):
    """A row is made when it is drawn."""

    def __init__(self, spans: Sequence[RunSpan], marked: frozenset[int], glyphs: Glyphs, tz: tzinfo) -> None:
        self._spans = spans
        self._marked = marked
        self._glyphs = glyphs
        self._tz = tz

    @property
    def first_marked(self) -> int | None:
        """The row of the first span of the step."""
        return next((row for row, span in enumerate(self._spans) if span.row_id in self._marked), None)

    def __len__(self) -> int:
        return len(self._spans)

    def cells(self, row: int) -> Sequence[Cell]:
        span = self._spans[row]
        status = " " if span.status == "ok" else self._glyphs.status.get(span.status, "?")
        indent = "" if span.is_root else "  " if span.kind in ("node", "task", "graph") else "    "
        tone = _TONES.get(span.status, "strong" if span.is_root else span.type if span.type != "event" else "")
        return [
            Cell(self._glyphs.folded if span.row_id in self._marked else "", "key"),
            Cell(
                f"{indent}{status}{letter(span.type, span.kind)} {units.name(span.name)}{units.attempt(span.attempt)}",
                tone,
            ),
            Cell(units.took(span.duration_ms, span.status)),
            Cell("" if span.step is None else str(span.step), "dim"),
            Cell(units.clock(span.start_us, self._tz), "dim"),
        ]

    def key(self, row: int) -> Hashable:
        return self._spans[row].row_id

    def span(self, row: int) -> RunSpan:
        """The span on a row."""
        return self._spans[row]
