"""Checkpoint databases as tables."""

import json
from pathlib import Path

import duckdb
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog_viewer.store import session
from flightlog_viewer.store.checkpoint_ingest import ingest_history, ingest_threads
from flightlog_viewer.store.checkpoint_tables import create_tables
from tests.viewer.checkpoints.graphs import refunds, thread


def test_tables_of_a_database(tmp_path: Path) -> None:
    """Threads, checkpoints, writes, changes and questions are rows, filled after the session is locked."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("waits"))
        graph.invoke({"amount": 4}, thread("done"))
        graph.invoke(Command(resume="yes"), thread("done"))
    connection = duckdb.connect(":memory:")
    create_tables(connection)
    session.lock(connection)
    ingest_threads(connection, str(path))
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
    assert connection.execute("SELECT status, decision, exact FROM interrupts ORDER BY thread_id").fetchall() == [
        ("answered", "approve", False),
        ("pending", None, False),
    ]
    connection.close()
