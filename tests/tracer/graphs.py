"""Graphs and readings of spans that the tests of the tracer share."""

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from flightlog import JsonlTracer, Span
from tests.tracer.models import ScriptedModel

Row = tuple[str, str | None, str, str | None]
"""Type, kind, name, and the name of the parent."""


class Log(TypedDict):
    """A state that nodes append to."""

    log: Annotated[list[Any], operator.add]


def graph_of(state: Any, *nodes: Any, **options: Any) -> Any:
    """A graph of functions, one after the other, each named after itself."""
    graph: Any = StateGraph(state)
    last = START
    for node in nodes:
        name = node.__name__
        graph.add_node(name, node)
        graph.add_edge(last, name)
        last = name
    return graph.compile(**options)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def agent(model: ScriptedModel, *further: Any, is_async: bool = False) -> Any:
    """A ReAct-shaped graph: model -> tools -> model; it can add, and what further tools do."""

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def athink(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", athink if is_async else think)
    graph.add_node("tools", ToolNode([add, *further]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(name="agent")


def rows(tracer: JsonlTracer) -> list[Row]:
    """The tree, sorted, so that runs in parallel compare equal."""
    names = {span.run_id: span.name for span in tracer.spans}
    found = [(span.type, span.kind, span.name, names.get(span.parent_run_id or "")) for span in tracer.spans]
    return sorted(found, key=repr)


def by_name(tracer: JsonlTracer, name: str) -> list[Span]:
    """The spans of a name, in the order in which they ended."""
    return [span for span in tracer.spans if span.name == name]


def statuses(tracer: JsonlTracer) -> list[tuple[str, str | None]]:
    """Name and status of each span, in the order in which they ended."""
    return [(span.name, span.status) for span in tracer.spans]


def is_clean(tracer: JsonlTracer) -> bool:
    """Whether nothing is left open and nothing failed inside the tracer."""
    stats = tracer.stats()
    return (stats["open"], stats["faults"]) == (0, 0)
