"""The desk's first version, kept so that its paused tickets can be made and taken over."""

from typing import Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt

from flightlog_samples.support_desk.state import Action


class SupportState1(TypedDict, total=False):
    """Risk was a word, and nothing said which version it was."""

    ticket_id: str
    user_message: str
    intent: str
    proposed_action: Action
    risk: str
    approved: bool


Graph1 = CompiledStateGraph[SupportState1, None, SupportState1, SupportState1]


def build_graph_1(checkpointer: BaseCheckpointSaver[Any]) -> Graph1:
    """`plan`, then `review`, where it waits."""
    graph = StateGraph(SupportState1)
    graph.add_node("plan", plan)
    graph.add_node("review", review)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "review")
    return graph.compile(checkpointer=checkpointer, name="support_desk_1")


def plan(state: SupportState1) -> SupportState1:
    """Every ticket was a deletion to the first desk."""
    return {"intent": "delete", "proposed_action": {"name": "delete_data", "amount": 0.0}, "risk": "high"}


def review(state: SupportState1) -> SupportState1:
    """Ask, with nothing to go by."""
    return {"approved": bool(interrupt("approve?"))}
