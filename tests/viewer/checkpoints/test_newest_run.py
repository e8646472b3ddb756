"""What spans beside a checkpoint database say about a thread: what its run died in, what it failed with."""

import json
import os
import signal
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.analysis.step_document import document
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main


class Count(TypedDict):
    n: int


@tool
def pay(n: int) -> int:
    """Pay, and die of it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return n


def _run(folder: Path, thread: str, node: Any, **config: Any) -> None:
    """A graph of one node that leads to itself, recorded on both sides."""
    graph = StateGraph(Count).add_node("work", node).add_edge(START, "work").add_edge("work", "work")
    with SqliteSaver.from_conn_string(str(folder / "db.sqlite")) as saver, JsonlTracer(folder / "s.jsonl") as tracer:
        compiled: Any = graph.compile(checkpointer=saver)
        settings = {"configurable": {"thread_id": thread}, "callbacks": [tracer], **config}
        compiled.invoke({"n": 0}, settings, durability="sync")  # or the kill may come before the first checkpoint


def _folder_threads(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    command = ["threads", str(folder / "s.jsonl"), "--checkpoints", str(folder / "db.sqlite"), "--no-cache", "--json"]
    assert main(command) == 0
    return {row["thread_id"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_thread_repaired_by_hand_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After `update_state` a failed thread waits for its next run, in the command and in SQL, until that fails too."""

    def fails(state: Count) -> Count:
        raise ValueError("no")

    for thread in ("failed", "repaired", "again"):
        with pytest.raises(ValueError, match="no"):
            _run(tmp_path, thread, fails)
    graph = StateGraph(Count).add_node("work", fails).add_edge(START, "work")
    with (
        SqliteSaver.from_conn_string(str(tmp_path / "db.sqlite")) as saver,
        JsonlTracer(tmp_path / "s.jsonl") as tracer,
    ):
        compiled: Any = graph.compile(checkpointer=saver)
        for thread in ("repaired", "again"):
            compiled.update_state({"configurable": {"thread_id": thread}}, {"n": 7})
        with pytest.raises(ValueError, match="no"):
            compiled.invoke(None, {"configurable": {"thread_id": "again"}, "callbacks": [tracer]})
    found = _folder_threads(tmp_path, capsys)
    assert (found["failed"]["status"], found["failed"]["inferred"]) == ("errored", False)
    assert (found["again"]["status"], found["again"]["error"]) == ("errored", "ValueError('no')")
    repaired = found["repaired"]
    assert (repaired["status"], repaired["inferred"], repaired["source"]) == ("interrupted", True, "update")
    with open_store(tmp_path / "s.jsonl", checkpoints=tmp_path / "db.sqlite", cache=False) as store:
        rows = store.sql("SELECT thread_id, status, inferred, source FROM threads").fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        name: (row["status"], row["inferred"], row["source"]) for name, row in found.items()
    }


def test_an_answer_after_which_nothing_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where its node was renamed, the thread did not go on: it failed; where it was given twice, nothing is wrong."""

    def ask(state: Count) -> Count:
        return {"n": interrupt("pay?")}

    paths = [str(tmp_path / "s.jsonl"), str(tmp_path / "db.sqlite"), "--no-cache"]
    for node, threads, given in (
        ("review", ("renamed", "twice", "waits"), {"n": 0}),
        ("review", ("twice",), Command(resume=5)),
        ("human_review", ("renamed", "twice"), Command(resume=6)),
    ):
        graph = StateGraph(Count).add_node(node, ask).add_edge(START, node)
        with SqliteSaver.from_conn_string(paths[1]) as saver, JsonlTracer(paths[0]) as tracer:
            compiled: Any = graph.compile(checkpointer=saver)
            for thread in threads:
                compiled.invoke(given, {"configurable": {"thread_id": thread}, "callbacks": [tracer]})
    found = _folder_threads(tmp_path, capsys)
    statuses = {name: (row["status"], row["inferred"]) for name, row in found.items()}
    assert statuses == {"renamed": ("errored", True), "twice": ("finished", False), "waits": ("interrupted", False)}
    assert found["renamed"]["error"] == "answered, but review did not run: still in the graph?"
    with open_store(paths[0], checkpoints=paths[1], cache=False) as store:
        rows = store.sql("SELECT thread_id, status, inferred FROM threads").fetchall()
    assert {row[0]: row[1:] for row in rows} == statuses
    with open_source(paths[1]) as source:
        step = list(source.history("renamed").steps)[-1]
    last = TraceRow("t", "g", "ok", 2**52, 1.0, 1, 0, None, None, "renamed")
    shown = {tab: document(tab, step, (), "parent", [last], {}, newest=True) for tab in ("Changes", "Interrupts")}
    assert "answered, but review did not run" in shown["Changes"].blocks[0].text
    assert [block.text for block in shown["Interrupts"].blocks if block.key == "answer"] == ["6"]
    assert main(["approvals", *paths]) == 0
    said = capsys.readouterr().out.partition("2 answers came and nothing ran: ")[2].splitlines()
    assert [line.split()[0] for line in said[1:3]] == ["renamed", "twice"]
    assert said[2].endswith("answered 6")
    assert main(["approvals", *paths, "--json"]) == 0
    assert [run["thread_id"] for run in json.loads(capsys.readouterr().out)["in_vain"]] == ["renamed", "twice"]
    assert main(["show", "last", paths[0], "--no-cache"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("answered 6, and nothing ran")


def test_what_a_thread_died_in_and_failed_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A killed run names its innermost span that was in flight; one over the recursion limit its error."""
    with pytest.raises(GraphRecursionError):
        _run(tmp_path, "loops", lambda state: {"n": state["n"] + 1}, recursion_limit=3)
    child = os.fork()
    if child == 0:
        _run(tmp_path, "dies", lambda state: {"n": pay.invoke({"n": state["n"]})})
        os._exit(1)  # never reached
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    command = ["threads", str(tmp_path / "s.jsonl"), "--checkpoints", str(tmp_path / "db.sqlite"), "--no-cache"]
    assert main(command) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "crashed" in lines["dies"]
    assert lines["dies"].endswith("was running pay")
    assert "failed: langgraph.errors.GraphRecursionError: Recursion limit of 3" in lines["loops"]
    found = _folder_threads(tmp_path, capsys)
    assert (found["dies"]["status"], found["dies"]["in_flight"], found["dies"]["error"]) == ("crashed", ["pay"], None)
    assert (found["loops"]["status"], found["loops"]["inferred"], found["loops"]["in_flight"]) == ("errored", True, [])
    assert found["loops"]["error"].startswith("langgraph.errors.GraphRecursionError: ")


def test_a_stream_that_was_dropped_left_its_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody runs what is due: command, viewer and SQL say so, until the thread has finished after all."""
    path, spans = str(tmp_path / "db.sqlite"), tmp_path / "s.jsonl"
    graph = StateGraph(Count).add_node("work", lambda _: {"n": 1}).add_node("ship", lambda _: {"n": 2})
    graph.add_edge(START, "work").add_edge("work", "ship")
    with SqliteSaver.from_conn_string(path) as saver, JsonlTracer(spans) as tracer:
        compiled: Any = graph.compile(checkpointer=saver)
        for thread in ("left", "taken up"):
            here = {"configurable": {"thread_id": thread}, "callbacks": [tracer]}
            for _ in compiled.stream({"n": 0}, here):
                break
        compiled.invoke(None, here)
    found = _folder_threads(tmp_path, capsys)
    assert {name: row["status"] for name, row in found.items()} == {"left": "errored", "taken up": "finished"}
    assert (found["left"]["inferred"], found["left"]["next"]) == (True, ["ship"])
    assert found["left"]["error"] == "the run was given up: its stream was not read to the end"
    with open_store([str(spans)], checkpoints=[path], cache=False) as store:
        told = store.sql("SELECT thread_id, status, inferred FROM threads ORDER BY 1").fetchall()
    assert told == [("left", "errored", True), ("taken up", "finished", False)]
    with open_source(path) as source:
        *_, step = source.history("left").steps
    last = TraceRow("t", "g", "abandoned", 2**52, 1.0, 1, 0, None, None, "left")
    shown = document("Changes", step, step.changes, "parent", [last], {}, newest=True).blocks[0].text
    assert shown == "! the run was given up: its stream was not read to the end, with ship due: Runs leads to it"
