"""Inputs that cannot be read, given to every command that reads."""

import lzma
import os
import shutil
from pathlib import Path

import pytest

import flightlog.__main__
from flightlog_viewer.cli.app import main
from tests.viewer.permissions import like_others
from tests.viewer.span_lines import story

__all__ = ["like_others"]

COMMANDS = [["summary"], ["traces"], ["show", "aroot"], ["sql", "SELECT 1"], ["report"], ["view"]]
# They open what they read in one place.
SOME = [
    pytest.param(one, id=one[0], marks=[] if one[0] in ("summary", "sql", "view") else [pytest.mark.soak])
    for one in COMMANDS
]
DATABASE_COMMANDS = [["threads"], ["replay", "t"], ["approvals"], ["sql", "FROM threads"], ["view"]]
KINDS = [
    "missing",
    "empty",
    "text",
    "binary",
    "folder",
    "glob",
    "odd name",
    "name that is not text",
    "long name",
    "no name",
    "pipe",
    "endless link",
    "standard input",
    "unreadable",
]


def bad(tmp_path: Path, kind: str) -> str:
    """A path of that kind."""
    path = tmp_path / "spans.jsonl"
    match kind:
        case "missing":
            return str(path)
        case "empty":
            path.touch()
        case "text":
            path.write_text("no span\nno span either\n")
        case "binary":
            path.write_bytes(bytes(range(256)) * 64)
        case "folder":
            path.mkdir()
        case "glob":
            return str(tmp_path / "*.jsonl")
        case "odd name":
            return str(tmp_path / "\x1b]0;x\x07.jsonl")
        case "name that is not text":
            path = tmp_path / os.fsdecode(b"\xff\xfe.jsonl")
            try:
                path.touch()
            except OSError:
                pytest.skip("this file system takes no such name")
        case "long name":
            return str(tmp_path / ("x" * 5_000))
        case "no name":
            return ""
        case "pipe":
            os.mkfifo(path)
        case "endless link":
            path.symlink_to(path)
        case "standard input":
            return "-"
        case "unreadable":  # a regular file whose first byte cannot be read, like one on a disk that fails
            path = Path("/proc/self/mem")
            if not path.exists():
                pytest.skip("Linux has it")
    return str(path)


# In small, each kind is given to two commands, and each command gets four kinds.
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        pytest.param(command, kind, marks=[] if (place + number) % 7 < 2 else [pytest.mark.soak])
        for place, command in enumerate([*COMMANDS, ["approvals"]])
        for number, kind in enumerate(KINDS)
    ],
)
def test_an_input_that_cannot_be_read_is_one_sentence(
    command: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is status 2 and one clear line on stderr, safe on a terminal."""
    assert main([*command, bad(tmp_path, kind)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("flightlog: ")
    assert shown.err.count("\n") == 1
    assert "\x1b" not in shown.err
    assert "fault of flightlog" not in shown.err
    assert kind != "unreadable" or "/proc/self/mem cannot be read: " in shown.err


@pytest.mark.usefixtures("like_others")
def test_files_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder's files that may not be read are named: alone they are status 2, beside others a word on stderr."""
    closed = story().write(tmp_path / "closed.jsonl")
    closed.chmod(0)
    monkeypatch.chdir(tmp_path)
    for given in ([], ["."], [str(tmp_path)]):
        assert main(["summary", *given]) == 2
        assert "closed.jsonl cannot be read: permission denied" in capsys.readouterr().err
    story().write(tmp_path / "open.jsonl")
    for command in (["summary", "."], ["export", "otlp-json", ".", "-o", "out"]):
        assert main(command) == 0
        assert "flightlog: closed.jsonl is left out: permission denied\n" in capsys.readouterr().err


def test_files_packed_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are named, as files of a folder and as rotated parts: alone with status 2, beside others on stderr."""
    part = tmp_path / "s.20261120T101502.123456Z.jsonl.xz"
    part.write_bytes(lzma.compress(b"{}"))
    why = "only .gz and .zst can be unpacked here, unpack it first\n"
    monkeypatch.chdir(tmp_path)
    for given in ([], ["."]):
        assert main(["summary", *given]) == 2
        assert capsys.readouterr().err == f"flightlog: {part.name} cannot be read: {why}"
    path = story().write(tmp_path / "s.jsonl")
    for command in (["doctor"], ["doctor", str(path)], ["summary", "."], ["export", "perfetto", ".", "-o", "out"]):
        assert main(command) in (0, 1)
        assert f"{part.name} is left out: {why}" in capsys.readouterr().err
    (tmp_path / "other.jsonl").write_bytes(path.read_bytes())
    assert main(["summary", "other.jsonl"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", SOME)
def test_no_span_file_here(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without PATHS the newest span file here is meant, and its absence is a sentence."""
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert "no span file" in capsys.readouterr().err
    story().write(tmp_path / "here.jsonl")
    assert main(command) == 0


@pytest.mark.parametrize("command", [["summary"], ["run", "-o", "t.jsonl", "--", "true"]])
def test_a_current_folder_that_is_gone(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in these words, and not that some file is missing."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert flightlog.__main__.main(command) == 2
    assert capsys.readouterr().err == "flightlog: the current folder is gone: change to another\n"


@pytest.mark.parametrize("command", SOME)
def test_broken_lines_are_left_out_and_counted(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest loads, status 0, and stderr says how many lines are not spans."""
    torn = (b'{"v":1,"type":', b"\xff\xfe", b'{"v":1}')
    assert main([*command, str(story().write(tmp_path / "s.jsonl", torn))]) == 0
    shown = capsys.readouterr()
    assert "3 lines are not spans" in (shown.out if command == ["report"] else shown.err)


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder", "pipe", "endless link", "nobody listens"])
@pytest.mark.parametrize("command", DATABASE_COMMANDS, ids=lambda command: command[0])
def test_a_database_that_is_none_is_one_sentence(
    command: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is status 2 and one clear line on stderr, without the password of its URL."""
    target = "postgresql://ann:hunter2@127.0.0.1:1/x" if kind == "nobody listens" else bad(tmp_path, kind)
    assert main([*command, "--checkpoints", target]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("flightlog: ")
    assert shown.err.count("\n") == 1
    assert "hunter2" not in shown.err
    assert "fault of flightlog" not in shown.err


def test_a_database_that_is_none_beside_spans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`view` without a terminal says so before it prints anything."""
    spans = str(story().write(tmp_path / "s.jsonl"))
    assert main(["view", spans, "--checkpoints", str(tmp_path / "missing.sqlite")]) == 2
    assert capsys.readouterr() == ("", f"flightlog: {tmp_path / 'missing.sqlite'} does not exist\n")


@pytest.mark.parametrize("command", [["view"], ["view", "--serve"], ["summary"], ["traces"]], ids=" ".join)
def test_a_zone_that_is_none(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a sentence and status 2, and nothing is opened or served."""
    assert main([*command, "--tz", "Nowhere/Land", str(story().write(tmp_path / "s.jsonl"))]) == 2
    assert "no time zone 'Nowhere/Land'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["summary", "traces", "sql", "compare", "threads", "approvals"])
def test_two_forms_at_once(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is said before anything is read."""
    missing = str(tmp_path / "missing.jsonl")
    first = {"sql": ["SELECT 1"], "compare": [missing]}.get(command, [])
    assert main([command, *first, missing, "--json", "--csv"]) == 2
    assert capsys.readouterr().err == "flightlog: --json and --csv exclude each other\n"


def test_a_file_that_may_not_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A loop of links is a sentence as well."""
    loop = tmp_path / "loop.jsonl"
    loop.symlink_to(loop)
    assert main(["summary", str(loop)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("command", [["show"], ["bundle", "-o", "out"]], ids=lambda command: command[0])
def test_a_file_in_the_place_of_a_trace(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence shows the command as it is meant."""
    assert main([*command, "spans.jsonl"]) == 2
    assert f"the trace comes before the files: flightlog {command[0]} last spans.jsonl" in capsys.readouterr().err
