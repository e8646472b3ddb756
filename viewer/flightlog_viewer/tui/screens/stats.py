"""Screen 5: figures by model, tool, node, thread, day; latencies and tokens as plots; how approvals went."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual_plotext import PlotextPlot

from flightlog_viewer.analysis import units
from flightlog_viewer.store.screen_queries import BINS_PER_DECADE
from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.screens.view import View
from flightlog_viewer.tui.widgets.lines import TabBar
from flightlog_viewer.tui.widgets.row_list import Cell, Column, RowList, TableRows

GROUPS = ("model", "tool", "node", "thread", "day", "approvals")
COLUMNS = (
    Column("key", "Name", 14, share=True),
    Column("count", "n", 6, right=True),
    Column("p50", "p50", 6, right=True),
    Column("p95", "p95", 6, right=True),
    Column("p99", "p99", 6, right=True, drop=1),
    Column("errors", "Errors", 6, right=True),
    Column("tokens", "Tokens", 6, right=True, drop=3),
    Column("cost", "Cost", 8, right=True, drop=2),
)
APPROVAL_COLUMNS = (
    Column("key", "Node", 14, share=True),
    Column("count", "n", 6, right=True),
    Column("p50", "lag p50", 8, right=True),
    Column("p95", "lag p95", 8, right=True),
    Column("agreed", "Agreed", 7, right=True),
    Column("pending", "Pending", 7, right=True),
    Column("late", "Past TTL", 8, right=True, drop=1),
)
_SERIES = 40
_BAR = (86, 180, 233)
"""Okabe-Ito sky blue; the height says the same."""


class Figures(NamedTuple):
    """What one reading of the store gives the screen."""

    rows: Sequence[dict[str, Any]]
    latencies: Sequence[tuple[int, int]]
    tokens: Sequence[tuple[int, int | None]]


class StatsView(View):
    """A table of groups above two plots."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "next_group", "Group by", id="stats.group"),
        Binding("V", "next_group(-1)", "Previous group", show=False, id="stats.group.previous"),
        Binding("s", "sort", "Sort", show=False, id="stats.sort"),
    ]

    def __init__(self) -> None:
        super().__init__(id="stats")
        self._groups: Sequence[dict[str, Any]] = ()
        self._order: tuple[str, bool] | None = None

    def compose(self) -> ComposeResult:
        yield TabBar([name.title() for name in GROUPS], id="stats-tabs")
        yield RowList(COLUMNS, id="stats-rows")
        yield Horizontal(PlotextPlot(id="latency-plot"), PlotextPlot(id="token-plot"), id="plots")

    @property
    def table(self) -> RowList:
        return self.query_one("#stats-rows", RowList)

    @property
    def group(self) -> str:
        """What the table is grouped by."""
        return GROUPS[self.query_one("#stats-tabs", TabBar).active]

    def on_mount(self) -> None:
        if self.viewer.ansi_color:
            # Without a theme of our own the plots take the terminal's colours as well.
            for plot in self.query(PlotextPlot):
                plot.theme = "clear"
        self.data_changed(appended=False)

    def shown(self) -> None:
        self.table.focus()

    def data_changed(self, *, appended: bool) -> None:
        self.table.nothing = self.waiting or "no span of this kind"
        self.table.refresh()
        if not self.session.loaded:
            self.query_one("#plots").display = False
            return
        session, group, tz = self.session, self.group, self.zone
        if group == "approvals":
            now, ttl = self.viewer.now(), self.viewer.ttl_seconds
            self.ask("stats", lambda: session.threads.approval_figures(now, ttl), self._show_approvals)
            return
        kind = "tool" if group == "tool" else "llm"

        def work() -> Figures:
            return Figures(
                session.spans.groups(group, tz), session.spans.latency_bins(kind), session.spans.token_bins(_SERIES)
            )

        self.ask("stats", work, self._show)

    def _show(self, figures: Figures) -> None:
        self._groups = figures.rows
        self.table.set_columns(COLUMNS)
        self._list()
        kind = "tool" if self.group == "tool" else "model"
        self._draw_latencies(figures.latencies, f"{kind} calls by duration")
        self._draw_tokens(figures.tokens)
        # A frame without bars tells nothing.
        for plot, bins in (("#latency-plot", figures.latencies), ("#token-plot", figures.tokens)):
            self.query_one(plot).display = bool(bins)
        self.query_one("#plots").display = bool(figures.latencies or figures.tokens)

    def _show_approvals(self, groups: Sequence[dict[str, Any]]) -> None:
        self._groups = groups
        self.table.set_columns(APPROVAL_COLUMNS)
        cells = [
            [
                Cell(str(row["node"])),
                Cell(f"{row['count']:,}"),
                Cell(units.duration(row["p50_ms"])),
                Cell(units.duration(row["p95_ms"])),
                Cell("?" if row["agreement"] is None else f"{row['agreement']:.0%}"),
                Cell(f"{row['pending']:,}", "wait" if row["pending"] else ""),
                Cell(f"{row['past_ttl']:,}", "error" if row["past_ttl"] else ""),
            ]
            for row in groups
        ]
        self.table.show_rows(TableRows(cells, [row["node"] for row in groups]), keep=False)

    def _list(self) -> None:
        rows = list(self._groups)
        if self._order is not None:
            field, down = self._order
            rows.sort(key=lambda row: (row[field] is not None, row[field] or 0), reverse=down)
        cells = [
            [
                Cell(str(row["key"] if row["key"] is not None else "(none)")),
                Cell(f"{row['count']:,}"),
                Cell(units.duration(row["p50_ms"])),
                Cell(units.duration(row["p95_ms"])),
                Cell(units.duration(row["p99_ms"])),
                Cell(f"{self.glyphs.status['error']}{row['errors']:,}" if row["errors"] else "", "error"),
                Cell(units.count(row["total_tokens"])),
                Cell(units.money(None if row["unknown_costs"] else row["cost_usd"])),
            ]
            for row in rows
        ]
        sort = None if self._order is None else (_COLUMN_OF[self._order[0]], self._order[1])
        self.table.show_rows(TableRows(cells, [row["key"] for row in rows]), sort=sort)

    def _draw_latencies(self, bins: Sequence[tuple[int, int]], title: str) -> None:
        plot = self.query_one("#latency-plot", PlotextPlot)
        plot.plt.clear_data()
        plot.plt.clear_figure()
        plot.plt.title(title)
        if bins:
            first, last = bins[0][0], bins[-1][0]
            counts = dict(bins)
            numbers = range(first, last + 1)
            labels = [units.duration(10 ** (n / BINS_PER_DECADE)) for n in numbers]
            _bars(plot, labels, [counts.get(n, 0) for n in numbers])
        plot.refresh()

    def _draw_tokens(self, bins: Sequence[tuple[int, int | None]]) -> None:
        plot = self.query_one("#token-plot", PlotextPlot)
        plot.plt.clear_data()
        plot.plt.clear_figure()
        plot.plt.title("tokens over time")
        if bins:
            day = bins[-1][0] - bins[0][0] > 86_400_000_000
            labels = [units.clock(at, self.zone, date=day)[: 10 if day else None] for at, _ in bins]
            _bars(plot, list(range(len(bins))), [tokens or 0 for _, tokens in bins])
            marks = sorted({0, len(bins) // 2, len(bins) - 1})
            plot.plt.xticks([float(i) for i in marks], [labels[i] for i in marks])
        plot.refresh()

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self._choose(event.index)

    def _choose(self, index: int) -> None:
        self.query_one("#stats-tabs", TabBar).active = index
        if GROUPS[index] == "approvals":
            self.query_one("#plots").display = False
        self.data_changed(appended=False)

    def on_row_list_header_clicked(self, event: RowList.HeaderClicked) -> None:
        event.stop()
        self._sort_by(event.column)

    def _sort_by(self, column: str) -> None:
        field = next((name for name, title in _COLUMN_OF.items() if title == column), None)
        if field is not None and self.group != "approvals":
            self._order = (field, not self._order[1] if self._order and self._order[0] == field else True)
            self._list()

    def on_virtual_rows_opened(self, event: RowList.Opened) -> None:
        event.stop()
        key = self.table.key
        if self.group == "approvals":
            self.viewer.main.bring("inbox")
        elif key is not None:
            self.viewer.open_filtered(filter_for(self.group, str(key)))

    def copy_choices(self) -> list[CopyChoice]:
        return [CopyChoice("this table as JSON", lambda: as_text(list(self._groups)))] if self._groups else []

    def body_text(self) -> str:
        return as_text(list(self._groups))

    def action_next_group(self, step: int = 1) -> None:
        self._choose((self.query_one("#stats-tabs", TabBar).active + step) % len(GROUPS))

    def action_sort(self) -> None:
        from flightlog_viewer.tui.screens.menus import Menu

        self.viewer.push_screen(
            Menu("Sort by", list(_COLUMN_OF.values())), lambda chosen: self._sort_by(chosen) if chosen else None
        )


_COLUMN_OF = {
    "count": "count",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "errors": "errors",
    "total_tokens": "tokens",
    "cost_usd": "cost",
}


def _bars(plot: PlotextPlot, places: Sequence[str] | Sequence[int], heights: Sequence[int]) -> None:
    top = max(heights, default=0)
    plot.plt.bar(places, heights, color=_BAR if plot.theme == "auto" else "blue+")
    plot.plt.ylim(0, top or 1)
    plot.plt.yticks([0.0, float(top)], ["0", units.count(top)])


def filter_for(group: str, key: str) -> str:
    """The filter that leaves the traces of one group."""
    if group == "day":
        return f"root:(start>={key} start<={key})"
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{group}:"{quoted}"'
