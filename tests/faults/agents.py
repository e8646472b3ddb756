"""A small agent whose answer must not depend on what happens to its tracer."""

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from tests.tracer.models import USAGE, ScriptedModel, call

SPANS = 22
"""Spans of one conversation: what ``converse`` records when nothing is lost."""


def converse(
    config: dict[str, Any] | None = None, *, disturb: Callable[[], None] = lambda: None, thread: str = "1"
) -> list[Any]:
    """Ask, fail in a tool, wait for a human, go on: the contents of the messages at the end.

    ``disturb`` is called in the middle of a tool.
    """

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        disturb()
        return a + b

    @tool
    def divide(a: int, b: int) -> float:
        """Divide two numbers."""
        return a / b

    @tool
    def approve(what: str) -> str:
        """Ask a human."""
        return f"{what}: {interrupt({'question': what})}"

    model = ScriptedModel(
        script=[
            AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2}, "c1")], usage_metadata=USAGE),
            AIMessage("", tool_calls=[call("divide", {"a": 1, "b": 0}, "c2")], usage_metadata=USAGE),
            AIMessage("", tool_calls=[call("approve", {"what": "3?"}, "c3")], usage_metadata=USAGE),
            AIMessage("done", usage_metadata=USAGE),
        ]
    )
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([add, divide, approve], handle_tool_errors=True))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    agent = graph.compile(checkpointer=InMemorySaver(), name="agent")
    run: Any = {"configurable": {"thread_id": thread}, **(config or {})}
    question: Any = {"messages": [HumanMessage("1 + 2?")]}
    agent.invoke(question, run)
    answer = agent.invoke(Command(resume="yes"), run)
    return [message.content for message in answer["messages"]]
