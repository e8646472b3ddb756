"""What the terminal is left with: suspended, resized to nothing, ended, and where it has no colours."""

import os
import re
import shlex
import signal
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.terminal import Terminal

pytestmark = pytest.mark.uncounted

RESTORED = {"1049": "l", "25": "h", "1000": "l", "1002": "l", "1003": "l", "1004": "l", "1006": "l", "2004": "l"}


def modes(output: bytes | bytearray) -> dict[str, str]:
    """The last state of each private mode that was ever set."""
    found = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", output))
    return {number.decode(): state.decode() for number, state in found.items()}


def is_restored(output: bytes | bytearray) -> bool:
    """Whether the alternate screen, the mouse, the focus and paste reports are off and the cursor is there."""
    known = modes(output)
    return "1049" in known and all(RESTORED[number] == state for number, state in known.items() if number in RESTORED)


def wait_until_stopped(terminal: Terminal) -> bool:
    """Whether the program has been stopped, not ended, within ten seconds."""
    until = monotonic() + 10
    while monotonic() < until:
        terminal.read(0.05)
        done, status = os.waitpid(terminal.pid, os.WNOHANG | os.WUNTRACED)
        if done:
            return os.WIFSTOPPED(status)
    return False


def wait_for_end(terminal: Terminal) -> int:
    """The exit status. Raises AssertionError when it does not end within twenty seconds."""
    until = monotonic() + 20
    while monotonic() < until:
        terminal.read(0.05)
        done, status = os.waitpid(terminal.pid, os.WNOHANG)
        if done:
            terminal.pid = 0
            return os.waitstatus_to_exitcode(status)
    raise AssertionError("it goes on")


@pytest.mark.slow
def test_the_terminal_is_given_back(tmp_path: Path, home: Path) -> None:
    """Ctrl+Z leaves a terminal to work in and fg draws anew, SIGSTOP and a size of nothing do no harm, SIGTERM ends it.

    All of it without one colour, because terminfo knows none for this terminal, in ASCII, because its encoding has no
    lines to draw with, as large as it is, whatever COLUMNS says, and with stderr in a file, which gets no picture.
    """
    spans, errors = support_file(tmp_path / "s.jsonl", 3), tmp_path / "errors.log"
    line = shlex.join([sys.executable, "-m", "flightlog", "view", str(spans), "--no-cache"])
    shell = ["sh", "-c", f"unset COLORTERM; exec {line} 2>{shlex.quote(str(errors))}"]
    odd = {"TERM": "vt100", "PYTHONIOENCODING": "latin-1", "COLUMNS": "200", "LINES": "60"}
    with Terminal(shell, env={**odd, "HOME": str(home)}) as terminal:
        terminal.wait_for("3 traces")
        assert not is_restored(terminal.output)
        terminal.send("\x1a")
        assert wait_until_stopped(terminal)
        assert is_restored(terminal.output)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.settle(sure=True)
        assert not is_restored(terminal.output)
        os.kill(terminal.pid, signal.SIGSTOP)
        assert wait_until_stopped(terminal)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.settle(sure=True)
        terminal.resize(1, 1)
        terminal.settle()
        terminal.resize(80, 24)
        terminal.settle(sure=True)
        assert "3 traces" in terminal.text()
        assert terminal.output.isascii()
        assert rb"\u" not in terminal.output
        assert not re.search(rb"\x1b\[[0-9;]*(?<![0-9])(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]", terminal.output)
        os.kill(terminal.pid, signal.SIGTERM)
        assert wait_for_end(terminal) == 128 + signal.SIGTERM
        assert is_restored(terminal.output)
        assert errors.read_text() == "flightlog: stopped\n"


@pytest.mark.uncounted
@pytest.mark.slow
def test_bytes_that_are_no_text_are_no_keys(tmp_path: Path, home: Path) -> None:
    """A terminal of another encoding, or an old one's mouse far to the right, ends nothing: the next key is taken."""
    command = [sys.executable, "-m", "flightlog", "view", str(support_file(tmp_path / "s.jsonl", 3)), "--no-cache"]
    with Terminal(command, env={"HOME": str(home)}) as terminal:
        terminal.wait_for("3 traces")
        terminal.send(b"\xff\x9b\xe9")
        terminal.settle(sure=True)
        terminal.send("/zzz\r")
        terminal.wait_for("zzz")
        assert b"Traceback" not in terminal.output
        os.kill(terminal.pid, signal.SIGTERM)
        assert wait_for_end(terminal) == 128 + signal.SIGTERM
        assert is_restored(terminal.output)
