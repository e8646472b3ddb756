"""Standard streams that are closed or full, and an output that is there already."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import story


def shell(arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``flightlog`` with a shell's redirections."""
    flightlog = f"exec {sys.executable} -m flightlog"
    return subprocess.run(
        ["sh", "-c", f"{flightlog} {arguments}"], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def spans(tmp_path: Path) -> Path:
    return story().write(tmp_path / "spans.jsonl")


@pytest.mark.uncounted
@pytest.mark.parametrize("closed", [pytest.param("2>&-", marks=pytest.mark.soak), ">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_else(spans: Path, closed: str) -> None:
    """A command whose standard streams are closed does its work, and prints into no file that it has open."""
    before = spans.read_bytes()
    run = shell(f"summary --no-cache spans.jsonl {closed}", spans.parent)
    assert (run.returncode, run.stderr) == (0, "")
    assert bool(run.stdout) == (">&- " not in f" {closed} ".replace("2>&-", ""))
    assert spans.read_bytes() == before


def test_a_recorded_command_has_the_streams_that_were_given(tmp_path: Path) -> None:
    """`run` hands closed streams on as they are."""
    look = "import os, sys; sys.exit(sum(1 << n for n in range(3) if os.path.exists(f'/dev/fd/{n}')))"
    assert shell(f'run -- {sys.executable} -c "{look}" >&- 2>&-', tmp_path).returncode == 1


@pytest.mark.uncounted
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
@pytest.mark.parametrize("command", ["traces spans.jsonl", "run --help", "--version"])
def test_a_full_disk_under_stdout_is_one_sentence(spans: Path, command: str) -> None:
    """It is status 2 and says what the system says; nobody's fault."""
    run = shell(f"{command} > /dev/full", spans.parent)
    assert run.returncode == 2
    assert run.stderr.startswith("flightlog: ")
    assert run.stderr.count("\n") == 1
    assert "No space left" in run.stderr
    assert "fault" not in run.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
@pytest.mark.parametrize("command", ["sumary", "run -o '' -- true", "--version >/dev/full"])
def test_a_full_disk_under_stderr_keeps_the_status(command: str, tmp_path: Path) -> None:
    """What cannot be said is not said; the interpreter's own status for it (120) is in no documentation."""
    assert shell(f"{command} 2> /dev/full", tmp_path).returncode == 2


def test_following_ends_with_its_reader(spans: Path) -> None:
    """`tail | head` does not wait for a span that nobody reads."""
    run = shell("tail --no-cache spans.jsonl | head -n 1", spans.parent)
    assert (run.stdout.count("\n"), run.stderr) == (1, "")


def test_parquet_replaces_no_file_unasked(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`sql -o` keeps what is there, the span file that is asked above all, unless told to overwrite."""
    before = spans.read_bytes()
    command = ["sql", "FROM spans", str(spans), "--format", "parquet", "-o"]
    assert main([*command, str(spans)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert spans.read_bytes() == before
    target = spans.parent / "out.parquet"
    assert main([*command, str(target)]) == 0
    assert main([*command, str(target)]) == 2
    assert main([*command, str(target), "--overwrite"]) == 0
    assert main([*command, str(spans.parent / "none" / "out.parquet")]) == 2
    os.mkfifo(spans.parent / "pipe")
    for export in ([*command], ["export", "perfetto", str(spans), "-o"]):
        assert main([*export, str(spans.parent / "pipe"), "--overwrite"]) == 2
    assert sorted(path.name for path in spans.parent.iterdir()) == ["out.parquet", "pipe", "spans.jsonl"]
    assert (spans.parent / "pipe").is_fifo()


def test_a_dash_is_standard_output_where_there_is_one(
    spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-o -` prints what can be printed; any other command says that it takes a file, and makes none called `-`."""
    monkeypatch.chdir(spans.parent)
    for command in (["report", "spans.jsonl"], ["sql", "FROM traces", "spans.jsonl", "--csv"]):
        assert main([*command, "-o", "-"]) == main(command) == 0
        text = capsys.readouterr().out
        assert text == 2 * text[: len(text) // 2] != ""
    for line in (
        *("bundle last spans.jsonl -o -", "import spans.jsonl -o -", "export perfetto spans.jsonl -o -"),
        *("export otlp-json spans.jsonl -o -", "export parquet spans.jsonl -o -", "collect -o -"),
        *("demo --no-view -o -", f"run -o - -- {sys.executable} -c pass"),
    ):
        assert main(line.split()) == 2, line
        run = capsys.readouterr()
        assert run.out == "", line
        assert "standard output" in run.err, line
    assert [path.name for path in spans.parent.iterdir()] == ["spans.jsonl"]
