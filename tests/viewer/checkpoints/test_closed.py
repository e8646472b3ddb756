"""Databases whose values are closed: encrypted or pickled. What is plain in them is shown, what is closed is named."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.checkpoints.graphs import refunds, thread


class Cipher:
    """A cipher that anyone can break, for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """The bytes turned around."""
        return "mirror", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """And back."""
        return ciphertext[::-1]


def test_an_encrypted_sqlite_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps, times, sources, parents and who asks are plain; the state is said to be encrypted."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        saver.serde = EncryptedSerializer(Cipher())
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        graph.invoke({"amount": 4}, thread("answered"))
        [asked] = graph.get_state(thread("answered")).interrupts
        graph.invoke(Command(resume="yes"), thread("answered"))
    with open_source(path) as source:
        answered, waiting = source.threads()
        steps = list(source.history("t").steps)
        [question, _] = [approval for approval, _ in database_approvals(source)]
    assert (answered.status, waiting.status) == ("unknown", "interrupted")
    assert (list(waiting.next), [list(step.next) for step in steps]) == (
        ["approve"],
        [["__start__"], ["plan"], ["approve"]],
    )
    assert (question.interrupt_id, question.status, question.decision) == (asked.id, "answered", None)
    assert [(step.step, step.source) for step in steps] == [(-1, "input"), (0, "loop"), (1, "loop")]
    assert all(step.ts and step.ts.startswith("20") for step in steps)
    assert {note for step in steps for note in step.notes} == {"this checkpoint is encrypted (mirror)"}
    assert main(["replay", "t", "--checkpoints", str(path)]) == 0
    assert main(["replay", "answered", "--checkpoints", str(path)]) == 0
    assert "> end" not in capsys.readouterr().out
    assert main(["threads", "--checkpoints", str(path)]) == 0
    assert "asks (encrypted, " in (shown := capsys.readouterr().out)
    assert "__type__" not in shown


def test_an_encrypted_postgres_database(postgres_database: str) -> None:
    """On Postgres the engine's channels are plain: status and nodes are known, the question is not."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        saver.serde = EncryptedSerializer(Cipher())
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        [asked] = graph.get_state(thread("t")).interrupts
    with open_source(postgres_database) as source:
        [summary] = source.threads()
        [approval] = [approval for approval, _ in database_approvals(source)]
    assert (summary.status, list(summary.next)) == ("interrupted", ["approve"])
    assert (summary.pending[0].id, summary.pending[0].value["__type__"]) == (asked.id, "__encrypted__")
    assert (approval.status, approval.node) == ("pending", "approve")


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_closed_question_of_a_subgraph(depth: int, by_id: bool, postgres_database: str) -> None:
    """It is one question, by the id that answers it, at the thread, at its steps and among the approvals."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        saver.serde = EncryptedSerializer(Cipher())
        builder = asking("one?", "two?")
        for _ in range(depth):
            builder = around(builder.compile())
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("t"))
        ids = [graph.get_state(thread("t")).interrupts[0].id]
        graph.invoke(Command(resume={ids[0]: "a"} if by_id else "a"), thread("t"))
        ids.append(graph.get_state(thread("t")).interrupts[0].id)
        with open_source(postgres_database) as source:
            [summary] = source.threads()
            asked = [question.id for step in source.history("t").steps for _, question in step.pending]
            approvals = [approval for approval, _ in database_approvals(source)]
        assert [question.id for question in summary.pending] == ids[1:]
        assert asked == ids[1:] * (depth + 1)
        assert [(one.interrupt_id, one.status, one.node) for one in approvals] == [
            (ids[0], "answered", "ask"),
            (ids[1], "pending", "ask"),
        ]
        graph.invoke(Command(resume={ids[1]: "b"} if by_id else "b"), thread("t"))
    with open_source(postgres_database) as source:
        approvals = [approval for approval, _ in database_approvals(source)]
        [summary] = source.threads()
    assert [(one.interrupt_id, one.status) for one in approvals] == [(name, "answered") for name in ids]
    assert not summary.pending


def test_a_pickled_value_stays_closed(tmp_path: Path) -> None:
    """A value that LangGraph could only pickle is shown as closed, with its size."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        saver.serde = JsonPlusSerializer(pickle_fallback=True)
        saver.setup()
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"}}
        saver.conn.execute(
            "INSERT INTO checkpoints VALUES ('t', '', 'c', NULL, 'msgpack', x'80', ?)",
            (b'{"step": 0, "source": "loop"}',),
        )
        saver.put_writes(config, [("decision", {1, "x"})], "task", "~__pregel_pull, node")
        saver.conn.execute("UPDATE writes SET type = 'pickle'")
        saver.conn.commit()
    with open_source(path) as source:
        [step] = source.history("t").steps
    assert step.tasks[0].writes["decision"]["__type__"] == "__opaque__"
