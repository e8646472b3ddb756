"""A pause that depends on the data: only requests above an amount wait for a person.

Tutorials can be found that raise `langgraph.types.Interrupt`, which is a record and no exception, so the node dies with
a TypeError; or whose approval node raises ValueError while it waits, which is a failed run, not a waiting one. The call
is `interrupt(question)`, and it is made only on the path that needs it.
"""

import sys
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from flightlog_samples.human_in_the_loop import is_approval
from flightlog_samples.recording import Recording, run

LIMIT = 1000.0
"""Amounts up to and including this one need nobody."""


class Payment(TypedDict, total=False):
    """`asked` is whether a person was needed."""

    request_amount: float
    asked: bool
    decision: str
    result: str


Graph = CompiledStateGraph[Payment, None, Payment, Payment]


def build(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """`check`, then `pay`."""
    graph = StateGraph(Payment)
    graph.add_node("check", check)
    graph.add_node("pay", pay)
    graph.add_edge(START, "check")
    graph.add_edge("check", "pay")
    return graph.compile(checkpointer=checkpointer, name="payment")


def check(state: Payment) -> Payment:
    """Ask when the amount is above the limit."""
    amount = state["request_amount"]
    if amount <= LIMIT:
        return {"asked": False, "decision": "approve"}
    answer = interrupt({"question": "Approve this payment?", "amount": amount, "limit": LIMIT})
    return {"asked": True, "decision": "approve" if is_approval(answer) else "reject"}


def pay(state: Payment) -> Payment:
    """Pay, or say that nothing was paid."""
    return {"result": f"paid {state['request_amount']:.2f}" if state["decision"] == "approve" else "not paid"}


def request(graph: Graph, amount: float, config: RunnableConfig) -> dict[str, Any]:
    """Ask for a payment; the returned state holds `result`, or `__interrupt__` while it waits."""
    return graph.invoke({"request_amount": amount}, config)


def decide(graph: Graph, decision: object, config: RunnableConfig) -> dict[str, Any]:
    """Answer the question. Raises ValueError when the thread asks nothing."""
    if not graph.get_state(config).interrupts:
        raise ValueError("this payment waits for no decision")
    return graph.invoke(Command(resume=decision), config)


def story(out: Path) -> None:
    """Below, at and above the limit; of the two above it one is approved and one rejected."""
    with Recording(out) as recording:
        graph = build(recording.checkpointer)
        for thread, amount, decision in (
            ("payment-small", 80.0, None),
            ("payment-at-the-limit", LIMIT, None),
            ("payment-large", 4200.0, "approve"),
            ("payment-too-large", 98000.0, "reject"),
        ):
            config = recording.config(thread)
            state = request(graph, amount, config)
            if decision is not None:
                state = decide(graph, decision, config)
            print(f"{amount:>9.2f}  {state['result']}")


if __name__ == "__main__":
    sys.exit(run("dynamic_interrupt", story))
