"""What stands between a failure and the user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flightlog.errors import UnreadableError
from flightlog_viewer.cli import app, registry
from flightlog_viewer.cli.registry import Command
from tests.viewer.span_lines import story


def fail(kind: str) -> None:
    """Fail in the way that is asked for."""
    raise {
        "known": UnreadableError("spans.jsonl is not a span file"),
        "unknown": RuntimeError("boom\x1b[2J"),
        "stop": KeyboardInterrupt(),
        "pipe": BrokenPipeError(),
    }[kind]


def status(code: int) -> int:
    """Return a status."""
    return code


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two commands of this module stand for any."""
    monkeypatch.setitem(sys.modules, "test_app_commands", sys.modules[__name__])
    mine = tuple(Command(name, "test_app_commands", name, "a test") for name in ("fail", "status"))
    monkeypatch.setattr(app, "COMMANDS", mine)
    monkeypatch.setattr(registry, "COMMANDS", mine)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_a_known_failure_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of our tree is its own message on stderr, status 2."""
    assert app.main(["fail", "known"]) == 2
    assert capsys.readouterr() == ("", "flightlog: spans.jsonl is not a span file\n")


def test_an_unknown_failure_names_its_log_and_shows_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Our own fault is one safe line with the path of a private log file that has the traceback."""
    assert app.main(["fail", "unknown"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    log = Path(shown.strip().rpartition(" in ")[2])
    assert log.is_relative_to(tmp_path)
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o77 == 0


def test_ctrl_c_and_a_closed_pipe_end_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is status 130, a reader that went away is no failure."""
    assert app.main(["fail", "stop"]) == 130
    assert app.main(["fail", "pipe"]) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["staus", "1"], "did you mean `flightlog status`"),
        (["status"], "flightlog: missing argument"),
        (["status", "x"], "valid integer"),
        (["status", "1", "--nonsense"], "--nonsense"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command or argument that does not exist is status 2 and one sentence with the way on."""
    assert app.main(argv) == 2
    shown = capsys.readouterr().err
    assert hint in shown
    assert shown.count("\n") == 1


def test_a_command_gives_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command returns is the exit status."""
    assert app.main(["status", "1"]) == 1
    assert app.main(["help", "status"]) == 0
    assert "Return a status." in capsys.readouterr().out
    assert app.main([]) == 0
    assert "a test" in capsys.readouterr().out


def test_a_program_that_ends_looks_for_garbage_rarely(tmp_path: Path) -> None:
    """`flightlog summary` does; `flightlog tail`, which may run for weeks, and whoever calls `main` do as ever."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, gc\n"
        "begun = gc.get_threshold()\n"
        "atexit.register(lambda: print('as ever' if gc.get_threshold() == begun else 'rarely'))\n"
    )
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    called = "from flightlog_viewer.cli.app import main; main(['summary', '--help'])"
    for arguments, looks in (
        (["-m", "flightlog", "summary", "--help"], "rarely"),
        (["-m", "flightlog", "tail", "--help"], "as ever"),
        (["-c", called], "as ever"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.stdout.splitlines()[-1] == looks, arguments


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("ulimit -v 300000", "flightlog: `ulimit -v` leaves a process 307 MB here: this takes more than 1,000"),
        # Nobody has room for such a stack: as if there were one thread too many.
        ("export STACK=70368744177664", "flightlog: no thread can be started: memory or processes are limited"),
    ],
    ids=["addresses", "threads"],
)
def test_a_limit_of_the_process_is_one_sentence(tmp_path: Path, limit: str, said: str) -> None:
    """Too little for the libraries, which end the process without a word, or for a thread; status 2."""
    path = story().write(tmp_path / "s.jsonl")
    program = (
        "import os, sys, threading; from flightlog_viewer.cli.app import main; "
        "threading.stack_size(int(os.environ.get('STACK', 0))); sys.exit(main(['summary', sys.argv[1]]))"
    )
    command = ["sh", "-c", f'{limit}; exec "$@"', "sh", sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr[: len(said)], done.stderr.count("\n")) == (2, said, 1)
