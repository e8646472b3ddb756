"""What was open lately: offered when there is nothing to open."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from textual.app import App

from flightlog_viewer.tui import state_file, themes
from flightlog_viewer.tui.screens.menus import Menu

MOST = 20
_NAME = "recent"


class Recent(NamedTuple):
    """The arguments of an earlier session, as absolute paths."""

    paths: list[str]
    checkpoints: list[str]

    @property
    def label(self) -> str:
        """One line for a list."""
        databases = f"  with {', '.join(self.checkpoints)}" if self.checkpoints else ""
        return f"{', '.join(self.paths) or 'no span file'}{databases}"


def load() -> list[Recent]:
    """The latest first; only what is still there."""
    found = []
    for row in state_file.load(_NAME):
        if isinstance(row, list) and len(row) == 2 and all(map(_is_texts, row)) and any(row):
            recent = Recent(*row)
            if all(os.path.exists(path) for path in (*recent.paths, *recent.checkpoints)):
                found.append(recent)
    return found[:MOST]


def remember(paths: Sequence[str], checkpoints: Sequence[str]) -> None:
    """Put what is open now at the top. URLs are left out: they may hold a password."""
    local = [os.path.abspath(target) for target in checkpoints if "://" not in target]
    now = Recent([os.path.abspath(path) for path in paths], local)
    if now.paths or now.checkpoints:
        with suppress(OSError):
            state_file.save(_NAME, [now, *(other for other in load() if other != now)][:MOST])


class RecentApp(App[Recent]):
    """A list to choose from; returns None when it is left."""

    CSS_PATH = "flightlog.tcss"

    def __init__(self, choices: Sequence[Recent], why: str) -> None:
        super().__init__()
        self._choices = {choice.label: choice for choice in choices}
        self._why = why
        themes.register(self)
        self.theme = themes.DEFAULT

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FALLBACK

    def on_mount(self) -> None:
        self.push_screen(
            Menu(f"{self._why}. Open again:", list(self._choices)),
            lambda label: self.exit(None if label is None else self._choices[label]),
        )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
