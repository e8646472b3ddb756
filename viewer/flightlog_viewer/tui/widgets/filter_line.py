"""The filter line: what is typed, how many rows it leaves, and a caret under what cannot be read."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.timer import Timer
from textual.widgets import Input, Static

from flightlog_viewer.tui.text import content, width_of

_PAUSE_S = 0.25
"""Typing applies the filter after this pause; Enter at once."""
_SQL = ":sql"


class FilterLine(Vertical):
    """One line, and a second one while there is an error.

    ``complete`` gives the fields that begin so; without it they are those of spans.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear filter", id="filter.clear"),
        Binding("down", "leave", "To the list", priority=True, id="filter.leave"),
    ]

    class Changed(Message):
        """Another filter is wanted."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The focus is to go back to the rows."""

    def __init__(
        self, placeholder: str, *, id: str | None = None, complete: Callable[[str], list[str]] | None = None
    ) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder
        self._complete = complete
        self._sent = ""
        self._count = ""
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(classes="filter-row"):
            yield Static("/ ", markup=False, classes="filter-mark")
            names = FieldNames(self._complete)
            yield Input(placeholder=self._placeholder, compact=True, suggester=names, select_on_focus=False)
            yield Static("", markup=False, classes="filter-count")
        error = Static("", markup=False, classes="filter-error")
        error.display = False
        yield error

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def focus_input(self) -> None:
        self.query_one(Input).focus()

    def set_text(self, text: str) -> None:
        """Write a filter into the line and apply it."""
        self.query_one(Input).value = text
        self._send()

    def set_count(self, text: str) -> None:
        """Say how many rows there are, behind the filter."""
        # It is said anew with every look at the files, and mostly as wide as before: that needs no layout.
        moves, self._count = width_of(text) != width_of(self._count), text
        self.query_one(".filter-count", Static).update(content(text), layout=moves)

    def show_error(self, message: str, position: int) -> None:
        """A caret under ``position``, then what is wrong there."""
        line = self.query_one(".filter-error", Static)
        line.update(content(" " * (2 + max(0, min(position, 200))) + "^ ", message))
        line.display = True

    def clear_error(self) -> None:
        self.query_one(".filter-error", Static).display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(_PAUSE_S, self._send)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._send()
        self.post_message(self.Left())

    def action_clear(self) -> None:
        self.query_one(Input).value = ""
        self._send()
        self.post_message(self.Left())

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def _send(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        if self.text != self._sent:
            self._sent = self.text
            self.post_message(self.Changed(self.text))


def without_sql(text: str) -> tuple[str, bool]:
    """The filter in a line, and whether ``:sql`` behind it asks for it in SQL; alone it asks for the one applied."""
    text = text.strip()
    if text == _SQL or text.endswith(f" {_SQL}"):
        return text.removesuffix(_SQL).strip(), True
    return text, False


class FieldNames(Suggester):
    """Completes the name of a field of the filter language."""

    def __init__(self, complete: Callable[[str], list[str]] | None) -> None:
        super().__init__(use_cache=True, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        from flightlog_viewer.analysis.filter_fields import complete

        start = value.rsplit(" ", 1)[-1].lstrip("(-")
        if not start or ":" in start:
            return None
        names = (self._complete or complete)(start)
        return f"{value[: len(value) - len(start)]}{names[0]}:" if names else None
