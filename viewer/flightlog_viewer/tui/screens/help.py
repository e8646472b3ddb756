"""Help, made from the bindings themselves: what works here, first; then the marks."""

from collections.abc import Iterable

from textual.app import App
from textual.binding import ActiveBinding, Binding
from textual.screen import ModalScreen, Screen

from flightlog_viewer.analysis.document import Block, Document, gap, heading
from flightlog_viewer.tui import keymap
from flightlog_viewer.tui.glyphs import TYPE_LETTERS, Glyphs
from flightlog_viewer.tui.screens.overlay import Overlay
from flightlog_viewer.tui.widgets.virtual import VirtualRows

_MOVING = frozenset(binding.id for binding in VirtualRows.BINDINGS if isinstance(binding, Binding))


class HelpScreen(Overlay):
    """Every key that works in the screen it was called from."""

    def __init__(self, bindings: Iterable[ActiveBinding], screen_name: str, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._keys = list(bindings)
        self._screen_name = screen_name

    def action_help(self) -> None:
        """The key that led here leads back."""
        self.dismiss()

    def document(self) -> Document:
        return Document(self._blocks())

    def _blocks(self) -> list[Block]:
        sections: dict[str, dict[str, tuple[str, list[str]]]] = {
            f"Keys of the {self._screen_name} screen": {},
            "Keys of every list, tree and text": {},
            "Keys everywhere": {},
        }
        own, moving, everywhere = sections.values()
        for active in self._keys:
            binding = active.binding
            if binding.description and binding.id:
                is_shared = isinstance(active.node, Screen | App) and not isinstance(active.node, ModalScreen)
                section = moving if binding.id in _MOVING else everywhere if is_shared else own
                shown = self.app.get_key_display(binding)
                section.setdefault(binding.id, (binding.description, []))[1].append(shown)
        found = [key for section in sections.values() for key in section.values()]
        width = max((len(" ".join(names)) for _, names in found), default=0)
        column = max((len(description) for description, _ in found), default=0)
        blocks: list[Block] = []
        for name, section in sections.items():
            if not section:
                continue
            blocks += [heading(name), gap()]
            for binding_id, (description, names) in section.items():
                text = f"{description.ljust(column)}   {binding_id}"
                blocks.append(Block(text, "", " ".join(names).ljust(width)))
            blocks.append(gap())
        said = f"the names on the right are for {keymap.shown_path()}, which gives them other keys"
        blocks.append(Block(said, "dim"))
        blocks += [gap(), heading("Marks"), gap()]
        blocks += [Block(status.replace("_", " "), "", mark) for status, mark in self.glyphs.status.items()]
        blocks += [gap(), heading("Letters of spans"), gap()]
        blocks += [Block(name, "", mark) for name, mark in TYPE_LETTERS.items() if name != "chain"]
        return blocks
