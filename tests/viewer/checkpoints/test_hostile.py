"""A database that means harm: nothing in it runs, and every command says what it can."""

import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flightlog_viewer.analysis.json_forms import step_form, thread_form, to_json
from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.checkpoints import open_source, sqlite
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.kept import KnownSummaries
from flightlog_viewer.cli.app import main
from flightlog_viewer.store.checkpoint_ingest import ingest_history, ingest_threads
from flightlog_viewer.store.checkpoint_tables import create_tables
from tests.viewer.checkpoints import hostile


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    folder = tmp_path_factory.mktemp("hostile")
    path, marker = folder / "hostile.sqlite", folder / "pwned"
    return path, marker, hostile.write(path, marker)


Database = tuple[Path, Path, list[str]]


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """LangGraph's own serializer does run them: the test would notice a decoder that did."""
    script = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path\n"
        "from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer\n"
        "from tests.viewer.checkpoints import hostile\n"
        "name = dict((name, (tag, blob)) for name, tag, blob in hostile.blobs(Path(sys.argv[1])))\n"
        "JsonPlusSerializer().loads_typed(name['ext 0 os.system'])\n"
    )
    marker = tmp_path / "pwned"
    subprocess.run([sys.executable, "-c", script, str(marker)], check=True, capture_output=True)
    assert marker.exists()


def test_every_blob_decodes_to_something_that_prints(tmp_path: Path) -> None:
    """Whatever a blob holds, decoding gives a value, and the value has a JSON form."""
    from flightlog_viewer.checkpoints import normal_form

    marker = tmp_path / "pwned"
    for name, tag, blob in hostile.blobs(marker):
        value = Decoder().typed(tag, blob)
        json.loads(to_json(normal_form(value)))
        assert not marker.exists(), name


def test_nothing_runs_and_every_thread_is_shown(database: Database) -> None:
    """Listing, replaying, and asking for approvals work on every hostile thread, and nothing happens."""
    path, marker, threads = database
    with open_source(path) as source:
        listed = [thread_form(thread)["thread_id"] for thread in source.threads()]
        assert sorted(listed) == sorted(threads)
        for thread in threads:
            steps = list(source.history(thread).steps)
            assert len(steps) == 1
            json.loads(to_json(step_form(steps[0])))
        list(database_approvals(source, breakpoints=["node"], regret_path="state.x"))
    assert not marker.exists()


def test_tables_of_a_hostile_database(database: Database) -> None:
    """The store's tables take all of it."""
    path, marker, threads = database
    connection = duckdb.connect(":memory:")
    create_tables(connection)
    ingest_threads(connection, str(path), KnownSummaries())
    ingest_history(connection, str(path))
    assert connection.execute("SELECT count(*) FROM thread_states").fetchone() == (len(threads),)
    connection.close()
    assert not marker.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["threads"],
        ["threads", "--json"],
        ["approvals", "--json"],
        ["approvals", "--breakpoint", "x", "--threshold", "0.5"],
        ["replay", "ext 0 os.system as inside"],
        ["replay", "ext 5 builtins.eval as inside", "--json"],
        ["replay", "pickle as checkpoint"],
        ["replay", "surrogate as inside", "--json"],
        ["replay", "deep but legal as inside"],
    ],
)
def test_commands_on_a_hostile_database(
    arguments: list[str], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command ends well, without a traceback and without a control character on the terminal."""
    path, marker, _ = database
    status = main([*arguments, "--checkpoints", str(path)])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert not marker.exists()
    assert "Traceback" not in printed.err
    assert not any(character in printed.out for character in "\x1b\u202e\x9b\ud800")


def test_names_that_are_no_text_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads whose ids are no UTF-8 are listed page by page to the end, though their names cannot be asked for."""
    monkeypatch.setattr(sqlite, "_PAGE", 3)
    path = tmp_path / "names.sqlite"
    hostile.write(path, tmp_path / "pwned")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM checkpoints")
        for number in range(10):
            name = b"\xff%d" % number if number < 8 else b"%d" % number
            connection.execute(
                "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id) VALUES (CAST(? AS TEXT), '', '1')",
                (name,),
            )
    with open_source(path) as source:
        names = [thread.thread_id for thread in itertools.islice(source.threads(), 100)]
    assert names == ["8", "9", *(f"\ufffd{number}" for number in range(8))]


def test_secrets_are_left_out() -> None:
    """A SecretStr, which LangGraph stores in the clear, is not shown."""
    value = Decoder().typed("msgpack", hostile.ext(0, "pydantic.types", "SecretStr", "hunter2"))
    assert "hunter2" not in to_json(value)
    envelope = b'{"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}'
    assert Decoder().typed("json", envelope)["__note__"] == "redacted"


def test_a_large_blob_stays_closed() -> None:
    """A blob over the cap is not decoded; its size is said."""
    value = Decoder(max_blob_bytes=10).typed("msgpack", b"\xda\x00\x20" + b"x" * 32)
    assert (value["__type__"], value["nbytes"]) == ("__undecodable__", 35)


def test_reading_loads_no_langgraph() -> None:
    """Opening a database imports neither LangGraph nor LangChain."""
    script = (
        "import sys\nfrom flightlog_viewer.checkpoints import open_source\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'langgraph', 'langchain', 'langchain_core'}"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _view(connection: sqlite3.Connection) -> None:
    """A view without end, whose row in the schema says that it is a table."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_checkpoints_1'")
    endless = (
        "CREATE VIEW checkpoints AS WITH RECURSIVE n(thread_id) AS (SELECT 1 UNION ALL SELECT thread_id + 1 FROM n) "
        "SELECT thread_id, '' AS checkpoint_ns, '1' AS checkpoint_id, NULL AS parent_checkpoint_id, "
        "'msgpack' AS type, x'80' AS checkpoint, '{}' AS metadata FROM n"
    )
    connection.execute("UPDATE sqlite_master SET rootpage = 0, sql = ? WHERE name = 'checkpoints'", (endless,))


def _virtual(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE checkpoints")
    columns = "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata"
    connection.execute(f"CREATE VIRTUAL TABLE checkpoints USING fts5({columns})")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("put_in_its_place", "said"),
    [(_view, "is damaged: malformed database schema"), (_virtual, "checkpoint database: it has no table checkpoints")],
)
def test_what_computes_its_rows_is_no_table(
    put_in_its_place: Callable[[sqlite3.Connection], None],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A view is not read, even where the schema calls it a table, nor a virtual table: their code has no end."""
    path = tmp_path / "x.sqlite"
    hostile.write(path, tmp_path / "pwned")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        put_in_its_place(connection)
    assert main(["threads", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.timeout(30)
@pytest.mark.parametrize("end", ["-journal", "-wal"])
def test_a_pipe_beside_a_database_is_not_waited_for(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What SQLite would open by itself is named when it is no file."""
    path = tmp_path / "x.sqlite"
    hostile.write(path, tmp_path / "pwned")
    os.mkfifo(f"{path}{end}")
    assert main(["threads", str(path)]) == 2
    assert f"x.sqlite{end} is not a regular file" in capsys.readouterr().err
