"""The accumulator and its checkpointers."""

from pathlib import Path

import pytest

from flightlog_samples.persistence import (
    build_accumulator,
    memory_checkpointer,
    postgres_checkpointer,
    sqlite_checkpointer,
    step,
)
from tests.samples.another_process import python


def test_a_thread_counts_up_and_others_do_not_notice() -> None:
    """Two threads of one graph keep separate counts."""
    graph = build_accumulator(memory_checkpointer())
    assert step(graph, "alice") == {"count": 1, "items": ["tick 1"]}
    assert step(graph, "alice") == {"count": 2, "items": ["tick 1", "tick 2"]}
    assert step(graph, "bob") == {"count": 1, "items": ["tick 1"]}


@pytest.mark.uncounted
@pytest.mark.slow
def test_what_waits_in_a_file_goes_on_in_another_process(tmp_path: Path) -> None:
    """A new process counts on from the saved count, and answers a question that this one asked."""
    from flightlog_samples.human_in_the_loop import build_approval_graph, start

    saver = sqlite_checkpointer(tmp_path / "state.sqlite")
    step(build_accumulator(saver), "alice")
    start(build_approval_graph(saver, str), "wire 5,000 EUR", "wire")
    saver.conn.close()
    said = python(
        """
        import sys
        from flightlog_samples.human_in_the_loop import build_approval_graph, resume
        from flightlog_samples.persistence import build_accumulator, sqlite_checkpointer, step
        saver = sqlite_checkpointer(sys.argv[1])
        print(step(build_accumulator(saver), "alice"))
        print(resume(build_approval_graph(saver, str.upper), "ok", "wire")["result"])
        """,
        str(tmp_path / "state.sqlite"),
    )
    assert said == ["{'count': 2, 'items': ['tick 1', 'tick 2']}", "WIRE 5,000 EUR"]


def test_postgres_keeps_it_too(postgres_database: str) -> None:
    """The count survives a new connection to the server."""
    for expected in (1, 2):
        saver = postgres_checkpointer(postgres_database)
        try:
            assert step(build_accumulator(saver), "alice")["count"] == expected
        finally:
            saver.conn.close()


def test_a_server_that_does_not_answer_is_an_error_at_once() -> None:
    """A wrong URL raises when the checkpointer is made, not at the first step."""
    from psycopg import OperationalError

    with pytest.raises(OperationalError):
        postgres_checkpointer("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
