"""What rows tell of a step beside its state: what its tasks wrote, and what is missing."""

import operator
import sqlite3
import sys
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from flightlog_viewer.checkpoints import open_source
from tests.conformance.replay.state import gather
from tests.viewer.checkpoints.graphs import payments, thread


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    mark: str


def test_several_writes_to_one_channel(tmp_path: Path) -> None:
    """They stand together in their order, as LangGraph shows them; a single write is itself."""

    def both(state: Log) -> Any:
        return [Command(update={"log": ["a"], "mark": "x"}), Command(update={"log": ["b"]})]

    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph: Any = StateGraph(Log).add_node("both", both).add_edge(START, "both").compile(checkpointer=saver)
        graph.invoke({"log": []}, thread("t"))
        theirs = [task.result for state in graph.get_state_history(thread("t")) for task in state.tasks]
    with open_source(path) as source:
        ours = [task.writes for step in source.history("t").steps for task in step.tasks if task.node == "both"]
    assert ours == [{"log": {"$writes": [["a"], ["b"]]}, "mark": "x"}]
    assert ours[0] in theirs


def test_a_node_that_ran_twice_is_one_writer(tmp_path: Path) -> None:
    """A change that two messages to one node made names the node once."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        builder: Any = StateGraph(Log).add_node("work", lambda state: {"log": [state["mark"]]})
        builder.add_conditional_edges(START, lambda state: [Send("work", {"mark": mark}) for mark in "xy"], ["work"])
        builder.compile(checkpointer=saver).invoke({"log": []}, thread("t"))
    with open_source(path) as source:
        *_, last = source.history("t").steps
    assert [(change.path, change.node) for change in last.changes or ()] == [("log[0]", "work"), ("log[1]", "work")]


def test_a_thread_that_stopped_at_messages_to_a_node(tmp_path: Path) -> None:
    """Each message is a task that is due, in the list of threads as in the history."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        builder: Any = StateGraph(Log).add_node("work", lambda state: {"log": [state["mark"]]})
        builder.add_conditional_edges(START, lambda state: [Send("work", {"mark": mark}) for mark in "xy"], ["work"])
        builder.compile(checkpointer=saver, interrupt_before=["work"]).invoke({"log": []}, thread("t"))
    with open_source(path) as source:
        [summary] = source.threads()
        *_, last = source.history("t").steps
    assert (summary.status, summary.next) == ("paused_or_running", ["work", "work"])
    assert last.next == ["work", "work"]


def test_messages_whose_rows_have_no_path(tmp_path: Path) -> None:
    """Which node each went to is told by the ids of their tasks, as older savers left no more."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        builder: Any = StateGraph(Log)
        for name in ("one", "two"):
            builder.add_node(name, lambda state, name=name: {"log": [name]})
        builder.add_conditional_edges(START, lambda state: [Send("one", {}), Send("two", {})], ["one", "two"])
        builder.compile(checkpointer=saver).invoke({"log": []}, thread("t"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE writes SET task_path = ''")
    with open_source(path) as source:
        tasks = [task for step in source.history("t").steps for task in step.tasks if task.kind == "push"]
    assert [(task.node, task.writes) for task in tasks] == [("one", {"log": ["one"]}), ("two", {"log": ["two"]})]


def test_what_a_subgraph_with_a_memory_of_its_own_asks(tmp_path: Path) -> None:
    """Its namespace has no task's id; the question is told where it was asked all the same."""
    path = tmp_path / "x.sqlite"
    inner: Any = StateGraph(Log).add_node("ask", lambda state: {"log": [interrupt("sure?")]}).add_edge(START, "ask")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        outer: Any = StateGraph(Log).add_node("inner", inner.compile(checkpointer=True)).add_edge(START, "inner")
        outer.compile(checkpointer=saver).invoke({"log": []}, thread("t"))
    with open_source(path) as source:
        [summary] = source.threads()
    assert [(asked.node, asked.checkpoint_ns, asked.value) for asked in summary.pending] == [("ask", "inner", "sure?")]


def test_a_thread_that_died_in_a_subgraph_behind_its_answer(tmp_path: Path) -> None:
    """The graph around it still holds the question, which has its answer: nobody is waited for."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        inner: Any = StateGraph(Log).add_node("ask", lambda state: {"log": [interrupt("sure?")]})
        inner.add_node("end", lambda state: sys.exit(1)).add_edge(START, "ask").add_edge("ask", "end")
        outer: Any = StateGraph(Log).add_node("inner", inner.compile()).add_edge(START, "inner")
        graph = outer.compile(checkpointer=saver)
        graph.invoke({"log": []}, thread("t"))
        with suppress(SystemExit):
            graph.invoke(Command(resume="yes"), thread("t"), durability="sync")
    with open_source(path) as source:
        [summary] = source.threads()
    assert (summary.status, list(summary.pending)) == ("paused_or_running", [])


@pytest.mark.parametrize("levels", [1, 2])
def test_a_subgraph_that_handed_over(tmp_path: Path, levels: int) -> None:
    """The node whose Command went to the parent has handed over; one that waits or died with its graph has not."""
    path = tmp_path / "x.sqlite"
    ends: dict[str, Any] = {
        "left": lambda state: Command(goto="last", graph=Command.PARENT),
        "waits": lambda state: {"log": [interrupt("sure?")]},
        "died": lambda state: sys.exit(1),
    }
    with SqliteSaver.from_conn_string(str(path)) as saver:
        for name, end in ends.items():
            builder: Any = StateGraph(Log).add_node("end", end).add_edge(START, "end")
            for _ in range(levels):
                around = StateGraph(Log).add_node("inner", builder.compile()).add_edge(START, "inner")
                builder = around.add_node("last", lambda state: {"log": ["last"]})
            with suppress(SystemExit):
                builder.compile(checkpointer=saver).invoke({"log": []}, thread(name))
    with open_source(path) as source:
        found = {
            name: [
                (task.status, list(step.next))
                for namespace in source.namespaces(name)[-1:]  # alone, and below with the graphs around it
                for step in source.history(name, checkpoint_ns=namespace).steps
                for task in step.tasks
                if task.node == "end"
            ]
            for name in ends
        }
        whole = [task.status for step in source.history("left").steps for task in step.tasks if task.node == "end"]
    assert found == {
        "left": [("handoff", ["end"])],
        "waits": [("interrupted", ["end"])],
        "died": [("pending", ["end"])],
    }
    assert whole == ["handoff"]


def test_a_parent_that_was_deleted_is_missed(tmp_path: Path) -> None:
    """The step after it says so, and the others say nothing."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph: Any = payments().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("t"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM checkpoints WHERE checkpoint_id = (SELECT min(checkpoint_id) FROM checkpoints)")
    with open_source(path) as source:
        notes = [list(step.notes) for step in source.history("t").steps]
    assert notes == [["the parent checkpoint is no longer in the database"], [], []]


class Grown(TypedDict, total=False):
    long: Annotated[list[str], DeltaChannel(gather, list, snapshot_frequency=3)]
    other: str


def test_the_parts_of_a_delta_channel(tmp_path: Path) -> None:
    """The last snapshot and what was written since make the value that LangGraph shows, at every step."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        builder: Any = StateGraph(Grown)
        nodes = "abcdefg"
        for source, name in pairwise([START, *nodes]):
            builder.add_node(name, lambda state, name=name: {"long": [name]} if name != "c" else {"other": name})
            builder.add_edge(source, name)
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"long": ["in"]}, thread("t"))
        theirs = {
            state.config["configurable"]["checkpoint_id"]: state.values["long"]
            for state in graph.get_state_history(thread("t"))
            if "long" in state.values
        }
    with open_source(path) as opened:
        steps = [step for step in opened.history("t").steps if step.checkpoint_id in theirs]
    parts: list[Any] = [step.not_materialised.get("long") for step in steps]
    ours = [
        gather(part.snapshot or [], part.writes) if part else step.values.get("long", [])
        for part, step in zip(parts, steps, strict=True)
    ]
    assert ours == [theirs[step.checkpoint_id] for step in steps]
    assert any(part is not None and part.snapshot for part in parts)


def test_no_node_is_named_where_its_rows_were_never_written(tmp_path: Path) -> None:
    """With exit durability rows name one of those that ran between two checkpoints; the others are not its doing."""
    path = tmp_path / "c.sqlite"
    builder: Any = StateGraph(Log)
    builder.add_node("ask", lambda state: {"log": [interrupt("ok?")]})
    builder.add_node("beside", lambda state: {"log": ["beside"]})
    builder.add_node("after", lambda state: {"log": ["after"]})
    builder.add_edge(START, "ask").add_edge(START, "beside").add_edge(["ask", "beside"], "after")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = builder.compile(checkpointer=saver)
        for durability in ("exit", "async"):
            graph.invoke({"log": ["in"]}, thread(durability), durability=durability)
            graph.invoke(Command(resume="yes"), thread(durability), durability=durability)
    with open_source(str(path)) as source:
        last = {name: list(source.history(name).steps)[1:] for name in ("exit", "async")}
    assert {change.node for step in last["exit"] for change in step.changes or ()} == {None}
    assert {change.node for change in last["async"][1].changes or ()} == {"ask, beside"}
