"""What `flightlog demo` tells to do next."""

import sys
from pathlib import Path

import pytest

from flightlog_viewer.cli.commands.demo import program


def test_the_next_command_can_be_typed_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program goes by its name where the PATH has it, else by its path, as after `make demo`."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    installed = tmp_path / ".venv" / "bin" / "flightlog"
    installed.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == ".venv/bin/flightlog"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program() == "flightlog"
    monkeypatch.setattr(sys, "argv", ["/somewhere/flightlog/__main__.py", "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == "flightlog"
