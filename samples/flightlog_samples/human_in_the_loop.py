"""An action that waits for a person: nothing happens until the request is approved, and never when it is rejected.

The pause is a checkpoint, so it costs nothing while it waits, and any process that opens the same database may
answer. Two things that tutorials leave out matter in practice and are done here: answering a thread that asks nothing
is an error (LangGraph does nothing with the answer, or runs the node on an empty state), and so is starting anew on a
thread that still asks (LangGraph drops the open question). And `decision in {True, "yes"}` would take the number 1 for
a yes, since 1 == True; `is_approval` does not.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from flightlog_samples.recording import Recording, run

APPROVING = frozenset(("approve", "yes", "y", "ok"))
REJECTED = "rejected"


class Approval(TypedDict, total=False):
    """`result` is what the action returned, or "rejected"."""

    request: str
    result: str


Graph = CompiledStateGraph[Approval, None, Approval, Approval]
Action = Callable[[str], str]


class NotWaitingError(ValueError):
    """The thread asks nothing: it never started, or it has its answer already."""


class StillWaitingError(ValueError):
    """The thread still asks its question: answer it before starting anew."""


def is_approval(decision: object) -> bool:
    """True for True and for "approve", "yes", "y", "ok" in any case; False for everything else."""
    return decision is True or (isinstance(decision, str) and decision.strip().lower() in APPROVING)


def build_approval_graph(checkpointer: BaseCheckpointSaver[Any], action: Action) -> Graph:
    """One node, `gate`, that asks and then acts or does not."""

    def gate(state: Approval) -> Approval:
        # On resume the node runs again from its top: what stands before `interrupt` happens twice, what stands after
        # it once. The action belongs after it.
        decision = interrupt({"approve_action": state["request"]})
        return {"result": action(state["request"]) if is_approval(decision) else REJECTED}

    graph = StateGraph(Approval)
    graph.add_node("gate", gate)
    graph.add_edge(START, "gate")
    return graph.compile(checkpointer=checkpointer, name="approval")


def start(graph: Graph, request: str, thread_id: str, config: RunnableConfig | None = None) -> Any:
    """Run until the question and return it. Raises StillWaitingError when the thread already has an open one."""
    config = _on_thread(thread_id, config)
    if graph.get_state(config).interrupts:
        raise StillWaitingError(f"thread {thread_id} still waits for an answer")
    return graph.invoke({"request": request}, config)["__interrupt__"][0].value


def resume(graph: Graph, decision: object, thread_id: str, config: RunnableConfig | None = None) -> dict[str, Any]:
    """Answer the question and return the final state. Raises NotWaitingError when the thread asks nothing."""
    config = _on_thread(thread_id, config)
    if not graph.get_state(config).interrupts:
        raise NotWaitingError(f"thread {thread_id} waits for no answer")
    return graph.invoke(Command(resume=decision), config)


def _on_thread(thread_id: str, config: RunnableConfig | None) -> RunnableConfig:
    return {**(config or {}), "configurable": {**(config or {}).get("configurable", {}), "thread_id": thread_id}}


def transfer(request: str) -> str:
    """The irreversible action of the story; here it only says that it was done."""
    return f"done: {request}"


def story(out: Path) -> None:
    """Three requests: one is left pending, one approved, one rejected, the last two after reopening the database."""
    requests = {
        "approval-pending": "pay 12,000 EUR to a new supplier",
        "approval-approved": "pay 450 EUR to the caterer",
        "approval-rejected": "drop the customer database",
    }
    with Recording(out) as recording:
        graph = build_approval_graph(recording.checkpointer, transfer)
        for thread, request in requests.items():
            start(graph, request, thread, recording.config(thread))
    with Recording(out) as recording:
        graph = build_approval_graph(recording.checkpointer, transfer)
        resume(graph, "approve", "approval-approved", recording.config("approval-approved"))
        resume(graph, "reject", "approval-rejected", recording.config("approval-rejected"))


if __name__ == "__main__":
    sys.exit(run("human_in_the_loop", story))
