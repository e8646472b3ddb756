import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from flightlog.errors import UnreadableError
from flightlog_viewer import open_store
from tests.viewer.store.records import llm, span, write


def run(run_id: str, second: int, **fields: Any) -> dict[str, Any]:
    """A root span of one second."""
    return span(
        run_id, trace=run_id, start_time=f"2026-11-20T12:00:{second:02}Z", duration_ms=1000, thread_id="t", **fields
    )


def test_active_waiting_and_wall_time(tmp_path: Path) -> None:
    """Waiting is the time from a run that stopped for a human to the thread's next run."""
    path = write(
        tmp_path / "a.jsonl",
        run("a", 0, status="interrupted"),
        run("b", 31),
        llm("call", "b", trace="b", thread_id="t"),
        run("c", 41, status="error"),
    )
    with open_store(path) as store:
        rows = store.sql(
            "SELECT thread_id, status, runs, active_ms, waiting_ms, wall_ms, total_tokens, span_count, first_start "
            "FROM threads"
        ).fetchall()
    assert rows == [("t", "errored", 3, 3000, 30000, 42000, 15, 4, datetime(2026, 11, 20, 12))]


def test_whose_thread_it_is(tmp_path: Path) -> None:
    """The newest run tells it, however large its metadata are; writing to the state by hand is no run."""
    large = {"tenant": "acme", "prompt": "x" * 5_000}
    path = write(
        tmp_path / "a.jsonl",
        run("a", 0, service="bot", metadata={"tenant": "other"}),
        run("b", 10, service="desk", metadata=large),
        run("c", 20, name="graphUpdateState", kind="graph"),
    )
    with open_store(path) as store:
        rows = store.sql(
            "SELECT trace_id, service, last_end FROM threads WHERE metadata->>'tenant' = 'acme'"
        ).fetchall()
    assert rows == [("b", "desk", datetime(2026, 11, 20, 12, 0, 21))]


def test_a_database_without_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoint databases can be asked without any span file, and what is no database is refused."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableError):
        open_store(checkpoints=[str(tmp_path / "missing.sqlite")])
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as database:
        database.execute("CREATE TABLE other (x)")
    with pytest.raises(UnreadableError):
        open_store(checkpoints=[str(tmp_path / "c.sqlite")])


@pytest.mark.parametrize(
    "form", [str, Path, lambda path: [str(path)], lambda path: (path,)], ids=["str", "Path", "list", "tuple"]
)
def test_a_database_is_given_in_any_form(tmp_path: Path, form: Callable[[Path], Any]) -> None:
    """One database needs no list around it, and a path may be a Path, as for span files."""
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as database:
        SqliteSaver(database).setup()
    with open_store(checkpoints=form(tmp_path / "c.sqlite")) as store:
        assert store.sql("SELECT count(*) FROM checkpoints").fetchall() == [(0,)]


def test_a_run_inside_a_chain(tmp_path: Path) -> None:
    """A thread is as its graph left it, whatever the chain around the graph made of that; each call is a run."""
    graph = {"kind": "graph", "thread_id": "t"}
    path = write(
        tmp_path / "a.jsonl",
        span("r", start_time="2026-11-20T12:00:00Z", duration_ms=60_000),
        span("a", "r", start_time="2026-11-20T12:00:01Z", duration_ms=1000, status="interrupted", **graph),
        span("b", "r", start_time="2026-11-20T12:00:32Z", duration_ms=1000, status="interrupted", **graph),
        llm("call", "b", thread_id="t"),
        span("other", "call", kind="graph", thread_id="u", node="n", status="error"),
        span("inner", "other", kind="graph", thread_id="u", node="m"),
    )
    with open_store(path) as store:
        rows = store.sql(
            "SELECT thread_id, status, runs, active_ms, waiting_ms, span_count FROM threads ORDER BY ALL"
        ).fetchall()
        newest = {row["thread_id"]: row["status"] for row in store.query("newest_runs")}
    assert rows == [("t", "interrupted", 2, 2000, 30000, 3), ("u", "errored", 1, 100, 0, 2)]
    assert newest == {"t": "interrupted", "u": "error"}


def test_several_threads_in_one_trace(tmp_path: Path) -> None:
    """A handler that runs a batch of threads: each has the tokens and failures of its own spans."""
    path = write(
        tmp_path / "a.jsonl",
        span("r"),
        *(span(name, "r", kind="graph", thread_id=name) for name in ("a", "b")),
        llm("x", "a", thread_id="a"),
        llm("y", "b", tokens=(1, 2), thread_id="b", status="error"),
        llm("z", "b", thread_id="b"),
    )
    with open_store(path) as store:
        rows = store.sql(
            "SELECT thread_id, span_count, error_count, total_tokens, unknown_costs FROM threads ORDER BY ALL"
        ).fetchall()
    assert rows == [("a", 2, 0, 15, 0), ("b", 3, 1, 18, 0)]
