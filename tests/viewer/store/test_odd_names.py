"""Span files whose names are not UTF-8: file systems take any bytes."""

import os
from pathlib import Path

import pytest

from flightlog_viewer import open_store
from flightlog_viewer.cli.app import main
from flightlog_viewer.store.loading import stretch
from tests.viewer.store.records import span, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of such a name beside another one."""
    folder = tmp_path / "spans"
    folder.mkdir()
    write(folder / "a.jsonl", span("a", trace="a", inputs={"n": 1}))
    try:
        write(odd(folder), span("b", trace="b", inputs={"n": 2}, step="x"), b"{bad", span("c", "b", "b"))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    return folder


def odd(folder: Path) -> Path:
    """The file of the odd name."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jsonl"))


@pytest.mark.parametrize("joined", [0, stretch.JOINED_BYTES])
@pytest.mark.parametrize("only", [False, True])
def test_it_loads_with_the_others(
    folder: Path, joined: int, only: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its spans, rejects, payloads and new lines are there, under a name that escapes the bytes."""
    monkeypatch.setattr(stretch, "JOINED_BYTES", joined)
    shown = f"{folder}/caf\\xe9.jsonl"
    with open_store(odd(folder) if only else folder) as store:
        assert store.sql("SELECT file, inputs->>'n' FROM spans WHERE run_id = 'b'").fetchall() == [(shown, "2")]
        assert store.span_count == (2 if only else 3)
        assert [(reject["file"], reject["reason"][:8]) for reject in store.rejects] == [(shown, "not JSON")]
        assert store.wrong_fields(lambda *_: True).examples[0].startswith(f"{shown} at byte 0: ")
        with odd(folder).open("ab") as file:
            file.write(write(tmp_path / "more", span("d", "b", "b")).read_bytes())
        assert store.refresh() == 1


def test_commands_take_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command and export over the folder, and over the file by its name, has its spans."""
    for paths in ([str(folder)], [str(odd(folder))]):
        assert main(["sql", "SELECT count(*) AS n FROM spans WHERE trace_id = 'b'", *paths, "--csv"]) == 0
        assert capsys.readouterr().out.split() == ["n", "2"]
    out = folder.parent
    for argv in (["otlp-json", "-o", f"{out}/o"], ["perfetto", "-o", f"{out}/p"], ["parquet", "-o", f"{out}/q"]):
        assert main(["export", *argv, str(folder)]) == 0
        assert capsys.readouterr().err.startswith(f"flightlog: 3 spans in {argv[-1]}, 1 line could not be read")
    assert main(["doctor", str(folder)]) == 1
    assert "caf\\xe9.jsonl at byte" in capsys.readouterr().out


def test_a_pipe_called_like_a_rotated_part_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is given the span file, or its folder, reads the file, and the parts that are files."""
    path = write(tmp_path / "a.jsonl", span("r"))
    write(tmp_path / "a.20261120T120000.000000Z.jsonl", span("p"))
    os.mkfifo(tmp_path / "a.20261120T120001.000000Z.jsonl")
    for given in (str(path), str(tmp_path)):
        assert main(["sql", "SELECT count(*) AS n FROM spans", given, "--csv", "--no-cache"]) == 0
        assert capsys.readouterr().out.split() == ["n", "2"]


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="the kernel's messages are for root alone")
@pytest.mark.timeout(30)
def test_a_link_to_a_file_of_the_kernel_that_waits_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and exports read the files beside it; by its own name it cannot be read, as a database or table too."""
    folder = tmp_path / "spans"
    folder.mkdir()
    write(folder / "a.jsonl", span("r"))
    (folder / "b.jsonl").symlink_to("/proc/kmsg")
    assert main(["sql", "SELECT count(*) AS n FROM spans", str(folder), "--csv", "--no-cache"]) == 0
    assert capsys.readouterr().out.split() == ["n", "1"]
    for form in ("otlp-json", "perfetto", "parquet"):
        assert main(["export", form, str(folder), "-o", str(tmp_path / form)]) == 0
        assert capsys.readouterr().err.startswith("flightlog: 1 span in ")
    own = tmp_path / "own.csv"
    own.symlink_to("/proc/kmsg")
    table = ["sql", "FROM t", str(folder / "a.jsonl"), "--table", f"t={own}"]
    waits = str(folder / "b.jsonl")
    for command in (["sql", "FROM spans", waits], ["threads", "--checkpoints", waits], table):
        assert main(command) == 2
        assert " cannot be read: " in capsys.readouterr().err
