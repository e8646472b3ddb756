"""Calls of tools that do not exist, which LangGraph answers itself."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import MessagesState
from langgraph.types import Command

from flightlog import JsonlTracer
from tests.tracer.graphs import agent, graph_of
from tests.tracer.models import ScriptedModel, call

QUESTION = {"messages": [("user", "hi")]}
WRONG = call("wether", {"city": "Bern"}, "c1")


@tool
def commanding() -> Any:
    """Answer with a Command."""
    return Command(update={"messages": [ToolMessage("done", tool_call_id="c2")]})


@pytest.mark.parametrize("others", [[], [call("add", {"a": 1, "b": 2}, "c2")], [call("commanding", {}, "c2")]])
def test_a_call_of_a_tool_that_does_not_exist_is_an_error(others: list[Any]) -> None:
    """It is a tool's span below the node that answered it, with the call's id; the node is well."""
    tracer = JsonlTracer()
    model = ScriptedModel(script=[AIMessage("", tool_calls=[WRONG, *others]), "sorry"])
    agent(model, commanding).invoke(QUESTION, {"callbacks": [tracer], "configurable": {"thread_id": "t"}})
    [missing] = [span for span in tracer.spans if span.type == "tool" and span.status == "error"]
    [node] = [span for span in tracer.spans if span.name == "tools"]
    assert (missing.name, missing.tool_call_id, missing.parent_run_id) == ("wether", "c1", node.run_id)
    text = "Error: wether is not a valid tool, try one of [add, commanding]."
    assert missing.error == {"type": "ToolException", "message": text}
    where = ("trace_id", "thread_id", "node", "step", "checkpoint_ns", "task_id")
    assert [getattr(missing, name) for name in where] == [getattr(node, name) for name in where]
    assert node.status == "ok"


def test_another_answer_in_a_tools_place_is_no_such_call() -> None:
    """A person's no is none, and a history with an old one makes it no new one."""
    old = ToolMessage("Error: x is not a valid tool, try one of [y].", tool_call_id="c1", name="x", status="error")

    def review(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("rejected by ana", tool_call_id="c1", name="add", status="error")]}

    def history(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("", tool_calls=[WRONG]), old]}

    tracer = JsonlTracer()
    graph_of(MessagesState, review, history).invoke(QUESTION, {"callbacks": [tracer]})
    assert {span.type for span in tracer.spans} == {"chain"}
