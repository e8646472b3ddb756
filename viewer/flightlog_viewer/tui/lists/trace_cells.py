"""How a trace looks as one row of a list."""

from collections.abc import Sequence
from datetime import tzinfo

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.widgets.row_list import Cell, Column

COLUMNS = (
    Column("status", "St", 2),
    Column("day", "Day", 5, drop=6),
    Column("start", "Start", 8),
    Column("name", "Name", 14, share=True),
    Column("duration", "Dur", 7, right=True),
    Column("bar", "|p95", 6, drop=2),
    Column("spans", "Spans", 6, right=True),
    Column("tokens", "Tok", 5, right=True, drop=5),
    Column("cost", "Cost", 7, right=True, drop=3),
    Column("thread", "Thread", 14, drop=4, share=True),
    Column("service", "Service", 12, drop=1, share=True),
)
_TONES = {"error": "error", "interrupted": "wait", "running": "wait", "unfinished": "error", "ok": "ok"}


def columns(*, services: bool) -> Sequence[Column]:
    """The columns; that of the services where there are several."""
    return COLUMNS if services else COLUMNS[:-1]


def cells(row: TraceRow, glyphs: Glyphs, p95_ms: float | None, tz: tzinfo, *, marked: bool) -> list[Cell]:
    """One cell a column. ``p95_ms`` is that of the whole list, against which the bar is drawn."""
    took = row.duration_ms
    bar = ""
    if took is not None and p95_ms:
        bar = glyphs.full * max(0, min(5, round(took / p95_ms * 4)))
        bar += "+" if took > p95_ms * 1.25 else ""
    tone = _TONES.get(row.status, "dim")
    mark = glyphs.status.get(row.status, "?")
    if row.status == "ok" and row.error_count:
        mark += glyphs.status["error"]
    free = row.total_tokens == 0 and row.cost_usd == 0  # no model was called: nothing to count
    return [
        Cell(mark, tone),
        Cell(units.clock(row.start_us, tz, date=True)[5:10], "dim"),
        Cell(units.clock(row.start_us, tz)),
        Cell(("* " if marked else "") + units.name(row.name), "error" if row.status == "error" else ""),
        Cell(units.took(took, row.status)),
        Cell(bar, "llm", drawn=True),
        Cell(f"{row.span_count:,}" if row.span_count < 100_000 else units.count(row.span_count)),
        Cell("" if free else units.count(row.total_tokens)),
        Cell("" if free else units.money(row.cost_usd, more=row.unknown_costs > 0)),
        Cell(row.thread_id or "", "dim"),
        Cell(row.service or "", "dim"),
    ]
