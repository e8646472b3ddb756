"""The past of a thread: list its checkpoints, go back to one, or branch off from one with other values.

Tutorials can be found that call `checkpointer.list_tuples`, which does not exist, and that put `checkpoint_id` beside
`configurable`, where LangGraph does not look, so that their revert just runs the newest state again. The history is
`graph.get_state_history(config)`, and each of its entries brings the config that addresses it.
"""

import operator
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from flightlog_samples.recording import Recording, run


class Route(TypedDict, total=False):
    """A route that grows by a leg at a time."""

    origin: str
    legs: Annotated[list[str], operator.add]
    hours: Annotated[float, operator.add]


Graph = CompiledStateGraph[Route, None, Route, Route]


def build(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """Three legs after another, each a node."""
    graph = StateGraph(Route)
    graph.add_node("first_leg", lambda state: {"legs": [f"{state['origin']} to Vienna"], "hours": 1.5})
    graph.add_node("second_leg", lambda state: {"legs": ["Vienna to Cairo"], "hours": 3.5})
    graph.add_node(
        "third_leg", lambda state: {"legs": [f"Cairo to Nairobi, {len(state['legs'])} before"], "hours": 5.0}
    )
    graph.add_edge(START, "first_leg")
    graph.add_edge("first_leg", "second_leg")
    graph.add_edge("second_leg", "third_leg")
    return graph.compile(checkpointer=checkpointer, name="route")


def history(graph: Graph, config: RunnableConfig) -> list[StateSnapshot]:
    """Every checkpoint of the thread, newest first."""
    return list(graph.get_state_history(config))


def before(graph: Graph, node: str, config: RunnableConfig) -> StateSnapshot:
    """The newest checkpoint from which `node` would run. Raises LookupError when there is none."""
    for snapshot in graph.get_state_history(config):
        if node in snapshot.next:
            return snapshot
    raise LookupError(f"no checkpoint of this thread leads to {node}")


def replay(graph: Graph, snapshot: StateSnapshot, config: RunnableConfig) -> dict[str, Any]:
    """Run again from a checkpoint on. What came after it stays in the history, on a branch of its own."""
    return graph.invoke(None, _at(snapshot.config, config))


def revert(graph: Graph, snapshot: StateSnapshot, config: RunnableConfig) -> StateSnapshot:
    """Make an earlier checkpoint the thread's newest, without running anything; returns the new head."""
    return graph.get_state(graph.update_state(_at(snapshot.config, config), None, as_node="__copy__"))


def fork(graph: Graph, snapshot: StateSnapshot, update: Route, as_node: str, config: RunnableConfig) -> dict[str, Any]:
    """Branch off from a checkpoint as if `as_node` had written `update` there, and run on."""
    head = graph.update_state(_at(snapshot.config, config), update, as_node=as_node)
    return graph.invoke(None, _at(head, config))


def _at(address: RunnableConfig, config: RunnableConfig) -> RunnableConfig:
    # Of the snapshot's config only the address matters; the caller's brings the callbacks.
    return {**config, "configurable": {**config["configurable"], **address["configurable"]}}


def story(out: Path) -> None:
    """A route of three legs; its last leg run again, the thread turned back a leg, and another second leg tried."""
    with Recording(out) as recording:
        graph, config = build(recording.checkpointer), recording.config("time-travel")
        print(graph.invoke({"origin": "Zurich", "hours": 0.0}, config)["legs"])
        replay(graph, before(graph, "third_leg", config), config)
        turned_back = revert(graph, before(graph, "second_leg", config), config)
        print("back to", turned_back.values["legs"], "next", turned_back.next)
        other: Route = {"legs": ["Vienna to Addis Ababa"], "hours": 6.0}
        print(fork(graph, before(graph, "second_leg", config), other, "second_leg", config)["legs"])
        print(len(history(graph, config)), "checkpoints")


if __name__ == "__main__":
    sys.exit(run("time_travel", story))
