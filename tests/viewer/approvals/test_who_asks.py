"""Whose node asks: agents of LangChain have nodes of the same names."""

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.approvals.asker import asker
from tests.tracer.models import ScriptedModel, call


@tool
def search(q: str) -> str:
    """Search."""
    return q


def agent(name: str) -> Any:
    """An agent that wants to search, and has to ask."""
    model = ScriptedModel(script=[AIMessage("", tool_calls=[call("search", {"q": name}, name)])])
    return create_agent(model, [search], middleware=[HumanInTheLoopMiddleware({"search": True})], name=name)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agents side by side in a graph, both of which ask."""
    folder = tmp_path_factory.mktemp("agents")
    with SqliteSaver.from_conn_string(str(folder / "c.sqlite")) as saver, JsonlTracer(folder / "s.jsonl") as tracer:
        graph = StateGraph(MessagesState).add_node("one", agent("cats")).add_node("two", agent("dogs"))
        both: Any = graph.add_edge(START, "one").add_edge(START, "two").compile(checkpointer=saver)
        both.invoke({"messages": [("user", "go")]}, {"configurable": {"thread_id": "t"}, "callbacks": [tracer]})
    return folder


@pytest.mark.parametrize(("spans", "database"), [(True, False), (False, True), (True, True)])
def test_a_question_has_the_agent_that_asks(recorded: Path, spans: bool, database: bool) -> None:
    """Spans and checkpoints both tell it: their metadata has its name."""
    given = [str(recorded / "s.jsonl")] * spans
    with open_store(given, checkpoints=[str(recorded / "c.sqlite")] * database, cache=False) as store:
        found = store.sql("SELECT agent, node FROM interrupts ORDER BY agent").fetchall()
    node = "HumanInTheLoopMiddleware.after_model"
    assert found == [("cats", node), ("dogs", node)]


def test_an_agent_stands_before_its_node() -> None:
    """But not before a node of its own name, or where there is none."""
    assert [asker("cats", "tools"), asker("cats", "cats"), asker(None, "gate")] == ["cats: tools", "cats", "gate"]
