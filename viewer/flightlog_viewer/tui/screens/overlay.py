"""A document over everything else, until Esc or q."""

from abc import abstractmethod
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from flightlog_viewer.analysis.document import Document
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.screens.over import Over
from flightlog_viewer.tui.widgets.body import BodyView


class Overlay(Over, ModalScreen[None]):
    """One document to read, fold and search; a subclass says which."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", id="overlay.leave"),
        Binding("question_mark", "help", "Help", id="help"),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs

    @abstractmethod
    def document(self) -> Document:
        """What is shown."""

    def compose(self) -> ComposeResult:
        body = BodyView(id="overlay")
        body.glyphs = self.glyphs
        yield body

    def on_mount(self) -> None:
        body = self.query_one(BodyView)
        body.show_document(self.document())
        body.focus()
