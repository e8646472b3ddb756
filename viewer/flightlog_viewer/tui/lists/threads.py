"""How the threads look as rows of a list."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo

from flightlog_viewer.analysis.question_line import asked
from flightlog_viewer.analysis.thread_line import left_open
from flightlog_viewer.analysis.times import shown
from flightlog_viewer.analysis.units import plural
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.questions.threads import ThreadEntry
from flightlog_viewer.tui.widgets.row_list import Cell, Column, Rows

COLUMNS = (
    Column("status", "St", 2),
    Column("thread", "Thread", 12, share=True),
    Column("steps", "Step", 5, right=True),
    Column("updated", "Updated", 19, drop=1),
    Column("open", "What is open", 14, share=True, drop=2),
)
FAILED = ("errored", "crashed")
"""Statuses of threads that need looking into."""
_TONES = {"interrupted": "wait", "errored": "error", "crashed": "error", "finished": "ok", "running": "wait"}


def counted(every: Sequence[ThreadEntry], passing: Sequence[ThreadEntry] | None, glyphs: Glyphs) -> str:
    """``3 of 1,200`` pass a filter; without one how many there are, and how many of them failed and wait."""
    if passing is not None:
        return f"{len(passing):,} of {len(every):,}"
    failed = sum(entry.summary.status in FAILED for entry in every)
    waiting = sum(entry.summary.status == "interrupted" for entry in every)
    marked = (("error", failed), ("interrupted", waiting))
    return "  ".join([plural(len(every), "thread"), *(f"{glyphs.status[mark]}{n:,}" for mark, n in marked if n)])


class ThreadRows(Rows):
    """A row is made when it is drawn, for the list is made anew with every write to a database."""

    def __init__(self, entries: Sequence[ThreadEntry], glyphs: Glyphs, tz: tzinfo) -> None:
        self._entries = entries
        self._glyphs = glyphs
        self._tz = tz

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, row: int) -> Hashable:
        return self._entries[row].summary.thread_id

    def cells(self, row: int) -> Sequence[Cell]:
        thread = self._entries[row].summary
        waits = ", ".join(asked(normal_form(question.value)) for question in thread.pending[:3])
        tone = _TONES.get(thread.status, "dim")
        return [
            Cell(self._glyphs.status.get(thread.status, "?") + ("*" if thread.inferred else ""), tone),
            Cell(thread.thread_id),
            Cell(str(thread.steps)),
            Cell(shown(thread.updated_at, self._tz)[:19], "dim"),
            Cell(
                waits or "; ".join(left_open(thread)),
                "wait" if waits else "error" if thread.status in FAILED else "dim",
            ),
        ]
