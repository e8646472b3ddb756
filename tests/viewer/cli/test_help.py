"""The help of the program and of each of its commands, and what completes them."""

import subprocess
from pathlib import Path

import pytest

from flightlog_viewer.cli.app import main
from flightlog_viewer.cli.registry import COMMANDS

_NAMES = [command.name for command in COMMANDS if command.name != "run"]


@pytest.mark.parametrize("name", [*_NAMES, "export otlp", "export otlp-json", "export parquet", "export perfetto"])
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage, arguments and options without the names of types, an example, and nothing wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "72")
    assert main([*name.split(), "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"usage: flightlog {name}")
    assert "<" not in page
    assert "[required]" not in page
    text, _, examples = page.partition("\nexample")
    assert f"flightlog {name}" in examples
    wide = [line for line in text.splitlines()[1:] if len(line) > 72]
    assert not wide


def test_help_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """All commands are listed under headings, also without an argument."""
    assert main([]) == 0
    page = capsys.readouterr().out
    assert [name for name in ["run", *_NAMES] if f"\n  {name} " not in page] == []
    assert main(["help", "filter"]) == 0
    assert "field:value" in capsys.readouterr().out


def completions(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    command = f'. {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _flightlog; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=script.parent)
    return done.stdout.split()


def test_completion_in_bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, commands of commands, options and files are completed."""
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "flightlog.bash"
    script.write_text(capsys.readouterr().out)
    assert completions(script, "flightlog", "su") == ["summary"]
    assert completions(script, "flightlog", "export", "ot") == ["otlp", "otlp-json"]
    assert "--min-duration" in completions(script, "flightlog", "traces", "--")
    assert completions(script, "flightlog", "run", "--a") == ["--always-keep"]
    assert completions(script, "flightlog", "view", "fl") == ["flightlog.bash"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_elsewhere(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """zsh and fish get a script with the same words; another shell is refused."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "summary" in script
    assert "min-duration" in script
    assert (shell == "zsh") == ("compinit -i" in script)  # without it zsh has no `compdef`, on which `complete` builds
    assert main(["completion", "tcsh"]) == 2


# `demo` starts a process: in small, with one of the names.
@pytest.mark.parametrize(
    ("command", "option"),
    [
        pytest.param(command, option, marks=[pytest.mark.soak] if command[0] == "demo" and option != "--output" else [])
        for command in (
            ["demo", "--list"],
            ["export", "parquet", "no.jsonl"],
            ["report", "no.jsonl"],
            ["import", "no.jsonl"],
        )
        for option in ("-o", "--out", "--output")
    ],
)
def test_the_place_to_write_to(
    command: list[str], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in the same way to every command."""
    main([*command, option, str(tmp_path / "out")])
    assert "no such option" not in capsys.readouterr().err
