"""Help, made from the bindings themselves: what works here, first; then the marks."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import ModalScreen

from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.tui import keymap
from flightlog_viewer.tui.faults import Guarded
from flightlog_viewer.tui.glyphs import TYPE_LETTERS, Glyphs
from flightlog_viewer.tui.widgets.body import BodyView


class HelpScreen(Guarded, ModalScreen[None]):
    """Every key that works in the screen it was called from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Back", id="help.leave")]

    def __init__(self, bindings: Iterable[ActiveBinding], screen_name: str, glyphs: Glyphs) -> None:
        super().__init__()
        self._keys = list(bindings)
        self._screen_name = screen_name
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        body = BodyView(id="help")
        body.glyphs = self._glyphs
        yield body

    def on_mount(self) -> None:
        body = self.query_one(BodyView)
        body.show_document(Document(self._blocks()))
        body.focus()

    def _blocks(self) -> list[Block]:
        keys: dict[tuple[str, str], list[str]] = {}
        for active in self._keys:
            binding = active.binding
            if binding.description and binding.id:
                shown = self.app.get_key_display(binding)
                keys.setdefault((binding.description, binding.id), []).append(shown)
        blocks = [heading(f"Keys of the {self._screen_name} screen"), gap()]
        width = max((len(" ".join(names)) for names in keys.values()), default=0)
        for (description, name), names in keys.items():
            blocks.append(Block(f"{description}   ({name})", "", " ".join(names).ljust(width)))
        blocks += [
            gap(),
            Block(f"the names in brackets are binding ids: {keymap.shown_path()} gives them other keys", "dim"),
        ]
        blocks += [gap(), heading("Marks"), gap()]
        blocks += [Block(status.replace("_", " "), "", mark) for status, mark in self._glyphs.status.items()]
        blocks += [gap(), heading("Letters of spans"), gap()]
        blocks += [Block(name, "", mark) for name, mark in TYPE_LETTERS.items() if name != "chain"]
        return blocks
