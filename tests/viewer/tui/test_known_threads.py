"""A database that changes while it is looked at: only threads with new rows are read again."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.checkpoints.rows import CheckpointRow, Key
from flightlog_viewer.tui.questions.known_threads import KnownThreads
from tests.viewer.checkpoints.graphs import payments, refunds, thread


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that is not set up yet."""
    if request.param == "sqlite":
        return str(tmp_path / "x.sqlite")
    return str(request.getfixturevalue("postgres_database"))


def saver_of(target: str) -> Any:
    """LangGraph's saver for it."""
    return (PostgresSaver if "://" in target else SqliteSaver).from_conn_string(target)


def look(known: KnownThreads, target: str, pauses: dict[str, set[str]] | None = None) -> set[str]:
    """Ask for everything, compare it with what a reader without memory finds; the threads whose rows were read."""
    read: set[str] = set()
    given = pauses or {}
    with open_source(target) as source:
        fetch: Callable[[Sequence[Key]], list[CheckpointRow]] = source.rows.fetch

        def watched(keys: Sequence[Key]) -> list[CheckpointRow]:
            read.update(key.thread_id for key in keys)
            return fetch(keys)

        source.rows.fetch = watched  # type: ignore[method-assign]
        threads, approvals = known.threads(source), known.approvals(source, given)
        steps = known.steps(source, "a")
    with open_source(target) as source:
        assert threads == list(source.threads())
        assert approvals == [approval for approval, _ in database_approvals(source, pauses=given)]
        assert steps == list(source.history("a").steps)
    return read


def two_threads(path: Path) -> None:
    """Threads `a` and `b`, each with a question."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        for name in ("a", "b"):
            graph.invoke({"amount": 1}, thread(name))


def fails(state: Any) -> Any:
    """A node."""
    raise ValueError("broken")


def test_what_langgraph_does_to_a_thread_is_seen(target: str) -> None:
    """Runs, questions, answers, failures, updates, forks and deletions: the answers are those of a first look."""
    known = KnownThreads()
    with saver_of(target) as saver:
        saver.setup()
        graph = refunds().compile(checkpointer=saver)
        broken = payments().add_node("fails", fails).add_edge("pay", "fails").compile(checkpointer=saver)
        look(known, target)
        for name in ("a", "b", "c"):
            graph.invoke({"amount": 1}, thread(name))
        assert look(known, target) == {"a", "b", "c"}
        assert look(known, target) == set()
        graph.invoke(Command(resume=True), thread("b"))
        assert look(known, target) == {"b"}
        with suppress(ValueError):
            broken.invoke({"amount": 1}, thread("d"))
        assert look(known, target) == {"d"}
        newest = graph.get_state(thread("a")).config
        saver.put_writes(newest, [("__error__", "ValueError('late')")], "late")
        assert look(known, target) == {"a"}
        saver.put_writes(newest, [("__error__", "ValueError('later')")], "late")
        assert look(known, target) == {"a"}
        graph.update_state(thread("a"), {"amount": 7})
        assert look(known, target) == {"a"}
        graph.update_state(thread("c"), None, as_node="__copy__")
        assert look(known, target) == {"c"}
        saver.delete_thread("d")
        assert look(known, target) == set()
        saver.delete_thread("a")
        graph.invoke({"amount": 2}, thread("a"))
        assert look(known, target) == {"a"}
        checkpoint_id = graph.get_state(thread("b")).config["configurable"]["checkpoint_id"]
        assert look(known, target, {"b": {checkpoint_id}}) == {"b"}
        assert look(known, target, {"b": {checkpoint_id}}) == set()


def test_a_thread_that_was_deleted_and_run_again_is_seen(target: str) -> None:
    """The same run once more has as many rows as before, in the places of the old ones."""
    known = KnownThreads()
    with saver_of(target) as saver:
        saver.setup()
        graph = refunds().compile(checkpointer=saver)
        for amount in (1, 2):
            graph.invoke({"amount": amount}, thread("a"))
            assert look(known, target) == {"a"}
            saver.delete_thread("a")


def test_a_row_written_again_is_seen(tmp_path: Path) -> None:
    """A row that was replaced under its own key counts as new, as does the only row that is left of several."""
    path = tmp_path / "x.sqlite"
    known = KnownThreads()
    two_threads(path)
    look(known, str(path))
    connection = sqlite3.connect(path)
    for change in (
        "INSERT OR REPLACE INTO checkpoints SELECT * FROM checkpoints WHERE thread_id = 'a' LIMIT 1",
        "INSERT OR REPLACE INTO writes SELECT * FROM writes WHERE thread_id = 'a' AND channel = '__interrupt__'",
        "DELETE FROM writes WHERE thread_id = 'a' AND channel = '__interrupt__'",
        "DELETE FROM checkpoints WHERE rowid IN (SELECT min(rowid) FROM checkpoints WHERE thread_id = 'a')",
    ):
        with connection:
            connection.execute(change)
        assert look(known, str(path)) == {"a"}
    connection.close()


def test_a_database_that_cannot_tell_is_read_again(tmp_path: Path) -> None:
    """Row numbers that cannot be added up, and damage, cost the memory and nothing else."""
    path = tmp_path / "x.sqlite"
    known = KnownThreads()
    two_threads(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE writes SET rowid = 9223372036854775807 - rowid")
    connection.close()
    assert look(known, str(path)) == {"a", "b"}
    assert look(known, str(path)) == {"a", "b"}
