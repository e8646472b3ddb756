"""Two traces side by side: their trees, and what differs by name of span."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Static

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.tree import SpanRow
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.questions.spans import OpenTrace
from flightlog_viewer.tui.screens.over import Over
from flightlog_viewer.tui.text import content
from flightlog_viewer.tui.widgets.lines import KeyBar
from flightlog_viewer.tui.widgets.row_list import Cell, Column, RowList, TableRows
from flightlog_viewer.tui.widgets.waterfall import Waterfall

if TYPE_CHECKING:
    from flightlog_viewer.tui.app import FlightlogApp

COLUMNS = (
    Column("name", "By name", 14, share=True),
    Column("n_a", "n A", 5, right=True),
    Column("n_b", "n B", 5, right=True),
    Column("a", "time A", 7, right=True),
    Column("b", "time B", 7, right=True),
    Column("difference", "B - A", 9, right=True),
    Column("tokens", "tokens", 9, right=True, drop=1),
)


class Sum(NamedTuple):
    """What the spans of one name come to."""

    number: int
    errors: int
    total_ms: float
    tokens: int


class CompareScreen(Over, ModalScreen[None]):
    """A on the left, B on the right; Tab changes sides."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", id="compare.leave"),
        Binding("tab", "app.focus_next", "Other side", id="compare.side"),
        Binding("question_mark", "help", "Help", id="help"),
    ]
    NAME = "Comparison"

    def __init__(
        self, names: tuple[str, str], trace_ids: tuple[str, str], sides: tuple[OpenTrace, OpenTrace], glyphs: Glyphs
    ) -> None:
        super().__init__()
        self._names = names
        self._trace_ids = {"compare-a": trace_ids[0], "compare-b": trace_ids[1]}
        self._sides = sides
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Static(
            content(("A ", "bold"), self._names[0], ("   B ", "bold"), self._names[1]), markup=False, id="compare-line"
        )
        with Horizontal(id="compare-trees"):
            yield Waterfall(id="compare-a")
            yield Waterfall(id="compare-b")
        yield RowList(COLUMNS, id="compare-rows")
        yield KeyBar()

    def on_mount(self) -> None:
        for side, opened in zip("ab", self._sides, strict=True):
            tree = self.query_one(f"#compare-{side}", Waterfall)
            tree.glyphs = self._glyphs
            tree.show_trace(opened.folding, opened.spread)
        sums = tuple(by_name(opened.folding.outline.rows) for opened in self._sides)
        names = sorted({*sums[0], *sums[1]}, key=lambda name: -abs(_difference(sums, name)))
        cells = [self._cells(name, sums[0].get(name, _NOTHING), sums[1].get(name, _NOTHING)) for name in names]
        self.query_one(RowList).show_rows(TableRows(cells, names))
        self.query_one("#compare-a").focus()

    def _cells(self, name: str, a: Sum, b: Sum) -> list[Cell]:
        change = b.total_ms - a.total_ms
        worse = change > max(1.0, a.total_ms * 0.1)
        sign = "+" if change > 0 else "-" if change < 0 else " "
        failed = self._glyphs.status["error"] if a.errors or b.errors else ""
        return [
            Cell(f"{failed}{name}", "error" if failed else ""),
            Cell(str(a.number)),
            Cell(str(b.number), "wait" if a.number != b.number else ""),
            Cell(units.duration(a.total_ms)),
            Cell(units.duration(b.total_ms)),
            Cell(f"{sign}{units.duration(abs(change))}", "error" if worse else "ok" if change < 0 else "dim"),
            Cell(f"{b.tokens - a.tokens:+,}" if a.tokens or b.tokens else "", "dim"),
        ]

    def on_virtual_rows_opened(self, event: Waterfall.Opened) -> None:
        event.stop()
        if isinstance(event.sender, Waterfall) and (row := event.sender.selected) is not None:
            viewer = cast("FlightlogApp", self.app)
            self.dismiss()
            viewer.open_trace(self._trace_ids[event.sender.id or ""], row.row_id)


def by_name(rows: Sequence[SpanRow]) -> dict[str, Sum]:
    """Count, errors, time and tokens of the spans of each name."""
    found: dict[str, Sum] = {}
    for row in rows:
        known = found.get(row.name, _NOTHING)
        found[row.name] = Sum(
            known.number + 1,
            known.errors + (row.status == "error"),
            known.total_ms + (row.duration_ms or 0),
            known.tokens + (row.total_tokens or 0),
        )
    return found


_NOTHING = Sum(0, 0, 0.0, 0)


def _difference(sums: Sequence[dict[str, Sum]], name: str) -> float:
    return sums[1].get(name, _NOTHING).total_ms - sums[0].get(name, _NOTHING).total_ms
