"""Checkpoint databases as tables."""

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.approvals.databases import whole_picture
from flightlog_viewer.approvals.span_side import SpanSide
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.kept import KnownSummaries
from flightlog_viewer.checkpoints.opened import Opened, open_row
from flightlog_viewer.checkpoints.rows import CheckpointRow
from flightlog_viewer.store import checkpoint_ingest, session
from flightlog_viewer.store.checkpoint_ingest import ingest_history, ingest_interrupts, ingest_threads
from flightlog_viewer.store.checkpoint_tables import create_tables
from tests.viewer.checkpoints.graphs import payments, refunds, thread


@pytest.mark.parametrize("most", [checkpoint_ingest.BATCH_TEXT, 1])
def test_tables_of_a_database(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, checkpoints, writes, changes and questions are rows, filled after the session is locked.

    However much text is handed over at a time.
    """
    monkeypatch.setattr(checkpoint_ingest, "BATCH_TEXT", most)
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("waits"))
        graph.invoke({"amount": 4}, thread("done"))
        graph.invoke(Command(resume="yes"), thread("done"))
    connection = duckdb.connect(":memory:")
    create_tables(connection)
    session.lock(connection)
    known = KnownSummaries()
    ingest_threads(connection, str(path), known)
    ingest_history(connection, str(path))

    rows = connection.execute("SELECT thread_id, status, steps, pending FROM thread_states ORDER BY 1").fetchall()
    assert [row[:3] for row in rows] == [("done", "finished", 3), ("waits", "interrupted", 1)]
    assert json.loads(rows[1][3])[0]["value"] == {"question": "refund?", "amount": 6}
    assert connection.execute("SELECT count(*) FROM checkpoints WHERE thread_id = 'done'").fetchone() == (5,)
    assert connection.execute(
        "SELECT node, value FROM writes WHERE thread_id = 'done' AND channel = 'amount' ORDER BY value"
    ).fetchall() == [("__start__", "4"), ("plan", "8")]
    assert connection.execute(
        "SELECT op, before, after, node FROM state_changes WHERE path = 'amount' AND thread_id = 'done' ORDER BY step"
    ).fetchall() == [("added", None, "4", "__start__"), ("changed", "4", "8", "plan")]
    ingest_interrupts(connection, whole_picture([str(path)], SpanSide()))
    assert connection.execute("SELECT status, decision, exact FROM interrupts ORDER BY thread_id").fetchall() == [
        ("answered", "approve", False),
        ("pending", None, False),
    ]
    with SqliteSaver.from_conn_string(str(path)) as saver:
        refunds().compile(checkpointer=saver).invoke(Command(resume="no"), thread("waits"))
    read: list[str] = []

    def reads(row: CheckpointRow, decoder: Decoder, **how: Any) -> Opened:
        read.append(row.key.thread_id)
        return open_row(row, decoder, **how)

    monkeypatch.setattr("flightlog_viewer.checkpoints.threads.open_row", reads)
    ingest_threads(connection, str(path), known)
    assert connection.execute("SELECT thread_id, status FROM thread_states ORDER BY 1").fetchall() == [
        ("done", "finished"),
        ("waits", "finished"),
    ]
    assert set(read) == {"waits"}, "of a thread that has not changed nothing is read again"
    connection.close()


def test_interrupts_are_those_of_databases_and_spans(tmp_path: Path) -> None:
    """One row a question, merged by its id: exact times from the spans, and what only one of the two knows."""
    path, spans = tmp_path / "x.sqlite", tmp_path / "spans.jsonl"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 2}, thread("untraced"))
        with JsonlTracer(spans) as tracer:
            for name in ("both", "deleted"):
                traced = {**thread(name), "callbacks": [tracer]}
                graph.invoke({"amount": 3}, traced)
                graph.invoke(Command(resume={"approved": False, "decided_by": "ana"}), traced)
        saver.delete_thread("deleted")
    query = "SELECT thread_id, origin, status, decision, decided_by, exact, database FROM interrupts ORDER BY thread_id"
    with open_store([str(spans)], checkpoints=[str(path)], cache=False) as store:
        assert store.sql(query).fetchall() == [
            ("both", "both", "answered", "reject", "ana", True, str(path)),
            ("deleted", "spans", "answered", "reject", "ana", True, None),
            ("untraced", "database", "pending", None, None, False, str(path)),
        ]
    with open_store([str(spans)], cache=False) as store:
        assert [row[:3] for row in store.sql(query).fetchall()] == [
            ("both", "spans", "answered"),
            ("deleted", "spans", "answered"),
        ]


def test_a_static_breakpoint_that_spans_tell_of_is_an_interrupt(tmp_path: Path) -> None:
    """The pause has its node from the database and its times from the spans."""
    path, spans = tmp_path / "x.sqlite", tmp_path / "spans.jsonl"
    with SqliteSaver.from_conn_string(str(path)) as saver, JsonlTracer(spans) as tracer:
        graph = payments().compile(checkpointer=saver, interrupt_before=["pay"])
        traced = {**thread("t"), "callbacks": [tracer]}
        graph.invoke({"amount": 3}, traced)
        graph.invoke(None, traced)
    with open_store([str(spans)], checkpoints=[str(path)], cache=False) as store:
        rows = store.sql("SELECT node, origin, breakpoint, status, exact FROM interrupts").fetchall()
    assert rows == [("pay", "both", True, "answered", True)]


def test_a_database_that_goes_on_is_read_again(tmp_path: Path) -> None:
    """After a refresh every table shows what the database holds now; what is gone stays as it was, with a sentence."""
    path = tmp_path / "x.sqlite"
    tables = ("threads", "checkpoints", "writes", "state_changes", "interrupts")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("a"))
        with open_store([], checkpoints=[str(path)], cache=False) as store:

            def counts() -> list[int]:
                return [
                    store.sql(f"SELECT count(DISTINCT thread_id) FROM {table}").fetchall()[0][0] for table in tables
                ]

            assert counts() == [1] * 5
            graph.invoke({"amount": 4}, thread("b"))
            graph.invoke(Command(resume="yes"), thread("a"))
            assert counts() == [1] * 5
            store.refresh()
            assert counts() == [2] * 5
            assert store.sql("SELECT status FROM interrupts ORDER BY thread_id").fetchall() == [
                ("answered",),
                ("pending",),
            ]
            assert store.problems == []
            path.rename(tmp_path / "elsewhere.sqlite")
            store.refresh()
            assert counts() == [2] * 5
            assert store.problems == [f"{path} does not exist; what was read of it before is shown"]


def test_an_unchanged_database_is_not_read_again(tmp_path: Path) -> None:
    """A refresh costs a look at the files when nothing has been written for a while."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("a"))
    os.utime(path, (1, 1))
    with open_store([], checkpoints=[str(path)], cache=False) as store:
        store.sql("SELECT * FROM checkpoints").close()
        content = path.read_bytes()
        path.write_bytes(b"no longer a database".ljust(len(content)))
        os.utime(path, (1, 1))
        store.refresh()
        assert store.sql("SELECT count(*) FROM threads").fetchall() == [(1,)]
        assert store.problems == []


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("SELECT interrupts FROM spans WHERE row_id = ?", [0]),
        ("SELECT interrupts, checkpoints FROM (SELECT *, 1 AS checkpoints FROM spans) WHERE row_id = $row", {"row": 0}),
        ("SELECT '?' AS \"$writes\", interrupts FROM spans -- a ? of interrupts\nWHERE row_id = ?", [0]),
    ],
)
def test_a_column_that_is_named_like_a_table_reads_no_database(tmp_path: Path, query: str, params: Any) -> None:
    """A query with parameters costs what its tables cost, whatever its columns are called."""
    path, spans = tmp_path / "x.sqlite", tmp_path / "spans.jsonl"
    with SqliteSaver.from_conn_string(str(path)) as saver, JsonlTracer(spans) as tracer:
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, {**thread("a"), "callbacks": [tracer]})
    with open_store([str(spans)], checkpoints=[str(path)], cache=False) as store:
        path.rename(tmp_path / "elsewhere.sqlite")
        store.refresh()
        assert len(store.sql(query, params).fetchall()) == 1
        assert store.problems == []
        assert store.sql("SELECT * FROM interrupts WHERE thread_id = ?", ["a"]).fetchall() == []
        assert store.problems == [f"{path} does not exist; what was read of it before is shown"]
