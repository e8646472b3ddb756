"""The editor of the SQL console: runs with Alt+Enter or Ctrl+R, completes tables and columns, walks the history."""

import re
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

_WORD = re.compile(r"[A-Za-z_][\w.]*$")
WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY ALL", "ORDER BY", "LIMIT", "count(*)", "quantile_cont(duration_ms, 0.95)",
    "FILTER", "HAVING", "DESC", "JOIN", "USING", "WITH", "DISTINCT", "interval",
)  # fmt: skip


class QueryEditor(TextArea):
    """A text area whose suggestions are names of this store."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+enter,ctrl+r", "run", "Run", id="sql.run", priority=True),
        Binding("alt+up", "history(-1)", "Earlier query", id="sql.earlier"),
        Binding("alt+down", "history(1)", "Later query", show=False, id="sql.later"),
        Binding("tab", "complete", "Complete", show=False, id="sql.complete"),
        Binding("escape", "leave", "To the rows", id="sql.leave"),
    ]

    class Run(Message):
        """The query is to be run."""

    class Left(Message):
        """The focus is to go to the rows."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id, show_line_numbers=False, compact=True, tab_behavior="focus", highlight_cursor_line=False
        )
        self.names: Sequence[str] = ()
        self.queries: list[str] = []
        self._at = 0

    def on_mount(self) -> None:
        self.cursor_blink = self.app.animation_level != "none"

    def update_suggestion(self) -> None:
        """Textual's hook: what Tab or Right would add."""
        row, column = self.cursor_location
        line = self.document.get_line(row)
        found = _WORD.search(line[:column])
        self.suggestion = ""
        if found is None or line[column:].strip():
            return
        start = found[0].lower()
        for name in (*self.names, *WORDS):
            if name.lower().startswith(start) and len(name) > len(start):
                self.suggestion = name[len(start) :]
                return

    def remember(self, history: list[str]) -> None:
        """What the history keys walk through."""
        self.queries = history
        self._at = len(history)

    def action_run(self) -> None:
        self.post_message(self.Run())

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_complete(self) -> None:
        if self.suggestion:
            self.insert(self.suggestion)
        else:
            self.post_message(self.Left())

    def action_history(self, step: int) -> None:
        at = max(0, min(len(self.queries), self._at + step))
        self._at = at
        self.text = self.queries[at] if at < len(self.queries) else ""
        self.move_cursor(self.document.end)
