"""tail on files that grow."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flightlog.writing.span_file import SpanFile
from flightlog_viewer.cli.app import main
from flightlog_viewer.cli.commands import tail
from flightlog_viewer.store import store
from tests.viewer.span_lines import SpanLines, story


def test_the_last_spans_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The spans that ended last, latest at the bottom, with status, duration, tokens and why."""
    source = str(story().write(tmp_path / "s.jsonl"))
    assert main(["tail", source, "--no-follow", "-n", "3"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in shown][-1] == "ok"
    assert "12:01:00.500" in shown[-1]
    assert "trace broot" in shown[-1]
    assert "? interrupted" in shown[-2]
    assert main(["tail", source, "--no-follow", "--filter", "status:error", "--tz", "Asia/Tokyo", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["run_id"] for row in rows] == ["o1", "n2"]


@pytest.fixture
def following(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`tail` on a folder whose only file is empty at first."""
    (tmp_path / "s.jsonl").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "flightlog", "tail", str(tmp_path), "--filter", "-type:tool"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_an_empty_file_is_waited_for_and_followed(following: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """Spans show as they are written, a line in pieces once it is whole, after a rotation and in a new file too."""
    lines = SpanLines().add("first", None, 0).add("second", None, 5).add("hidden", None, 6, type="tool").lines
    assert following.stderr is not None
    assert following.stderr.readline() == f"flightlog: waiting for spans in {tmp_path / 's.jsonl'}\n"
    with (tmp_path / "s.jsonl").open("ab", buffering=0) as file:
        file.write(lines[0] + b"\n" + lines[1][:40])
        assert following.stdout is not None
        assert "first" in following.stdout.readline()
        file.write(lines[1][40:] + b"\n" + lines[2] + b"\n")
        assert "second" in following.stdout.readline()
    (tmp_path / "s.jsonl").rename(tmp_path / "s.20261120T120000.000000Z.jsonl")
    SpanLines("w2").add("third", None, 9).write(tmp_path / "s.jsonl")
    assert "third" in following.stdout.readline()
    SpanLines("w3").add("fourth", None, 10).write(tmp_path / "other.jsonl")
    assert "fourth" in following.stdout.readline()
    time.sleep(0.05)
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=20)
    assert (following.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("place", [".", "s.jsonl", "*.jsonl", "**/s*"])
def test_what_is_not_there_yet_is_waited_for(tmp_path: Path, place: str) -> None:
    """A file that is still to come, by its name, a pattern or in its folder; the wait is said once."""
    named = str(tmp_path / place)
    process = subprocess.Popen(
        [sys.executable, "-m", "flightlog", "tail", named], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stderr.readline() == f"flightlog: waiting for spans in {named}\n"
    SpanLines().add("first", None, 0).write(tmp_path / "s.jsonl")
    assert "first" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize("content", [b"no span\n", b"no span", b"SQLite format 3\0\n\0", b"[1]\n", b"\xff\xfe{\0\n\0"])
def test_what_is_no_span_file_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    """The command says what is wrong with it and ends."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    assert main(["tail", str(path)]) == 2
    assert f"{path} is not a span file" in capsys.readouterr().err


def test_nothing_is_waited_for_without_following(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then an empty or missing file is what it is to the other commands."""
    path = tmp_path / "s.jsonl"
    assert main(["tail", str(path), "--no-follow"]) == 2
    path.touch()
    assert main(["tail", str(path), "--no-follow"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"flightlog: {path} does not exist",
        f"flightlog: {path} is empty: no span has been recorded yet",
    ]


def test_a_pattern_in_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a mistake, and nothing that may still come."""
    assert main(["tail", str(tmp_path / "no" / "*.jsonl")]) == 2
    assert capsys.readouterr().err == f"flightlog: no file matches {tmp_path / 'no' / '*.jsonl'}\n"


class Writer:
    """Writes so many spans whenever `tail` waits, in rotated files, and ends it after so many times."""

    def __init__(self, folder: Path, times: int, spans: int) -> None:
        self.file = SpanFile(folder / "s.jsonl", max_bytes=spans * 100, max_total_bytes=spans * 1_000)
        self.left = times
        self.spans = spans
        self.written = 0
        self.most_rows = self.most_files = 0
        self.waits: list[float] = []

    def write(self) -> None:
        """The next spans."""
        lines = SpanLines(f"w{self.written}")
        for number in range(self.written, self.written + self.spans):
            lines.add(f"run-{number}", None, number, trace_id=f"trace-{number}")
        for line in lines.lines:
            self.file.write(line)
        self.written += self.spans

    def sleep(self, seconds: float) -> None:
        """In the place of the wait for more."""
        self.waits.append(seconds)
        (opened,) = store._OPEN
        self.most_rows = max(self.most_rows, opened.span_count)
        self.most_files = max(self.most_files, len(opened.sources))
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.write()


def tail_for_long(folder: Path, monkeypatch: pytest.MonkeyPatch, times: int, spans: int) -> Writer:
    """Let `tail` follow what is written; each look seems to take ten seconds of a processor."""
    writer = Writer(folder, times, spans)
    writer.write()
    ticks = iter(range(0, 10**9, 10))
    monkeypatch.setattr(tail, "time", SimpleNamespace(sleep=writer.sleep, process_time=lambda: float(next(ticks))))
    assert main(["tail", str(folder), "--filter", "-root:status:error self>=0ms"]) == 0
    writer.file.close()
    return writer


def test_what_was_printed_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every span is printed once, in order, and only the newest are kept, however long that goes on; what comes too
    fast for the budget waits for seconds, not for as long as it has taken."""
    monkeypatch.setattr(tail, "_KEPT", 20)
    monkeypatch.setattr(tail, "_AT_ONCE", 5_000)
    monkeypatch.setattr(tail, "_ROWS_AT_ONCE", 7)
    writer = tail_for_long(tmp_path, monkeypatch, times=5, spans=40)
    printed = [int(line.split("run-")[1].split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert printed == list(range(30, writer.written))
    assert writer.most_rows <= 40 + 2 * 40
    assert writer.most_files <= 14
    assert writer.waits == [0.25, *[3.0] * 5]


@pytest.mark.soak
def test_hundreds_of_thousands_are_printed_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four hundred rotations later there are as many rows as after the first."""
    writer = tail_for_long(tmp_path, monkeypatch, times=40, spans=10_000)
    printed = [int(line.split("run-")[1].split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert printed == list(range(10_000 - 10, writer.written))
    assert writer.most_rows <= 2 * tail._KEPT + 10_000
