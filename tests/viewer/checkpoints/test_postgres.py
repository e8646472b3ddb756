"""What is special about Postgres: the URL, the schemas of old and shallow savers, and a writer beside the reader."""

import json
import threading
import warnings
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.types import Command
from psycopg.rows import dict_row

from flightlog.errors import UnreadableError
from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.checkpoints import normal_form, open_source, postgres
from flightlog_viewer.cli.app import main
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.checkpoints import hostile
from tests.viewer.checkpoints.graphs import refunds, thread

UNREACHABLE = "postgresql://ana:s3cr%40t@127.0.0.1:1/agents"


@pytest.mark.parametrize("command", [["threads"], ["replay", "t"], ["approvals"]])
def test_the_password_is_never_shown(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unreachable server gives one sentence with the URL, and neither form of its password."""
    assert main([*command, "--checkpoints", UNREACHABLE]) == 2
    printed = capsys.readouterr()
    assert "postgresql://ana@127.0.0.1:1/agents cannot be reached" in printed.err
    assert "s3cr" not in printed.err + printed.out


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@[::1/x",
        "postgresql://ana:s3cret@h/db?no_such_option=1",
        "postgresql://ana:x@s3cret@127.0.0.1:1/agents",
        "postgresql://ana:s3cret@x@127.0.0.1:1/agents",
        "postgresql://ana:x/s3cret@127.0.0.1:1/agents",
        "postgresql://ana:s3cret/x@127.0.0.1:1/agents",
        "postgresql://127.0.0.1:1/agents?user=ana&password=s3cret",
        "POSTGRESQL://ana:s3cret@127.0.0.1:1/agents",
        "postgresql+psycopg://ana:s3cret@127.0.0.1:1/agents",
        "mysql://ana:s3cret@127.0.0.1/agents",
        "host=127.0.0.1 port=1 password=s3cret",
    ],
)
def test_a_broken_url(url: str) -> None:
    """A URL that cannot be understood is refused without repeating its password."""
    with pytest.raises(UnreadableError) as raised:
        open_source(url)
    assert "s3cret" not in str(raised.value)


def test_an_empty_database_is_named_without_its_password(
    postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence that there is no thread names the URL as it may be shown."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    secret = "&password=s3cret" if "?" in postgres_database else "?password=s3cret"
    assert main(["threads", "--checkpoints", postgres_database + secret]) == 0
    shown = capsys.readouterr()
    assert "no thread has been checkpointed in postgresql://" in shown.err
    assert main(["replay", "nobody", "--checkpoints", postgres_database + secret]) == 2
    missing = capsys.readouterr()
    assert "no thread 'nobody' in postgresql://" in missing.err
    assert "s3cret" not in shown.err + shown.out + missing.err


def test_a_database_of_something_else(postgres_database: str) -> None:
    """A database without LangGraph's tables is named as such, with the table that is missing."""
    with pytest.raises(UnreadableError, match="it has no table checkpoints"):
        open_source(postgres_database)


def test_a_database_in_another_schema(postgres_database: str) -> None:
    """The refusal says in which schema the tables are, and the URL that it proposes leads to them."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA agents")
        connection.execute("CREATE ROLE reader LOGIN")
    proposed = f"{postgres_database}&options=-csearch_path%3Dagents"
    with PostgresSaver.from_conn_string(proposed) as saver:
        saver.setup()
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("t"))
    with pytest.raises(
        UnreadableError, match=r"schema agents has one, add \?options=-csearch_path%3Dagents to the URL"
    ):
        open_source(postgres_database)
    with open_source(proposed) as source:
        assert [summary.thread_id for summary in source.threads()] == ["t"]
    with pytest.raises(UnreadableError, match=r"this user may see: schema agents has one \(GRANT USAGE ON SCHEMA\)"):
        open_source(proposed.replace("postgres@", "reader@"))
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("DROP ROLE reader")


def test_a_shallow_saver_keeps_the_newest_step(postgres_database: str) -> None:
    """A shallow saver's threads have one checkpoint; its state, next nodes and question are LangGraph's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langgraph.checkpoint.postgres.shallow import ShallowPostgresSaver

        with ShallowPostgresSaver.from_conn_string(postgres_database) as saver:
            saver.setup()
            graph = refunds().compile(checkpointer=saver)
            # Otherwise the saver may delete the question's row when it stores the checkpoint after it.
            graph.invoke({"amount": 3}, thread("t"), durability="sync")
            state = graph.get_state(thread("t"))
        with open_source(postgres_database) as source:
            [summary] = source.threads()
            [step] = source.history("t").steps
        assert (summary.status, summary.checkpoints) == ("interrupted", 1)
        assert normal_form(step)["values"] == normal_form(state)["values"]
        assert normal_form(step)["interrupts"] == normal_form(state)["interrupts"]
        with ShallowPostgresSaver.from_conn_string(postgres_database) as saver:
            refunds().compile(checkpointer=saver).invoke(Command(resume="yes"), thread("t"))
    with open_source(postgres_database) as source:
        assert [found.status for found in source.threads()] == ["finished"]


def test_a_schema_without_task_paths(postgres_database: str) -> None:
    """A database from before task paths is read; nodes are found by their task ids."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("t"))
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("ALTER TABLE checkpoint_writes DROP COLUMN task_path")
    with open_source(postgres_database) as source:
        assert [[task.node for task in step.tasks] for step in source.history("t").steps] == [
            ["__start__"],
            ["plan"],
            ["approve"],
        ]


UUIDS = (
    "ALTER TABLE checkpoints ALTER thread_id TYPE uuid USING thread_id::uuid, "
    "ALTER checkpoint_id TYPE uuid USING checkpoint_id::uuid, "
    "ALTER parent_checkpoint_id TYPE uuid USING parent_checkpoint_id::uuid, DROP COLUMN type",
    "ALTER TABLE checkpoint_blobs ALTER thread_id TYPE uuid USING thread_id::uuid",
    "ALTER TABLE checkpoint_writes ALTER thread_id TYPE uuid USING thread_id::uuid, "
    "ALTER checkpoint_id TYPE uuid USING checkpoint_id::uuid, ALTER task_id TYPE uuid USING task_id::uuid",
)
"""Makes of the savers' tables such as LangGraph's server keeps, and some people make by hand."""


def test_ids_that_are_no_texts(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables with columns of type uuid tell what those with texts do; a thread of another name is not there."""
    threads = [f"00000000-0000-4000-8000-{number:012}" for number in range(5)]
    monkeypatch.setattr(postgres, "PAGE", 2)
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        graph = around(asking("sure?").compile()).compile(checkpointer=saver)
        for name in threads:
            graph.invoke({"count": 1}, thread(name))
        graph.invoke(Command(resume="yes"), thread(threads[0]))

    def told() -> Any:
        with open_source(postgres_database) as source:
            steps = [normal_form(step) for name in threads for step in source.history(name).steps]
            asked = [(one.key, one.status, one.answer) for one, _ in database_approvals(source)]
            assert list(source.history("t").steps) == []
            versions = source.rows.versions(threads[0]), source.rows.versions("t")
            return [normal_form(one) for one in source.threads()], steps, asked, [list(found) for found in versions]

    as_texts = told()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for statement in UUIDS:
            connection.execute(statement)
    assert told() == as_texts
    assert as_texts[3] == [threads[:1], []]


def test_a_thread_that_is_pruned(postgres_database: str) -> None:
    """What `prune("keep_latest")` leaves is one checkpoint without a parent."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("t"))
        saver.prune(["t"], strategy="keep_latest")
    with open_source(postgres_database) as source:
        [step] = source.history("t").steps
        assert (step.step, step.parent_checkpoint_id, list(step.notes)) == (1, None, [])
        assert [summary.status for summary in source.threads()] == ["interrupted"]


@pytest.mark.parametrize("small", [0, 1 << 30], ids=["large", "small"])
def test_a_stamp_tells_of_writes(postgres_database: str, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    """It stays while nothing is written, and is another one once something was, however large the tables are."""
    monkeypatch.setattr(postgres, "_SMALL_BYTES", small)
    with psycopg.connect(postgres_database, autocommit=True, row_factory=dict_row) as connection:
        saver = PostgresSaver(connection)
        saver.setup()
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("one"))
        connection.execute("SELECT pg_stat_force_next_flush()")  # else it takes up to ten seconds
        with open_source(postgres_database) as source:
            before = source.rows.stamp()
            assert source.rows.stamp() == before
            graph.invoke(Command(resume="yes"), thread("one"))
            connection.execute("SELECT pg_stat_force_next_flush()")
            assert source.rows.stamp() != before
            with connection.transaction():
                connection.execute("UPDATE checkpoints SET metadata = metadata")
                with psycopg.connect(postgres_database, autocommit=True) as other:
                    other.execute("CREATE TABLE later ()")
                before = source.rows.stamp()  # its rows cannot be read yet
            if not small:
                connection.execute("SELECT pg_stat_force_next_flush()")
            assert source.rows.stamp() != before


def test_a_writer_beside_the_reader(postgres_database: str) -> None:
    """Reading in a loop while runs are written never fails, and holds no transaction open between steps."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    done = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with PostgresSaver.from_conn_string(postgres_database) as own:
                graph = refunds().compile(checkpointer=own)
                for number in range(30):
                    graph.invoke({"amount": number}, thread(f"t{number % 2}"))
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    with open_source(postgres_database) as source, psycopg.connect(postgres_database, autocommit=True) as watching:
        while not done.is_set():
            list(source.threads())
            steps = source.history("t0").steps
            next(steps, None)
            query = "SELECT state FROM pg_stat_activity WHERE application_name = 'flightlog'"
            assert watching.execute(query).fetchall() == [("idle",)]
            list(steps)
        writer.join()
        assert failures == []
        assert sum(summary.checkpoints for summary in source.threads()) == 30 * 3


def test_a_hostile_postgres_database(postgres_database: str, tmp_path: Any) -> None:
    """Blobs and documents that name code run nothing when they come from Postgres."""
    marker = tmp_path / "pwned"
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for name, tag, blob in hostile.blobs(marker):
            document = (
                '{"v": 4, "ts": 7, "channel_versions": {"state": "1", "__pregel_tasks": "1"}, "versions_seen": [1]}'
            )
            connection.execute(
                "INSERT INTO checkpoints (thread_id, checkpoint_id, checkpoint, metadata) VALUES (%s, %s, %s, '[]')",
                (name, hostile.CHECKPOINT_ID, document),
            )
            for channel in ("state", "__pregel_tasks"):
                connection.execute(
                    "INSERT INTO checkpoint_blobs (thread_id, channel, version, type, blob) "
                    "VALUES (%s, %s, '1', %s, %s)",
                    (name, channel, tag, blob),
                )
            connection.execute(
                "INSERT INTO checkpoint_writes "
                "(thread_id, checkpoint_id, task_id, task_path, idx, channel, type, blob) "
                "VALUES (%s, %s, 't', '', -3, '__interrupt__', %s, %s)",
                (name, hostile.CHECKPOINT_ID, tag, blob),
            )
    assert main(["threads", "--json", "--checkpoints", postgres_database]) == 0
    assert main(["approvals", "--json", "--checkpoints", postgres_database]) == 0
    assert main(["replay", "ext 0 os.system", "--json", "--checkpoints", postgres_database]) == 0
    assert not marker.exists()


def test_a_view_in_the_place_of_a_table_runs_nothing(postgres_database: str) -> None:
    """What a view calls has the rights of who reads it, and a read-only transaction lets it count, write files and run
    programs: no row of it is asked for.
    """
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for statement in (
            "CREATE SEQUENCE calls",
            "ALTER TABLE checkpoints RENAME TO kept",
            "INSERT INTO kept VALUES ('t', '', '1', NULL, NULL, '{}', '{}')",
            "CREATE FUNCTION ran() RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
            "COPY (SELECT 1) TO PROGRAM 'cat > ran'; RETURN ''; END $$",
            "CREATE VIEW checkpoints AS SELECT thread_id || ran() AS thread_id, checkpoint_ns, checkpoint_id, "
            "parent_checkpoint_id, type, checkpoint, metadata FROM kept",
        ):
            connection.execute(statement.encode())
        for command in (["threads"], ["replay", "t"], ["sql", "FROM checkpoints"]):
            assert main([*command, "--checkpoints", postgres_database]) == 2
        [(folder,)] = connection.execute("SHOW data_directory").fetchall()
        assert connection.execute("SELECT pg_stat_file(%s, true)", [f"{folder}/ran"]).fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("checkpoint_blobs ALTER blob TYPE text", "column blob of checkpoint_blobs is of type text"),
        ("checkpoint_writes ALTER idx TYPE text", "column idx of checkpoint_writes is of type text"),
        ("checkpoints ALTER thread_id TYPE bytea USING ''", "column thread_id of checkpoints is of type bytea"),
        ("checkpoints DROP CONSTRAINT checkpoints_pkey, ALTER checkpoint_ns DROP NOT NULL",
         "column checkpoint_ns of checkpoints may be NULL"),
    ],
)  # fmt: skip
def test_columns_that_hold_something_else(changed: str, said: str, postgres_database: str) -> None:
    """A type that no saver has, and ids that may be missing, are named."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {changed}".encode())
    with pytest.raises(UnreadableError, match=f"cannot be read: {said}"):
        open_source(postgres_database)


def test_rows_without_values(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where columns other than ids are NULL, or a document is too large to be decoded, the thread says so."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for statement in (
            "ALTER TABLE checkpoints ALTER checkpoint DROP NOT NULL, ALTER metadata DROP NOT NULL",
            "ALTER TABLE checkpoint_writes ALTER channel DROP NOT NULL, ALTER task_path DROP NOT NULL, "
            "ALTER blob DROP NOT NULL",
            "INSERT INTO checkpoints VALUES ('t', '', '1', NULL, NULL, NULL, NULL)",
            "INSERT INTO checkpoint_writes VALUES ('t', '', '1', 'x', 0, NULL, NULL, NULL, NULL)",
            "INSERT INTO checkpoints VALUES ('u', '', '1', NULL, NULL, "
            "jsonb_build_object('v', 4, 'x', repeat('x', 2000)), '{}')",
        ):
            connection.execute(statement.encode())
    monkeypatch.setattr(postgres, "MAX_BLOB_BYTES", 1000)
    for command in (["threads"], ["replay", "t"], ["replay", "u"], ["approvals"], ["sql", "FROM state_changes"]):
        assert main([*command, "--checkpoints", postgres_database]) == 0
        assert capsys.readouterr().err in ("", "flightlog: no rows\n")
    assert main(["threads", "--json", "--checkpoints", postgres_database]) == 0
    found = {thread["thread_id"]: thread["note"] for thread in json.loads(capsys.readouterr().out)}
    assert "cannot be decoded" in found["t"]
    assert "cannot be decoded" in found["u"]
