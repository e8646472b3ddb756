"""Which commands there are, and the module that holds each: nothing is imported until its command is given.

A command is a plain function with typer annotations (or a ``typer.Typer`` when it has commands of its own, like
``export``), that returns its exit status or None for 0. Its docstring is its help and ends with an example.
"""

from typing import Final, NamedTuple


class Command(NamedTuple):
    """One command of ``flightlog``."""

    name: str
    module: str
    function: str
    """Attribute of the module: the function, or the Typer application."""
    summary: str
    """Its line in ``flightlog --help``."""


_CLI: Final = "flightlog_viewer.cli."

COMMANDS: Final[tuple[Command, ...]] = ()


def find(name: str) -> Command | None:
    """The command of that name, or None."""
    return next((command for command in COMMANDS if command.name == name), None)
