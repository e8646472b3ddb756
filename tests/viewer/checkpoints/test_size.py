"""Databases whose rows are larger than what is decoded, or pretend to be."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints import open_source, threads
from flightlog_viewer.checkpoints.decode import MAX_BLOB_BYTES
from flightlog_viewer.checkpoints.rows import CheckpointRow, Key
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.checkpoints.graphs import refunds, thread

TOO_LARGE = {"__type__": "__undecodable__", "__note__": "larger than what is decoded", "nbytes": MAX_BLOB_BYTES + 1}


def recorded(path: Path, *names: str) -> sqlite3.Connection:
    """A database with threads that wait for an answer."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        for name in names:
            graph.invoke({"amount": 1}, thread(name))
    return sqlite3.connect(path)


@pytest.mark.parametrize(
    ("table", "column"), [("checkpoints", "metadata"), ("checkpoints", "type"), ("writes", "type")]
)
def test_computed_columns_are_refused(tmp_path: Path, table: str, column: str) -> None:
    """A column that is computed can make gigabytes out of a small file: LangGraph has none, and none is read."""
    path = tmp_path / "x.sqlite"
    connection = recorded(path, "t")
    connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} BLOB AS (zeroblob(900000000))")
    connection.close()
    with pytest.raises(UnreadableError, match=f"its table {table} has no column {column}"):
        open_source(path)


def test_what_is_too_large_stays_on_the_disk(tmp_path: Path) -> None:
    """A state or a written value over the limit is named with its size and not read; the rest is shown."""
    path = tmp_path / "x.sqlite"
    with recorded(path, "t", "u") as connection:
        connection.execute(
            f"UPDATE checkpoints SET checkpoint = zeroblob({MAX_BLOB_BYTES + 1}) WHERE thread_id = 't' "
            "AND checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 't')"
        )
        connection.execute(
            f"UPDATE writes SET value = zeroblob({MAX_BLOB_BYTES + 1}) WHERE thread_id = 'u' AND channel = 'amount'"
        )
    connection.close()
    with open_source(path) as source:
        fetched = source.rows.fetch(source.rows.keys("t"))
        assert sum(row.size for row in fetched) < 1_000_000
        first, second = source.threads()
        assert (first.status, second.status) == ("interrupted", "interrupted")
        assert first.note == "this checkpoint cannot be decoded: larger than what is decoded"
        *before, last = source.history("t").steps
        assert last.notes == ["this checkpoint cannot be decoded: larger than what is decoded"]
        assert before[-1].values["amount"] == 1
        written = [task.writes["amount"] for step in source.history("u").steps for task in step.tasks if task.writes]
        assert TOO_LARGE in written


def test_a_large_channel_in_postgres(postgres_database: str) -> None:
    """A channel value over the limit is named with its size, and is not taken for None."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        refunds().compile(checkpointer=saver).invoke({"amount": 1, "outcome": {"a": [1]}}, thread("t"))
    with psycopg.connect(postgres_database) as connection:
        connection.execute(
            "UPDATE checkpoint_blobs SET blob = convert_to(repeat('x', %s), 'UTF8') WHERE channel = 'outcome'",
            (MAX_BLOB_BYTES + 1,),
        )
    with open_source(postgres_database) as source:
        *_, last = source.history("t").steps
        assert last.values["outcome"] == TOO_LARGE
        assert last.values["amount"] == 2


def test_large_checkpoints_are_listed_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many newest checkpoints are in memory at once follows from how large they are."""
    path = tmp_path / "x.sqlite"
    names = [f"t{number:02}" for number in range(30)]
    recorded(path, *names).close()
    together: list[int] = []
    with open_source(path) as source:
        fetch: Callable[[Sequence[Key]], list[CheckpointRow]] = source.rows.fetch

        def watched(keys: Sequence[Key]) -> list[CheckpointRow]:
            together.append(len(keys))
            return fetch(keys)

        monkeypatch.setattr(source.rows, "fetch", watched)
        assert [summary.thread_id for summary in source.threads()] == names
        assert together == [4, 16, 10]
        together.clear()
        monkeypatch.setattr(threads, "BATCH_BYTES", 1)
        assert [summary.thread_id for summary in source.threads()] == names
        assert together == [4, *[1] * 26]


def test_subgraphs_that_are_over_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To know who asks, a thread with thousands of subgraphs behind it needs those of its open question only."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = around(asking("ok?").compile()).compile(checkpointer=saver)
        for turn in range(4):
            graph.invoke({"count": turn}, thread("t"))
            if turn < 3:
                graph.invoke(Command(resume="yes"), thread("t"))
    asked_for: list[Key] = []
    with open_source(path) as source:
        fetch: Callable[[Sequence[Key]], list[CheckpointRow]] = source.rows.fetch

        def watched(keys: Sequence[Key]) -> list[CheckpointRow]:
            asked_for.extend(keys)
            return fetch(keys)

        monkeypatch.setattr(source.rows, "fetch", watched)
        [summary] = source.threads()
        [question] = summary.pending
        assert len(source.namespaces("t")) == 5
    assert [key.checkpoint_ns for key in asked_for] == ["", question.checkpoint_ns]
