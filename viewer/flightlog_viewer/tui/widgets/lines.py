"""The one-line widgets of the frame: tabs, status, banner, keys."""

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static, TextArea

from flightlog_viewer.tui.text import Part, content, width_of

MOST_KEYS = 7


class TabBar(Static):
    """Labels in a line, one of them active; a click chooses."""

    class Chosen(Message):
        """Another label was clicked."""

        def __init__(self, sender: "TabBar", index: int) -> None:
            super().__init__()
            self.sender = sender
            self.index = index

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(markup=False, id=id)
        self._labels = list(labels)
        self._active = 0

    @property
    def active(self) -> int:
        return self._active

    @active.setter
    def active(self, index: int) -> None:
        self._active = index
        self._show()

    def on_mount(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def set_labels(self, labels: Sequence[str]) -> None:
        """Other labels; the active one stays active where it is among them, else the first is."""
        was = self._labels[self._active]
        self._labels = list(labels)
        self.active = self._labels.index(was) if was in self._labels else 0

    @property
    def _shown(self) -> range:
        """The labels that are shown: where there is no room for all, those before the active one go first."""
        widths = [width_of(label) + 2 for label in self._labels]
        first = 0
        while first < self._active and sum(widths[first : self._active + 1]) > self.size.width > 0:
            first += 1
        return range(first, len(widths))

    def _show(self) -> None:
        parts: list[Part] = []
        for i in self._shown:
            # Brackets mark the active one where there are no colours.
            label = self._labels[i]
            parts.append((f"[{label}]", "bold reverse") if i == self._active else f" {label} ")
        self.update(content(*parts), layout=False)

    def on_click(self, event: events.Click) -> None:
        at = 0
        for i in self._shown:
            at += width_of(self._labels[i]) + 2
            if event.x < at:
                self.post_message(self.Chosen(self, i))
                return


class Banner(Static):
    """What went wrong, over the body until Esc."""

    def __init__(self) -> None:
        super().__init__(markup=False, id="banner")
        self.display = False

    def say(self, text: str) -> None:
        self.update(content(text, ("  Esc closes", "dim")))
        self.display = True

    def close(self) -> bool:
        """Hide it; False when it was hidden."""
        was, self.display = self.display, False
        return bool(was)


class KeyBar(Static):
    """The keys that matter where the focus is, at most seven."""

    def __init__(self) -> None:
        super().__init__(markup=False, id="keys")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.call_after_refresh(self._changed, self.screen)

    def on_resize(self) -> None:
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        if not self.is_attached or not screen.is_current:
            return
        typing = isinstance(screen.focused, Input | TextArea)
        shown: dict[str, tuple[str, str]] = {}
        helps: tuple[str, str] | None = None
        for active in screen.active_bindings.values():
            binding = active.binding
            if not binding.show or not active.enabled or binding.action in shown:
                continue
            name = self.app.get_key_display(binding)
            if typing and len(name) == 1 and name.isascii():
                continue  # it would be typed
            piece = (f" {name} ", f" {binding.description} ")
            if binding.id == "help":
                helps = piece
            else:
                shown[binding.action] = piece
        # Whatever else is cut off, the way to the other keys is not.
        parts: list[Part] = []
        room = self.size.width - (_width(helps) if helps else 0)
        for piece in list(shown.values())[: MOST_KEYS - bool(helps)]:
            room -= _width(piece)
            if room < 0:
                break
            parts += [(piece[0], "bold reverse"), piece[1]]
        if helps:
            parts += [(helps[0], "bold reverse"), helps[1]]
        # Its size is fixed: the focus moves often, and a layout of the whole screen each time would cost a paint.
        self.update(content(*parts), layout=False)


def _width(piece: tuple[str, str]) -> int:
    return width_of(piece[0]) + width_of(piece[1])
