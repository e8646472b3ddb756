"""Screen 6: the tables, an editor, the result as a grid."""

import csv
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static, Tree
from textual_fastdatatable import ArrowBackend, DataTable

from flightlog.errors import FlightlogError
from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.cell_text import unique_names
from flightlog_viewer.tui import sql_history
from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.screens.view import TraceOpened, View
from flightlog_viewer.tui.text import clean, content, label
from flightlog_viewer.tui.widgets.grid import Grid
from flightlog_viewer.tui.widgets.query_editor import QueryEditor

MOST_ROWS = 500
_CELL = 300
_FIRST = (
    "SELECT name, type, count(*) AS n, quantile_cont(duration_ms, 0.95) AS p95_ms\n"
    "FROM spans GROUP BY ALL ORDER BY n DESC, name"
)


class Answer(NamedTuple):
    """The first rows of a result."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool


class Holder(Vertical, can_focus=True):
    """Where the result goes; before there is one, the place outside the editor where keys are not text."""


class SqlView(View):
    """Schema on the left where there is room, editor above the grid."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash,i", "edit", "Edit query", id="sql.edit"),
        Binding("ctrl+r", "run", "Run", id="sql.run_again"),
        Binding("X", "export", "Export", id="sql.export"),
        Binding("ctrl+g", "cancel", "Cancel", show=False, id="sql.cancel"),
    ]

    def __init__(self) -> None:
        super().__init__(id="sql")
        self._answer = Answer([], [], False)
        self._query = ""

    def compose(self) -> ComposeResult:
        tables: Tree[str] = Tree("tables", id="schema")
        tables.show_root = False
        with Horizontal():
            yield tables
            with Vertical():
                yield QueryEditor(id="editor")
                yield Static("", markup=False, id="sql-note")
                yield Holder(id="grid")

    @property
    def editor(self) -> QueryEditor:
        return self.query_one("#editor", QueryEditor)

    def on_mount(self) -> None:
        self.editor.remember(sql_history.load())
        self.editor.text = self.editor.queries[-1] if self.editor.queries else _FIRST
        self._say("Alt+Enter or Ctrl+R runs; Esc leaves the editor")
        self.data_changed(appended=False)

    def shown(self) -> None:
        # Whoever comes back to rows goes on in them; a key would be typed into the query otherwise.
        grid = self.query(DataTable)
        (grid.first() if grid else self.editor).focus()

    def data_changed(self, *, appended: bool) -> None:
        if self.session.loaded and not appended:
            self.ask("schema", self.session.cursors.tables, self._show_schema)

    def _show_schema(self, tables: dict[str, list[tuple[str, str]]]) -> None:
        tree = self.query_one("#schema", Tree)
        tree.clear()
        names: dict[str, None] = {}
        for table, columns in tables.items():
            names[table] = None
            branch = tree.root.add(label(table))
            for name, kind in columns:
                names[name] = None
                branch.add_leaf(label(f"{name}  {kind.lower()[:24]}"), data=name)
        self.editor.names = list(names)

    def _say(self, text: str, style: str = "dim") -> None:
        self.query_one("#sql-note", Static).update(content((text, style)))

    def ask_sql(self, query: str) -> None:
        """Run a query as if it had been typed."""
        self.editor.text = query
        self.action_run()

    def on_query_editor_run(self, event: QueryEditor.Run) -> None:
        event.stop()
        self.action_run()

    def on_query_editor_left(self, event: QueryEditor.Left) -> None:
        event.stop()
        grid = self.query(DataTable)
        (grid.first() if grid else self.query_one("#grid", Holder)).focus()

    def action_edit(self) -> None:
        self.editor.focus()

    def action_cancel(self) -> None:
        self.session.cursors.interrupt("sql")

    def action_run(self) -> None:
        query = self.editor.text.strip()
        if not query:
            return
        if not self.session.loaded:
            self._say("the files are still being loaded", "bold $warning")
            return
        self._query = query
        self.editor.remember(sql_history.add(query))
        self._say("running; Esc or Ctrl+G cancels")
        session = self.session

        def work() -> Answer:
            columns, rows = session.cursors.sql(query, MOST_ROWS + 1)
            return Answer(columns, rows[:MOST_ROWS], len(rows) > MOST_ROWS)

        self.ask("sql", work, self._show)

    def asked_failed(self, topic: str, error: Exception) -> bool:
        if topic != "sql" or not isinstance(error, FlightlogError):
            return False
        before = "; the rows are those of the query before" if self._answer.columns else ""
        self._say(f"{error}{before}", "bold $error")
        return True

    async def _show(self, answer: Answer) -> None:
        self._answer = answer
        holder = self.query_one("#grid", Holder)
        await holder.remove_children()
        if not answer.columns:
            self._say("no columns")
            return
        import pyarrow as pa

        cells = [pa.array([show_value(row[i]) for row in answer.rows], pa.string()) for i in range(len(answer.columns))]
        # Arrow refuses two columns of one name, SQL does not.
        table = pa.table(cells, names=unique_names([clean(name) for name in answer.columns]))
        grid = Grid(backend=ArrowBackend(table), render_markup=False, max_column_content_width=60, zebra_stripes=True)
        await holder.mount(grid)
        shown = (
            f"{len(answer.rows):,} shown, more exist: LIMIT and ORDER BY say which"
            if answer.more
            else units.plural(len(answer.rows), "row")
        )
        self._say(shown, "bold $warning" if answer.more else "dim")
        grid.focus()

    def on_data_table_cell_selected(self, event: DataTable.CellSelected) -> None:
        event.stop()
        at = event.coordinate
        name, row = self._answer.columns[at.column], self._answer.rows[at.row]
        value = row[at.column]
        if name == "trace_id" and isinstance(value, str):
            self.post_message(TraceOpened(value))
        elif name == "thread_id" and isinstance(value, str):
            self.viewer.open_thread(value)
        elif name in ("run_id", "row_id", "parent_run_id") and value is not None:
            session = self.session
            self.ask("jump", lambda: session.spans.find_span(name, value), self._jump)
        else:
            from flightlog_viewer.tui.screens.cell import CellScreen

            self.viewer.push_screen(CellScreen(name, value, self.glyphs))

    def _jump(self, found: tuple[str, int] | None) -> None:
        if found is None:
            self.notify("no span has this id", markup=False)
        else:
            self.post_message(TraceOpened(*found))

    def back(self) -> bool:
        if any(worker.group == f"{self.id}.sql" and worker.is_running for worker in self.workers):
            self.action_cancel()
            return True
        return False

    def copy_choices(self) -> list[CopyChoice]:
        choices = [CopyChoice("query", lambda: self.editor.text)]
        if self._answer.rows:
            shown = f"the {MOST_ROWS} rows shown" if self._answer.more else "rows"
            choices.append(CopyChoice(f"{shown} as JSON", self.body_text))
            grid = self.query(DataTable)
            at = grid.first().cursor_coordinate if grid else None
            if at is not None and at.row < len(self._answer.rows):
                choices.insert(0, CopyChoice("cell", lambda: as_text(self._answer.rows[at.row][at.column])))
        return choices

    def body_text(self) -> str:
        return _json(self._answer.columns, self._answer.rows)

    def action_export(self) -> None:
        if not self._query:
            self.notify("run a query first", markup=False)
            return
        from flightlog_viewer.tui.screens.ask_line import AskLine

        self.viewer.push_screen(AskLine("Export all rows to (.csv, .json)", "result.csv"), self._export)

    def _export(self, name: str | None) -> None:
        if not name:
            return
        query, session, path = self._query, self.session, Path(name).expanduser()
        self.ask("export", lambda: export(path, *session.cursors.sql(query, None)), self._exported)

    def _exported(self, said: str) -> None:
        self.notify(said, markup=False, timeout=8)


def show_value(value: Any) -> str | None:
    """A value in a cell of the grid."""
    if value is None:
        return None
    text = value if isinstance(value, str) else f"{value:.3f}" if isinstance(value, float) else str(value)
    return clean(text[:_CELL]) + ("…" if len(text) > _CELL else "")


def _json(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """Rows as JSON objects."""
    names = unique_names(columns)
    return as_text([dict(zip(names, row, strict=True)) for row in rows])


def export(path: Path, columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """Write rows as CSV or JSON; refuses to overwrite."""
    from flightlog_viewer.analysis.cell_text import csv_cell

    try:
        with path.open("x", encoding="utf-8", errors="replace", newline="") as file:
            if path.suffix == ".json":
                file.write(_json(columns, rows) + "\n")
            else:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([csv_cell(name) for name in columns])
                writer.writerows([csv_cell(value) for value in row] for row in rows)
    except FileExistsError:
        return f"{path} exists already: choose another name"
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return f"{units.plural(len(rows), 'row')} written to {path}"
