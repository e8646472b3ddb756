"""Where recordings go, and the command line that makes them."""

import contextlib
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from langsmith.utils import get_env_var, tracing_is_enabled

from flightlog.errors import UsageError
from flightlog_samples.__main__ import main
from flightlog_samples.catalogue import DEFAULT, SAMPLES, select
from flightlog_samples.recording import prepare, record


def test_a_new_recording_replaces_the_old_one(tmp_path: Path) -> None:
    """A folder that a recording made is emptied of its recording and of nothing else."""
    prepare(tmp_path)
    (tmp_path / "spans.jsonl").write_text("old")
    for mine in ("notes.txt", "mine.jsonl", "mine.sqlite", "uv.lock"):
        (tmp_path / mine).write_text("mine")
    prepare(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".flightlog-demo", "mine.jsonl", "mine.sqlite", "notes.txt", "uv.lock"]


@pytest.mark.uncounted
@pytest.mark.slow
def test_a_python_without_docstrings_records_too(tmp_path: Path) -> None:
    """PYTHONOPTIMIZE=2 leaves them out: the tools of the samples have their descriptions all the same."""
    names = ["react_agent", "tool_review", "chat_service"]
    command = [sys.executable, "-OO", "-m", "flightlog_samples", *names, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_files_of_someone_else_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with a span file that no recording made is refused, with a sentence and exit status 2."""
    (tmp_path / "spans.jsonl").write_text("precious")
    with pytest.raises(UsageError, match="another folder"):
        prepare(tmp_path)
    assert main(["--out", str(tmp_path)]) == 2
    assert "spans.jsonl" in capsys.readouterr().err
    assert (tmp_path / "spans.jsonl").read_text() == "precious"


def test_ctrl_c_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A story that is stopped ends with status 2 and without a traceback."""

    def stopped(out: Path) -> None:
        raise KeyboardInterrupt

    assert record(tmp_path / "out", [stopped]) == 2
    assert "stopped" in capsys.readouterr().err


def test_a_full_disk_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where nothing could be written; the status is 2."""

    def story(out: Path) -> None:
        with contextlib.closing(sqlite3.connect(out / "checkpoints.sqlite")) as database:
            database.execute("PRAGMA max_page_count = 1")
            database.execute("CREATE TABLE checkpoints (thread_id TEXT)")

    assert record(tmp_path, [story]) == 2
    assert capsys.readouterr().err == f"flightlog: cannot write to {tmp_path}: database or disk is full\n"


def test_what_is_recorded_is_sent_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that sends the runs of other programs to LangSmith does not send those of a sample."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    cast(Any, get_env_var).cache_clear()
    asked: list[object] = []
    assert record(tmp_path, [lambda out: asked.append(tracing_is_enabled())]) == 0
    assert asked == [False]


def test_a_recording_goes_on_when_its_reader_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `| head` leaves unread is no reason to stop, nor for a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as left:
        monkeypatch.setattr(sys, "stdout", left)
        assert main(["--out", str(tmp_path), "persistence"]) == 0
    assert (tmp_path / "spans.jsonl").stat().st_size


def test_an_unknown_sample_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name exits with status 2 and the names that there are."""
    assert main(["--out", str(tmp_path), "persistance"]) == 2
    assert "persistence" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the place of the folder exits with status 2."""
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file" / "below")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_the_list_names_every_sample(capsys: pytest.CaptureFixture[str]) -> None:
    """--list prints a line for each: its name, and what it shows."""
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[sample.name, sample.shows] for sample in SAMPLES]


def test_samples_are_selected_by_name() -> None:
    """No name is the default set, `all` is all, and a name given twice counts once."""
    assert [sample.name for sample in select([])] == list(DEFAULT)
    assert select(["all"]) == list(SAMPLES)
    assert [sample.name for sample in select(["streaming", "streaming"])] == ["streaming"]


@pytest.mark.parametrize("name", [sample.name for sample in SAMPLES])
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_every_sample_is_a_program(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m flightlog_samples.NAME` has a help of its own, with the options that its page uses."""
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"flightlog_samples.{name}", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"python -m flightlog_samples.{name}" in said
    page = (Path(__file__).parents[2] / "docs" / "samples" / f"{name}.md").read_text()
    used = re.findall(rf"^python -m flightlog_samples.{name} (.*)", page, re.MULTILINE)
    assert {word for line in used for word in line.split() if word.startswith("--")} <= set(re.findall(r"--\w+", said))
