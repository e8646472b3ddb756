"""Code that lies beside the data is not ours: what commands start runs none of it."""

import shlex
import subprocess
from pathlib import Path

import pytest

from flightlog_viewer.cli.app import main
from flightlog_viewer.tui import serving


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with modules that are called like some of Python's and of ours."""
    for name in ("argparse", "calendar", "random", "rich", "flightlog", "flightlog_samples"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the folder was run')")
    monkeypatch.chdir(tmp_path)


def test_the_process_of_demo(capfd: pytest.CaptureFixture[str]) -> None:
    """`flightlog demo` runs its samples in a process of their own."""
    assert main(["demo", "--list"]) == 0
    out, err = capfd.readouterr()
    assert "persistence" in out
    assert err == ""


def test_the_process_of_each_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """`flightlog view --serve` starts a viewer for every page that is opened."""
    commands: list[str] = []

    def serve(server: serving.GuardedServer) -> None:
        server.socket.close()
        commands.append(server.command)

    monkeypatch.setattr(serving.GuardedServer, "serve", serve)
    serving.serve(["--help"], 0)
    done = subprocess.run(shlex.split(commands[0]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
