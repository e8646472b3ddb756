"""The commands of the palette: every binding of the screen in front, so that nothing needs its key to be known."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.command import CommandList, CommandPalette
from textual.screen import Screen

from flightlog_viewer.tui.screens.over import Over


class Palette(Over, CommandPalette):
    """Textual's palette, in which a command is chosen once."""

    def _action_command_list(self, action: str) -> None:
        # Where the list has no room, Textual's own way to its next page fails.
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)


def commands(screen: Screen[Any]) -> Iterator[SystemCommand]:
    """One command a binding: its description, its key as the help, its action."""
    seen: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or not active.enabled or binding.description in seen or binding.id is None:
            continue
        seen.add(binding.description)
        key = screen.app.get_key_display(binding)
        yield SystemCommand(
            binding.description, f"key {key}", partial(screen.app.run_action, binding.action, active.node)
        )
