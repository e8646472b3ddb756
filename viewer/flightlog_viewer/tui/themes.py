"""Colours: a dark and a light theme in the Okabe-Ito hues, which people with colour-blindness tell apart."""

from typing import TYPE_CHECKING, Any, Final

from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

DEFAULT: Final = "flightlog-dark"
_DARK: Final = Theme(
    name=DEFAULT,
    primary="#56B4E9",
    secondary="#CC79A7",
    warning="#E69F00",
    error="#FF7A45",
    success="#2BC49A",
    accent="#F0E442",
    foreground="#E6E6E6",
    background="#101418",
    surface="#161B21",
    panel="#1F262E",
    dark=True,
    variables={"row-cursor": "#24506B", "row-blurred": "#27313B", "quiet": "#9AA5B1", "bar": "#6C7A89"},
)
_LIGHT: Final = Theme(
    name="flightlog-light",
    primary="#0072B2",
    secondary="#9C4A7C",
    warning="#8A5A00",
    error="#B33C00",
    success="#00694C",
    accent="#6B5D00",
    foreground="#1A1A1A",
    background="#FBFBF8",
    surface="#F2F2EE",
    panel="#E4E4DE",
    dark=False,
    variables={"row-cursor": "#BBDDF2", "row-blurred": "#DDDDD6", "quiet": "#5A5F66", "bar": "#8C949C"},
)


FALLBACK: Final = {
    "row-cursor": "ansi_blue",
    "row-blurred": "ansi_bright_black",
    "quiet": "ansi_default",
    "bar": "ansi_default",
}
"""For Textual's own themes, which know nothing of these variables."""


def register(app: "App[Any]") -> None:
    """Make both known to the application."""
    app.register_theme(_DARK)
    app.register_theme(_LIGHT)
