"""Databases whose values are closed: encrypted or pickled. What is plain in them is shown, what is closed is named."""

import json
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langgraph.types import Command

import flightlog
from flightlog_viewer import open_store
from flightlog_viewer.analysis.step_document import document
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


class Leaving(EncryptedSerializer):
    """Reads what was encrypted and writes it plain, as an application does that gives up on it."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Not encrypted."""
        return self.serde.dumps_typed(obj)


class Lists(TypedDict, total=False):
    """Two lists, which Postgres keeps in rows of their own."""

    written: list[str]
    kept: list[str]


def fail(state: Lists) -> Lists:
    """Fail."""
    raise ValueError("no such account")


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


def test_what_changed_in_closed_states(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is unknown, which is not nothing, also between a readable state and a closed one."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
        saver.serde = EncryptedSerializer(Cipher())
        graph.update_state(thread("t"), {"amount": 4})
        saver.serde = Leaving(Cipher())
        graph.update_state(thread("t"), {"amount": 5})
    with open_source(path) as source:
        *_, before, hidden, after = source.history("t").steps
    assert (before.changes is None, hidden.changes, after.changes) == (False, None, None)
    assert (hidden.changes_since(before, {}), after.changes_since(hidden, {})) == (None, None)
    assert [change.path for change in after.changes_since(before, {}) or ()] == ["amount"]
    assert list(after.notes) == ["what changed cannot be told: the checkpoint before it is closed"]
    shown = document("Changes", hidden, hidden.changes, "parent", [], {})
    assert "what changed cannot be told: a checkpoint is closed" in [block.text for block in shown.blocks]
    assert main(["replay", "t", str(path), "--json"]) == 0
    assert [step["changes"] for step in json.loads(capsys.readouterr().out)["steps"][-2:]] == [None, None]
    assert main(["replay", "t", str(path), "--diff", before.checkpoint_id, hidden.checkpoint_id]) == 2
    said = f"what changed cannot be told: of step {hidden.step}, this checkpoint is encrypted (mirror)"
    assert capsys.readouterr().err == f"flightlog: {said}\n"


def test_a_closed_channel_that_was_written(postgres_database: str) -> None:
    """It has changed, though its value is of the same size; one that was not written has not."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        saver.serde = EncryptedSerializer(Cipher())
        builder = StateGraph(Lists)
        builder.add_node("swap", lambda _: {"written": ["b"]})
        builder.add_edge(START, "swap")
        builder.compile(checkpointer=saver).invoke({"written": ["a"], "kept": ["k"]}, thread("t"))
    with open_source(postgres_database) as source:
        *_, last = source.history("t").steps
    [change] = last.changes or []
    assert (change.op, change.path, change.node) == ("changed", "written", "swap")
    assert change.before["nbytes"] == change.after["nbytes"]


def test_spans_tell_what_is_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Questions, answers and failures that a database holds encrypted are shown from span files."""
    path, spans = str(tmp_path / "x.sqlite"), str(tmp_path / "trace.jsonl")
    with SqliteSaver.from_conn_string(path) as saver:
        saver.serde = EncryptedSerializer(Cipher())
        graph = refunds().compile(checkpointer=saver)
        with flightlog.trace(spans):
            graph.invoke({"amount": 3}, thread("asked"))
            graph.invoke({"amount": 4}, thread("answered"))
            graph.invoke(Command(resume="yes"), thread("answered"))
            builder = StateGraph(Lists)
            builder.add_node("fail", fail)
            builder.add_edge(START, "fail")
            with pytest.raises(ValueError, match="no such account"):
                builder.compile(checkpointer=saver).invoke({"written": []}, thread("failed"))
    assert main(["threads", path, "--json"]) == 0
    alone = {one["thread_id"]: one for one in json.loads(capsys.readouterr().out)}
    assert (alone["failed"]["status"], alone["failed"]["error"]["__type__"]) == ("errored", "__encrypted__")
    assert main(["threads", path]) == 0
    assert "this checkpoint is encrypted (mirror); failed: (encrypted, " in capsys.readouterr().out
    assert main(["threads", spans, "--checkpoints", path]) == 0
    assert "this checkpoint is encrypted (mirror); failed: ValueError: no such account" in capsys.readouterr().out
    assert main(["approvals", path, "--json"]) == 0
    assert {one["decision"] for one in json.loads(capsys.readouterr().out)["approvals"]} == {None}
    assert main(["approvals", spans, path, "--json"]) == 0
    told = {one["thread_id"]: one for one in json.loads(capsys.readouterr().out)["approvals"]}
    assert (told["answered"]["decision"], told["answered"]["answer"]) == ("approve", "yes")
    assert told["asked"]["question"] == {"question": "refund?", "amount": 6}


def test_the_status_of_a_closed_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest run tells it where the checkpoint cannot, in the command and in SQL; one that ended well does not."""
    path, spans = str(tmp_path / "x.sqlite"), str(tmp_path / "trace.jsonl")
    with SqliteSaver.from_conn_string(path) as saver, flightlog.JsonlTracer(spans) as tracer:
        saver.serde = EncryptedSerializer(Cipher())
        builder = StateGraph(Lists).add_node("again", lambda _: {"written": ["more"]})
        builder.add_edge(START, "again").add_edge("again", "again")
        endless = builder.compile(checkpointer=saver)
        for name in ("limit", "stream"):
            here: Any = {**thread(name), "callbacks": [tracer], "recursion_limit": 3}
            if name == "limit":
                with pytest.raises(GraphRecursionError):
                    endless.invoke({"written": []}, here)
            else:
                next(iter(endless.stream({"written": []}, here)))
        paused: Any = builder.compile(checkpointer=saver, interrupt_before=["again"])
        paused.invoke({"written": []}, {**thread("paused"), "callbacks": [tracer]})
        ends: Any = StateGraph(Lists).add_node("once", lambda _: {"written": []}).add_edge(START, "once")
        ends.compile(checkpointer=saver).invoke({"written": []}, {**thread("well"), "callbacks": [tracer]})
        with flightlog.trace(str(tmp_path / "other.jsonl")):
            ends.compile(checkpointer=saver).invoke({"written": []}, thread("alone"))
    assert main(["threads", spans, "--checkpoints", path, "--json"]) == 0
    told = {one["thread_id"]: (one["status"], one["inferred"]) for one in json.loads(capsys.readouterr().out)}
    assert told == {
        "limit": ("errored", True),
        "stream": ("errored", True),
        "paused": ("interrupted", True),
        "well": ("unknown", False),
        "alone": ("unknown", False),
    }
    with open_store(spans, checkpoints=path, cache=False) as store:
        rows = store.sql("SELECT thread_id, status, inferred FROM threads").fetchall()
    assert {row[0]: row[1:] for row in rows} == told


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
