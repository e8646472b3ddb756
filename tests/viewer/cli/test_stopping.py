"""Signals that end a command, and arguments that are not text."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flightlog_viewer.cli import app
from flightlog_viewer.cli.stopping import stopping, undisturbed
from tests.viewer.span_lines import story

LONG = "SELECT max(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b"
"""A quarter of an hour: whoever stops the tests leaves nothing that runs for ever."""


@pytest.mark.uncounted
@pytest.mark.parametrize(
    "names",
    [
        ["SIGTERM"],
        pytest.param(["SIGHUP"], marks=pytest.mark.soak),
        ["SIGINT", "SIGINT"],
        pytest.param(["SIGINT", "SIGTERM"], marks=pytest.mark.soak),
    ],
    ids="-".join,
)
def test_a_command_that_is_told_to_end_cleans_up(tmp_path: Path, names: list[str]) -> None:
    """It ends with 128 and the first signal's number, one line, and no private copy left in the temporary folder."""
    source = story().write(tmp_path / "s.jsonl")
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(subprocess.run(["gzip", "-c", source], capture_output=True, check=True).stdout)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "flightlog", "sql", LONG, str(packed), "--no-cache"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            deadline = time.monotonic() + 60
            while not list(temporary.glob("*/*/*")) and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            for name in names:
                process.send_signal(getattr(signal, name))
                time.sleep(0.002)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (128 + getattr(signal, names[0]), "", "flightlog: stopped\n")
    assert list(temporary.iterdir()) == []


@pytest.mark.uncounted
@pytest.mark.slow
def test_a_query_that_does_not_listen_ends_when_told_again(tmp_path: Path) -> None:
    """In a function that never looks for Ctrl-C the first one changes nothing; one more ends the program at once."""
    deaf = "SELECT levenshtein(repeat('ab', 300000), repeat('ba', 300000))"
    process = subprocess.Popen(
        [sys.executable, "-m", "flightlog", "sql", deaf, str(story().write(tmp_path / "s.jsonl")), "--no-cache"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            time.sleep(3)
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(3)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "flightlog: stopped in the middle: the query did not listen\n")


def test_what_a_library_makes_of_the_interrupt_is_one_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the middle of an import comes out as another exception, and is Ctrl-C all the same."""

    def run(argv: list[str]) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("numpy is required") from None
        return 0

    monkeypatch.setattr(app, "_run", run)
    assert app.main([]) == 130
    assert capsys.readouterr().err == "flightlog: stopped\n"


def test_a_second_signal_is_heard_when_the_first_came_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after the first it leaves time to clean up, and is raised once that has passed."""
    monkeypatch.setattr("flightlog_viewer.cli.stopping._PATIENCE_S", 0.2)
    with stopping():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            time.sleep(20)


def test_a_second_signal_while_the_first_is_answered_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C again in the very moment in which "stopped" is written: Python would end itself by the signal."""

    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            signal.raise_signal(signal.SIGINT)
            return len(text)

    def run(argv: list[str]) -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    monkeypatch.setattr("flightlog_viewer.cli.stopping._PATIENCE_S", 0)
    monkeypatch.setattr(app, "_run", run)
    monkeypatch.setattr(sys, "stderr", Interrupted())
    assert app.main([]) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_being_started_is_known_before_it_is_ended(number: int) -> None:
    """A signal in the middle of a start is heard behind it; one that comes later is heard at once."""
    reached = []

    def start() -> None:
        with undisturbed():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            reached.append("the end of the block")

    def wait() -> None:
        with undisturbed():
            reached.append("another")
        os.kill(os.getpid(), number)
        time.sleep(1)
        reached.append("too far")

    for work in (start, wait):
        with stopping() as stopped:
            with pytest.raises(KeyboardInterrupt):
                work()
            assert stopped.status == 128 + number
    with undisturbed():  # nobody listens: the process is somebody else's
        reached.append("a third")
    assert reached == ["the end of the block", "another", "a third"]


def test_a_recording_that_is_just_being_started_ends_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C between the start of `demo`'s process and the moment at which its number is known."""
    begin, started = subprocess._fork_exec, []  # type: ignore[attr-defined]

    def begin_and_stop(*arguments: object) -> int:
        started.append(begin(*arguments))
        os.kill(os.getpid(), signal.SIGINT)
        return int(started[0])

    monkeypatch.setattr(subprocess, "_fork_exec", begin_and_stop)
    assert app.main(["demo", "--no-view", "-o", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "flightlog: stopped\n"
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_handlers_of_others_stay() -> None:
    """Inside another program its own handlers stay, and afterwards everything is as it was."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != before
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(
    "argv", [["sql", "select '\udcff'", "{}"], ["show", "\udcff", "{}"], ["traces", "--filter", "name:\udcff", "{}"]]
)
def test_an_argument_that_is_no_text(argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named in one sentence."""
    source = str(story().write(tmp_path / "s.jsonl"))
    assert app.main([part.format(source) for part in argv]) == 2
    assert capsys.readouterr().err.endswith("is not UTF-8\n")
