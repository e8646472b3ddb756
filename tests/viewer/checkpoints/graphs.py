"""Small graphs that tests of this folder record."""

from typing import Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class Refund(TypedDict, total=False):
    """A refund that a human decides about."""

    amount: int
    risk_score: float
    approved: bool
    decision: Any
    outcome: dict[str, Any]


def plan(state: Refund) -> Refund:
    """Double the amount."""
    return {"amount": state["amount"] * 2}


def approve(state: Refund) -> Refund:
    """Ask for a decision."""
    return {"decision": interrupt({"question": "refund?", "amount": state["amount"]})}


def pay(state: Refund) -> Refund:
    """Pay; whether it went well is part of the input here."""
    return {"outcome": {"paid": state["amount"]}}


def refunds() -> Any:
    """plan -> approve (asks) -> pay."""
    builder = StateGraph(Refund).add_node("plan", plan).add_node("approve", approve).add_node("pay", pay)
    return builder.add_edge(START, "plan").add_edge("plan", "approve").add_edge("approve", "pay")


def payments() -> Any:
    """plan -> pay, for a static breakpoint before pay."""
    builder = StateGraph(Refund).add_node("plan", plan).add_node("pay", pay)
    return builder.add_edge(START, "plan").add_edge("plan", "pay")


def thread(name: str) -> Any:
    """The config of a thread."""
    return {"configurable": {"thread_id": name}}
