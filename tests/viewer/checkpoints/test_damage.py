"""Databases that are cut, scrambled, locked, old, or miss rows: a sentence, and whatever can be shown."""

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints import open_source, sqlite_file
from flightlog_viewer.cli.app import main
from tests.viewer.checkpoints.graphs import refunds, thread


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database of 40 threads."""
    path = tmp_path_factory.mktemp("whole") / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        for number in range(40):
            graph.invoke({"amount": number, "outcome": {"text": "x" * 500}}, thread(f"t{number}"))
            if number % 2:
                graph.invoke(Command(resume="yes"), thread(f"t{number}"))
    return path.read_bytes()


def look(path: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str, str]]:
    """Run every reading command; each must end well, with a sentence when something is wrong, and change nothing."""
    before = path.read_bytes()
    results = []
    commands = (
        ["threads", "--json"],
        ["replay", "t1", "--json"],
        ["replay", "t7"],
        ["approvals", "--json"],
        ["sql", "SELECT count(DISTINCT thread_id) AS n, max(checkpoint_id) FROM checkpoints", "--json"],
    )
    for command in commands:
        with contextlib.chdir(path.parent):  # where no span file is
            status = main([*command, "--checkpoints", str(path)])
        printed = capsys.readouterr()
        assert status in (0, 2)
        assert "fault of flightlog" not in printed.err
        assert "Traceback" not in printed.err
        assert status == 0 or printed.err.startswith("flightlog: ")
        results.append((status, printed.out, printed.err))
    assert path.read_bytes() == before
    return results


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_cut_database(share: float, whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A truncated file is named as damaged, and what lies before the cut is shown where SQLite still reaches it."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole[: int(len(whole) * share)])
    results = look(path, capsys)
    assert 2 in [status for status, _, _ in results]
    if share >= 0.6:
        assert len(json.loads(results[0][1])) >= 15


# The first six do damage of each size once.
@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=pytest.mark.soak) for n in range(6, 30))])
def test_scrambled_pages(seed: int, whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Random damage never gives a traceback, and never changes the file."""
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(1 << (seed % 6)):
        at = chance.randrange(100, len(content) - 64)
        content[at : at + 64] = chance.randbytes(64)
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    look(path, capsys)


def test_a_broken_index_is_read_around(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the primary key's index destroyed, threads are found by their rows; a sentence and status 2 say so."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    connection = sqlite3.connect(path)
    query = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_checkpoints_1'"
    page = connection.execute(query).fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    (status, out, err), (replayed, steps, _), _, _, (asked, rows, partial) = look(path, capsys)
    assert (status, replayed) == (2, 2)
    assert len(json.loads(out)) == 40
    assert len(json.loads(steps)["steps"]) == 5
    assert "is damaged" in err
    assert (asked, json.loads(rows)[0]["n"]) == (2, 40)
    assert "is damaged" in partial


@pytest.mark.parametrize("broken", [b"thread_\xc2d", b"thread_\x1bd", b"t\xffread_id"])
def test_a_schema_that_is_no_text(
    broken: bytes, whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite quotes what it cannot read of the schema; that may be no UTF-8."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole.replace(b"thread_id", broken, 1))
    for status, _, err in look(path, capsys):
        assert status in (0, 2)
        assert "is damaged: malformed database schema" in err


def test_a_missing_parent(whole: bytes, tmp_path: Path) -> None:
    """A checkpoint whose parent has been pruned says so, and is shown."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    with open_source(path) as source:
        second = list(source.history("t1").steps)[1]
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM checkpoints WHERE checkpoint_id = ?", (second.checkpoint_id,))
    connection.commit()
    connection.close()
    with open_source(path) as source:
        steps = list(source.history("t1").steps)
    assert [step.step for step in steps] == [-1, 1, 2, 3]
    assert steps[1].notes == ["the parent checkpoint is no longer in the database"]


def test_a_locked_database(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that another program has locked for itself is named as locked."""
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA journal_mode = DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnreadableError, match="is locked by another program"):
        open_source(path)
    holder.execute("ROLLBACK")
    holder.close()


def test_a_database_without_task_paths(whole: bytes, tmp_path: Path) -> None:
    """In a database of 2024, whose writes carry no task path, nodes are found by their task ids."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    with open_source(path) as source:
        expected = [[(task.node, task.status) for task in step.tasks] for step in source.history("t1").steps]
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE writes DROP COLUMN task_path")
    connection.commit()
    connection.close()
    with open_source(path) as source:
        assert [[(task.node, task.status) for task in step.tasks] for step in source.history("t1").steps] == expected


def test_a_database_without_rows(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables without rows are no error: there is just no thread."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    connection = sqlite3.connect(path)
    connection.executescript("DELETE FROM checkpoints; DELETE FROM writes")
    connection.close()
    assert main(["threads", "--checkpoints", str(path), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert "no thread has been checkpointed" in printed.err


AS_NOBODY = """
import contextlib, io, os, sys
from flightlog_viewer.cli.app import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["threads", "--json", "--checkpoints", sys.argv[1]])  # that user may not reach our modules: import them now
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[2:]))
"""


def as_nobody(readable: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user who may write nothing."""
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(readable), *arguments], capture_output=True, text=True, check=False
    )


def test_a_closed_database_in_a_folder_that_cannot_be_written(whole: bytes, tmp_path: Path) -> None:
    """A write-ahead-log database that was closed cleanly is read even where SQLite cannot make its shared memory."""
    folder = Path(tempfile.mkdtemp(prefix="fl-ro-"))
    path, other = folder / "x.sqlite", tmp_path / "y.sqlite"
    other.write_bytes(whole)
    try:
        path.write_bytes(whole)
        path.chmod(0o444)
        folder.chmod(0o555)
        shown = as_nobody(other, "threads", "--json", "--checkpoints", str(path))
        assert (shown.returncode, len(json.loads(shown.stdout))) == (0, 40), shown.stderr
        assert [entry.name for entry in folder.iterdir()] == ["x.sqlite"]
        path.chmod(0)
        refused = as_nobody(other, "threads", "--checkpoints", str(path))
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "cannot be read: Permission denied" in refused.stderr
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_thread_whose_status_cannot_be_told(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A thread with a broken newest checkpoint, or a name that is not text, is `unknown`, and the list says why."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE checkpoints SET checkpoint = substr(checkpoint, 1, 90) WHERE thread_id = 't1'")
    connection.execute("UPDATE checkpoints SET thread_id = X'FF41' WHERE thread_id = 't2'")
    connection.commit()
    connection.close()
    assert main(["threads", "--checkpoints", str(path), "--json"]) == 0
    found = {thread["thread_id"]: thread for thread in json.loads(capsys.readouterr().out)}
    assert (found["t1"]["status"], found["\ufffdA"]["status"]) == ("unknown", "unknown")
    assert "cannot be decoded: broken msgpack" in found["t1"]["note"]
    assert "the name is not text" in found["\ufffdA"]["note"]
    assert main(["threads", "--checkpoints", str(path)]) == 0
    assert "this checkpoint cannot be decoded" in capsys.readouterr().out
    assert main(["replay", "\ufffdA", "--checkpoints", str(path)]) == 2
    assert "no thread" in capsys.readouterr().err


def test_an_unfinished_transaction(whole: bytes, tmp_path: Path) -> None:
    """A database whose writer died in a transaction is not read half written: a sentence says what to do."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(whole)
    script = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = DELETE')\n"
        "connection.execute('PRAGMA cache_size = 5')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute('UPDATE checkpoints SET checkpoint = zeroblob(9000)')\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.with_name("x.sqlite-journal").stat().st_size > 0
    before = path.read_bytes()
    with pytest.raises(UnreadableError, match=r"unfinished transaction .* copy it and x\.sqlite-journal"):
        open_source(path)
    assert path.read_bytes() == before
    with contextlib.closing(sqlite3.connect(path)) as connection:  # as the sentence says, here in place
        connection.execute("SELECT count(*) FROM checkpoints").fetchone()
    with open_source(path) as source:
        assert len(list(source.threads())) == 40
