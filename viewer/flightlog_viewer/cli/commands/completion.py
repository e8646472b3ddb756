"""``flightlog completion``: a script for bash, zsh or fish that completes commands, options and files."""

from typing import Annotated, Any, Final

import typer

from flightlog.errors import UsageError
from flightlog_viewer.cli.output import lines

_BASH: Final = """\
_flightlog() {{
    local current=${{COMP_WORDS[COMP_CWORD]}}
    local words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
        if [[ "$current" != -* && ! ( "$COMP_CWORD" -eq 2 && "${{COMP_WORDS[1]}}" =~ ^(export|help)$ ) ]]; then
            COMPREPLY=($(compgen -f -- "$current"))
            return
        fi
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o filenames -F _flightlog flightlog"""
_ZSH: Final = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
autoload -U +X bashcompinit && bashcompinit
"""
"""Where nothing else has asked for completion, zsh has none to build on."""
_SHELLS: Final = ("bash", "zsh", "fish")


def completion(shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print a script that completes commands, options and files in your shell.

    \b
    Example:
      flightlog completion bash > ~/.local/share/bash-completion/completions/flightlog
      echo 'eval "$(flightlog completion zsh)"' >> ~/.zshrc
      flightlog completion fish > ~/.config/fish/completions/flightlog.fish
    """
    if shell not in _SHELLS:
        raise UsageError(f"no completion for {shell!r}: choose one of {', '.join(_SHELLS)}")
    words = _words()
    if shell == "fish":
        lines("\n".join(_fish(words)))
        return
    cases = "\n".join(f'            {name}) words="{" ".join(options)}" ;;' for name, options in words.items())
    script = _BASH.format(commands=" ".join(words), cases=cases)
    lines((_ZSH if shell == "zsh" else "") + script)


def _words() -> dict[str, list[str]]:
    """What may follow each command: its options, and the commands of those that have some."""
    from flightlog.__main__ import RUN_OPTIONS
    from flightlog_viewer.cli.app import load
    from flightlog_viewer.cli.registry import COMMANDS

    words: dict[str, list[str]] = {}
    for command in COMMANDS:
        if command.name == "run":
            words[command.name] = [*RUN_OPTIONS, "--help"]
            continue
        parsed = load(command)
        below = getattr(parsed, "commands", {})
        options = {option for one in (parsed, *below.values()) for option in _options(one)}
        words[command.name] = [*below, *sorted(options), "--help"]
    words["help"] = [*words, "filter"]
    return words


def _options(parsed: Any) -> list[str]:
    return [
        name
        for parameter in parsed.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name != "--output"
    ]


def _fish(words: dict[str, list[str]]) -> list[str]:
    script = [f"complete -c flightlog -n __fish_use_subcommand -f -a '{' '.join(words)}'"]
    for name, options in words.items():
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        for option in options:
            given = f"-l {option[2:]}" if option.startswith("--") else f"-f -a {option}"
            script.append(f"complete -c flightlog {seen} {given}")
    return script
