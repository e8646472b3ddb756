"""Static breakpoints: a pause before a node, and a pause after one, that the nodes themselves know nothing of.

Corrections to what tutorials show. A breakpoint does not raise: `invoke` returns, and only `get_state(config).next`
tells that the run stands still, so waiting for a ValueError waits in vain. An unapproved request must not be a crash on
resume: here the reviewer's word decides between two nodes. And a node returns its update; it does not change the
state it was given.
"""

import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from flightlog_samples.recording import Recording, run


class Request(TypedDict, total=False):
    """`approved` and `notes` come from the reviewer, the rest from the nodes."""

    request: str
    draft: str
    approved: bool
    notes: str
    result: str


Graph = CompiledStateGraph[Request, None, Request, Request]


def build(checkpointer: BaseCheckpointSaver[Any], pause: Literal["before", "after"]) -> Graph:
    """`prepare`, then `execute` or `decline`; stops before `execute`, or after `prepare`.

    Stopped before `execute`, the route is chosen and the reviewer can only let it run or send it elsewhere; stopped
    after `prepare`, the route is chosen again from what the reviewer writes, before anything else happens.
    """
    graph = StateGraph(Request)
    graph.add_node("prepare", prepare)
    graph.add_node("execute", execute)
    graph.add_node("decline", decline)
    graph.add_edge(START, "prepare")
    graph.add_conditional_edges("prepare", route, ["execute", "decline"])
    graph.add_edge("execute", END)
    graph.add_edge("decline", END)
    if pause == "before":
        return graph.compile(checkpointer=checkpointer, interrupt_before=["execute"], name="pause_before")
    return graph.compile(checkpointer=checkpointer, interrupt_after=["prepare"], name="pause_after")


def prepare(state: Request) -> Request:
    """Write down what would be done."""
    return {"draft": f"will do: {state['request']}"}


def route(state: Request) -> Literal["execute", "decline"]:
    """Without a reviewer's no, the way leads to `execute`."""
    return "decline" if state.get("approved") is False else "execute"


def execute(state: Request) -> Request:
    """Do it."""
    return {"result": f"done: {state['request']}"}


def decline(state: Request) -> Request:
    """Leave it."""
    return {"result": f"declined: {state.get('notes') or 'no reason given'}"}


def start(graph: Graph, request: str, config: RunnableConfig) -> tuple[str, ...]:
    """Run to the breakpoint and return the nodes that would run next."""
    graph.invoke({"request": request}, config)
    return graph.get_state(config).next


def answer(graph: Graph, approved: bool, config: RunnableConfig, notes: str = "", decided_by: str = "ana") -> str:
    """Write the reviewer's word into the state and let the run go on; returns the result.

    Written as if `prepare` had written it, so that the way on is chosen again. Who decided goes into the metadata of
    the run that goes on, from where both its span and its checkpoints have it. Raises ValueError when the thread does
    not stand at the breakpoint.
    """
    if not graph.get_state(config).next:
        raise ValueError("this thread does not stand at a breakpoint")
    graph.update_state(config, {"approved": approved, "notes": notes}, as_node="prepare")
    about = {"decision": "approve" if approved else "reject", "decided_by": decided_by, "notes": notes}
    result: str = graph.invoke(None, {**config, "metadata": about})["result"]
    return result


def story(out: Path) -> None:
    """Both breakpoints, each approved once and declined once, and one thread left standing before `execute`."""
    with Recording(out) as recording:
        before = build(recording.checkpointer, "before")
        after = build(recording.checkpointer, "after")
        for graph, name in ((before, "before"), (after, "after")):
            for approved, verdict in ((True, "approved"), (False, "declined")):
                config = recording.config(f"breakpoint-{name}-{verdict}")
                start(graph, "rotate the signing key", config)
                print(name, answer(graph, approved, config, "" if approved else "not during the release"))
        start(before, "delete last year's logs", recording.config("breakpoint-before-waiting"))


if __name__ == "__main__":
    sys.exit(run("breakpoints", story))
