"""The help of each command, written from its arguments: usage, what it does, arguments, options, examples."""

import textwrap
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import Any, Final

from typer import Typer
from typer.core import TyperCommand, TyperGroup

_WIDEST: Final = 100
_NAMES_WIDEST: Final = 26
"""An option that is longer has its text below."""
_EXAMPLE: Final = "Example:"


def application(help: str | None = None) -> Typer:
    """An application of typer's without what is ours: its completion, its tracebacks, its markup."""
    return Typer(
        cls=HelpfulGroup,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=help,
    )


class HelpfulCommand(TyperCommand):
    """A command whose ``--help`` is ``page``."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(page(self, ctx))


class HelpfulGroup(TyperGroup):
    """A command with commands of its own, likewise."""

    command_class = HelpfulCommand

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page, with the commands."""
        formatter.write(page(self, ctx))


def page(command: Any, ctx: Any) -> str:
    """The help text of a parsed command. Nothing in it depends on how a version of typer draws."""
    width = min(_WIDEST, get_terminal_size().columns)
    text, _, examples = (command.help or "").replace("\b\n", "").partition(_EXAMPLE)
    commands = getattr(command, "commands", {})
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.get_params(ctx) if parameter.param_type_name == "option"]
    usage = [_argument(parameter, in_usage=True) for parameter in arguments]
    usage += [f"{parameter.opts[0]} {parameter.metavar}" for parameter in options if parameter.required]
    usage += ["COMMAND [ARGUMENTS]"] if commands else ["[OPTIONS]"]
    parts = [
        [" ".join(["usage:", ctx.command_path, *usage])],
        [textwrap.fill(" ".join(block.split()), width) for block in text.strip().split("\n\n")],
        _listed([(name, sub.get_short_help_str(200)) for name, sub in commands.items()], width),
        _listed([(_argument(parameter), parameter.help or "") for parameter in arguments], width),
        _listed([_option(parameter) for parameter in options], width),
        [f"  {line.strip()}" for line in examples.strip().split("\n")] if examples else [],
    ]
    titles = ["", "", "commands:", "arguments:", "options:", "example:" if len(parts[-1]) == 1 else "examples:"]
    shown = [[title, *part] if title else part for title, part in zip(titles, parts, strict=True) if part]
    return "\n\n".join("\n".join(part) if part is not parts[1] else "\n\n".join(part) for part in shown) + "\n"


def _argument(parameter: Any, *, in_usage: bool = False) -> str:
    name = str(parameter.metavar or parameter.name.rstrip("_")).upper().rstrip(".")
    if not in_usage:
        return name
    name = f"{name}..." if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> tuple[str, str]:
    # The shortest name and the first long one; others are there for who is used to them.
    names = sorted(parameter.opts, key=lambda name: name.startswith("--"))
    shown = ", ".join(names[:2] if names[0].startswith("-") and not names[0].startswith("--") else names[:1])
    text = parameter.help or ""
    if parameter.is_flag:
        if parameter.secondary_opts:
            shown += f", {parameter.secondary_opts[0]}"
        return shown, text
    shown += f" {parameter.metavar or str(parameter.name).upper()}"
    default = parameter.default if parameter.show_default is True else None
    if default not in (None, "", []) and not callable(default) and "efault" not in text:
        text = f"{text} Default: {default:g}." if isinstance(default, float) else f"{text} Default: {default}."
    return shown, text


def _listed(entries: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Names beside their texts, which are wrapped in a column of their own."""
    column = max((len(name) for name, _ in entries if len(name) <= _NAMES_WIDEST), default=0)
    return [line for name, text in entries for line in _entry(name, text, column, width)]


def _entry(name: str, text: str, column: int, width: int) -> Iterator[str]:
    lines = textwrap.wrap(text, max(20, width - column - 4)) or [""]
    if len(name) > column:
        yield f"  {name}"
    else:
        yield f"  {name:<{column}}  {lines.pop(0)}".rstrip()
    for line in lines:
        yield f"  {'':<{column}}  {line}"
