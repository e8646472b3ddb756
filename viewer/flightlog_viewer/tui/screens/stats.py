"""Screen 5: figures by model, tool, node, thread, day, version; latencies and tokens as plots; how approvals went."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.lists.groups import ALL, APPROVAL_COLUMNS, FIELDS, GroupRows, approval_cells, columns
from flightlog_viewer.tui.questions.groups import GROUPS, Figures, filter_for, group_sql
from flightlog_viewer.tui.screens.view import READING, TraceOpened, View
from flightlog_viewer.tui.widgets.lines import TabBar
from flightlog_viewer.tui.widgets.plots import Plot, draw_latencies, draw_tokens
from flightlog_viewer.tui.widgets.row_list import RowList, TableRows

WINDOWS = (("All", None), ("Last hour", timedelta(hours=1)), ("Last day", timedelta(days=1)))
_NAMELESS = "a row with a name leads to its spans; this one has none"
_Table = tuple[str, int]
"""A group, and which of the windows."""


class StatsView(View):
    """A table of groups above two plots."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "next_group", "Group by", id="stats.group"),
        Binding("V", "next_group(-1)", "Previous group", show=False, id="stats.group.previous"),
        Binding("w", "next_window", "Window", id="stats.window"),
        Binding("x", "find('slowest')", "Slowest", id="stats.slowest"),
        Binding("e", "find('failed')", "Last error", id="stats.error"),
        Binding("Q", "sql", "In SQL", id="stats.sql"),
        Binding("s", "sort", "Sort", show=False, id="stats.sort"),
    ]

    def __init__(self) -> None:
        super().__init__(id="stats")
        self._figures = Figures((), None, {}, (), (), None, False)
        self._approvals: Sequence[dict[str, Any]] = ()
        self._order: tuple[str, bool] | None = None
        self._listed: _Table | None = None
        """What the rows on the screen are of."""
        self._next: Callable[[], None] | None = None
        """What was pressed before the rows were there that it is meant for."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="stats-line"):
            yield TabBar([name.title() for name in self._tabs], id="stats-tabs")
            yield TabBar([name for name, _ in WINDOWS], id="stats-windows")
        yield RowList(columns(self._figures), id="stats-rows")
        yield Horizontal(Plot(id="latency-plot"), Plot(id="token-plot"), id="plots")

    @property
    def table(self) -> RowList:
        return self.query_one("#stats-rows", RowList)

    @property
    def windows(self) -> TabBar:
        return self.query_one("#stats-windows", TabBar)

    @property
    def tabs(self) -> TabBar:
        return self.query_one("#stats-tabs", TabBar)

    @property
    def _tabs(self) -> tuple[str, ...]:
        """What there is to group by; versions where there is one to compare with."""
        return tuple(name for name in (*GROUPS, "approvals") if name != "version" or self._figures.versions)

    @property
    def group(self) -> str:
        """What the table is grouped by."""
        return self._tabs[self.tabs.active]

    @property
    def _wanted(self) -> _Table:
        """What the rows are to be of."""
        return self.group, self.windows.active

    def _once_listed(self, act: Callable[[], None]) -> None:
        """Act on the rows that were asked for: those on the screen may still be of another group."""
        if self._listed == self._wanted or not self.session.loaded:
            act()
        else:
            self._next = act

    def _note_listed(self, listed: _Table) -> None:
        self._listed = listed
        act, self._next = self._next, None
        if act is not None and self.display:
            act()

    def on_mount(self) -> None:
        if self.viewer.ansi_color:
            # Without a theme of our own the plots take the terminal's colours as well.
            for plot in self.query(Plot):
                plot.theme = "clear"
        self.data_changed(appended=False)

    def shown(self) -> None:
        self.table.focus()

    def data_changed(self, *, appended: bool) -> None:
        self.table.nothing = self.waiting or READING
        self.table.refresh()
        if not self.session.loaded:
            self._show_plots(False)
            return
        session, group, tz, wanted = self.session, self.group, self.zone, self._wanted
        again = partial(self.data_changed, appended=True) if appended else None
        if group == "approvals":
            now, ttl = self.viewer.now(), self.viewer.ttl_seconds
            self.ask(
                "stats",
                lambda: session.threads.approval_figures(now, ttl),
                lambda groups: self._show_approvals(groups, wanted),
                again=again,
            )
            return
        length = WINDOWS[self.windows.active][1]
        self.ask(
            "stats",
            lambda: session.groups.figures(group, tz, length),
            lambda figures: self._show(figures, wanted),
            again=again,
        )

    def _show(self, figures: Figures, listed: _Table) -> None:
        known, self._figures = self._figures.versions, figures
        if figures.versions != known:
            self.tabs.set_labels([name.title() for name in self._tabs])
        self.table.nothing = "no span of this kind"
        self._list()
        kind = "tool" if self.group == "tool" else "model"
        draw_latencies(self.query_one("#latency-plot", Plot), figures.latencies, f"{kind} calls by duration")
        draw_tokens(self.query_one("#token-plot", Plot), figures.tokens, self.zone)
        # A frame without bars tells nothing.
        for plot, bins in (("#latency-plot", figures.latencies), ("#token-plot", figures.tokens)):
            self.query_one(plot).display = bool(bins)
        self._show_plots(bool(figures.latencies or figures.tokens))
        self._note_listed(listed)

    def _show_plots(self, wanted: bool) -> None:
        # By a class: a small terminal hides them whatever there is to show.
        self.query_one("#plots").set_class(not wanted, "-none")

    def _show_approvals(self, groups: Sequence[dict[str, Any]], listed: _Table) -> None:
        self._approvals = groups
        self.table.nothing = "no question was ever asked"
        self.table.set_columns(APPROVAL_COLUMNS)
        self.table.show_rows(TableRows([approval_cells(row) for row in groups], [row["node"] for row in groups]))
        self._note_listed(listed)

    def _list(self) -> None:
        figures = self._figures
        rows = list(figures.rows)
        if self._order is not None:
            field, down = self._order
            known = [row for row in rows if _value(row, field) is not None]
            known.sort(key=lambda row: _value(row, field), reverse=down)
            rows = [*known, *(row for row in rows if _value(row, field) is None)]
        self.table.set_columns(columns(figures))
        sort = None if self._order is None else (FIELDS[self._order[0]], self._order[1])
        self.table.show_rows(GroupRows(figures, rows, self.group, self.glyphs), sort=sort)

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        if event.sender is self.windows:
            self._choose_window(event.index)
        else:
            self._choose(event.index)

    def _choose(self, index: int) -> None:
        self.tabs.active = index
        self._next = None
        approvals = self._tabs[index] == "approvals"
        self.windows.set_class(approvals, "-none")
        if approvals:
            self._show_plots(False)
        self.data_changed(appended=False)

    def _choose_window(self, index: int) -> None:
        self.windows.active = index
        self._next = None
        self.data_changed(appended=False)

    def on_row_list_header_clicked(self, event: RowList.HeaderClicked) -> None:
        event.stop()
        self._sort_by(event.column)

    def _sort_by(self, column: str) -> None:
        field = next((name for name, title in FIELDS.items() if title == column), None)
        if field is not None:
            self._once_listed(partial(self._sort_rows, field))

    def _sort_rows(self, field: str) -> None:
        if self.group != "approvals":
            self._order = (field, not self._order[1] if self._order and self._order[0] == field else True)
            self._list()

    def on_virtual_rows_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self._once_listed(self._open_row)

    def _open_row(self) -> None:
        key = self.table.key
        if self.group == "approvals":
            self.viewer.main.bring("inbox")
        elif isinstance(key, str) or key is ALL:
            name = key if isinstance(key, str) else None
            self.viewer.open_filtered(filter_for(self.group, name, self._figures.since, self.zone))
        elif self.table.row_count:
            self.notify(_NAMELESS, markup=False)

    def copy_choices(self) -> list[CopyChoice]:
        return [CopyChoice("this table as JSON", self.body_text)] if self._rows else []

    def body_text(self) -> str:
        return as_text(list(self._rows))

    @property
    def _rows(self) -> Sequence[dict[str, Any]]:
        approvals = self._listed is not None and self._listed[0] == "approvals"
        return self._approvals if approvals else self._figures.rows

    def action_next_group(self, step: int = 1) -> None:
        self._choose((self.tabs.active + step) % len(self._tabs))

    def action_next_window(self) -> None:
        if self.group != "approvals":
            self._choose_window((self.windows.active + 1) % len(WINDOWS))

    def action_find(self, what: Literal["slowest", "failed"]) -> None:
        self._once_listed(partial(self._find, what))

    def _find(self, what: Literal["slowest", "failed"]) -> None:
        session, group, key, since, tz = self.session, self.group, self.table.key, self._figures.since, self.zone
        if group == "approvals" or (key is not ALL and not isinstance(key, str)):
            self.notify(_NAMELESS, markup=False)
            return
        name = key if isinstance(key, str) else None
        self.ask("find", lambda: session.groups.find(group, name, what, since, tz), self._found)

    def _found(self, place: tuple[str, int] | None) -> None:
        if place is None:
            self.notify("nothing here failed" if self.table.row_count else "no span of this kind", markup=False)
        else:
            self.post_message(TraceOpened(*place))

    def action_sql(self) -> None:
        self._once_listed(lambda: self.viewer.open_sql(group_sql(self.group, self._figures.since)))

    def action_sort(self) -> None:
        from flightlog_viewer.tui.screens.menus import Menu

        self.viewer.push_screen(
            Menu("Sort by", list(FIELDS.values())), lambda chosen: self._sort_by(chosen) if chosen else None
        )


def _value(row: dict[str, Any], field: str) -> Any:
    return row["errors"] / row["count"] if field == "rate" else row[field]
