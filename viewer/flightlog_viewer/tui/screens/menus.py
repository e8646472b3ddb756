"""Short lists to choose from: sort, copy, anything with a name."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flightlog_viewer.tui.screens.over import Over
from flightlog_viewer.tui.text import content


class Choices(OptionList):
    """What can be chosen. Where the list has no room, Textual's own way to its next page fails."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)


class Menu(Over, ModalScreen[str | None]):
    """Answers the label that was chosen, None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", id="menu.leave"),
        Binding("j", "down", "Down", show=False, id="menu.down"),
        Binding("k", "up", "Up", show=False, id="menu.up"),
    ]

    def __init__(self, title: str, labels: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._labels = list(labels)

    def compose(self) -> ComposeResult:
        with Vertical(id="menu"):
            yield Static(content((self._title, "bold")), markup=False)
            yield Choices(*(Option(content(label)) for label in self._labels), compact=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._labels[event.option_index])

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()
