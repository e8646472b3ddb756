"""The whole way of an on-call engineer, in a real tmux."""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.viewer.tui.recordings import support_file, support_trace
from tests.viewer.tui.threads import checkpoint_file

pytestmark = [
    pytest.mark.uncounted,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


class Tmux:
    """A server of the test's own, with one window."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "tmux"

    def run(self, *arguments: str) -> str:
        """One tmux command."""
        command = ["tmux", "-S", str(self.socket), "-f", os.devnull, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    def start(self, command: list[str], home: Path, size: tuple[int, int]) -> None:
        """Open the window."""
        line = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", f"HOME={home}", *command])
        self.run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), f"{line}; exec sleep 60")
        self.run("set", "-g", "set-clipboard", "on")
        self.run("set", "-g", "escape-time", "10")

    def keys(self, *keys: str) -> None:
        """Type, with names of keys as tmux knows them."""
        for key in keys:
            self.run("send-keys", key)
            sleep(0.15)

    def screen(self) -> str:
        """What the window shows."""
        return self.run("capture-pane", "-p")

    def until(self, text: str, longest: float = 40.0) -> str:
        """Wait for a text on the screen."""
        end = monotonic() + longest
        while monotonic() < end:
            shown = self.screen()
            if text in shown:
                return shown
            sleep(0.1)
        raise AssertionError(f"{text!r} did not appear:\n{self.screen()}")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A tmux server that ends with the test."""
    server = Tmux(tmp_path)
    yield server
    subprocess.run(["tmux", "-S", str(server.socket), "kill-server"], check=False, capture_output=True, timeout=20)


@pytest.mark.slow
def test_from_the_alarm_to_the_answer(tmux: Tmux, tmp_path: Path, home: Path) -> None:
    """Filter, open, find the error, read the prompt, step the thread, copy the snippet, survive a resize and a kill."""
    spans = support_file(tmp_path / "support.jsonl", 12, failing=(7,))
    database = checkpoint_file(tmp_path / "checkpoints.sqlite")
    command = [sys.executable, "-m", "flightlog", "view", str(spans), "--checkpoints", str(database), "--no-cache"]
    tmux.start(command, home, (120, 40))
    tmux.until("12 traces")
    tmux.keys("/", "status:error", "Enter")
    tmux.until("1 of 12")
    tmux.keys("Enter")
    tmux.until("G support")
    tmux.keys("e")
    tmux.until("ValueError: no such order")
    tmux.keys("g", "j", "j")
    tmux.until("Where is my order?")
    tmux.keys("3")
    tmux.until("3 threads")
    tmux.keys("j", "Enter", "[")
    tmux.until("step in, 1 of 2")
    tmux.keys("4")
    tmux.until("has waited")
    tmux.keys("y")
    tmux.until("snippet: resume")
    tmux.keys("Enter")
    tmux.until("OSC 52")
    assert tmux.run("show-buffer").startswith("graph.invoke(Command(resume={'int-1': ...})")

    tmux.keys("1", "Escape", "F")
    tmux.until("LIVE")
    tmux.run("resize-window", "-x", "40", "-y", "10")
    with spans.open("ab") as file:
        file.write(b"".join(span.to_json() + b"\n" for span in reversed(support_trace(50))))
    tmux.until("12:08:20")
    tmux.run("resize-window", "-x", "120", "-y", "40")
    tmux.until("13 traces")
    assert "Traceback" not in tmux.screen()

    (pane,) = tmux.run("list-panes", "-F", "#{pane_pid}").split()
    children = Path(f"/proc/{pane}/task/{pane}/children")
    if children.exists():
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    tmux.run(
        "respawn-pane",
        "-k",
        shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", f"HOME={home}", *command])
        + "; echo left with $?; exec sleep 60",
    )
    tmux.until("13 traces")
    tmux.keys("q")
    tmux.until("left with 0")


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGHUP, signal.SIGTERM], ids=["hung-up", "silent"])
def test_a_viewer_whose_terminal_is_gone_ends(tmp_path: Path, home: Path, told: signal.Signals) -> None:
    """As by SIGHUP, so where nobody sends that, as under nohup: it ends and complains of nothing."""
    spans = support_file(tmp_path / "support.jsonl", 3, failing=())
    ours, its = os.openpty()
    command = [sys.executable, "-m", "flightlog", "view", str(spans), "--no-cache"]
    environment = {**os.environ, "HOME": str(home), "TERM": "xterm-256color"}
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen(
            command,
            stdin=its,
            stdout=its,
            stderr=errors,
            start_new_session=True,
            env=environment,
            # Only to the session that it controls does a terminal send SIGHUP.
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if told is signal.SIGHUP else None,
        ) as viewer,
    ):
        os.close(its)
        try:
            shown = b""
            while b"3 traces" not in shown:
                shown += os.read(ours, 65_536)
            os.close(ours)
            assert viewer.wait(timeout=60) in (128 + told, -told)
            assert (tmp_path / "errors").read_text() in ("", "flightlog: stopped\n")
        finally:
            viewer.kill()
