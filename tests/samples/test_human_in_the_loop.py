"""The approval gate."""

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from flightlog_samples.human_in_the_loop import (
    Graph,
    NotWaitingError,
    StillWaitingError,
    build_approval_graph,
    resume,
    start,
)


class Ledger:
    """An action that remembers what it did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, request: str) -> str:
        self.done.append(request)
        return f"EXECUTED: {request}"


@pytest.fixture
def ledger() -> Ledger:
    """A ledger in which nothing has been done."""
    return Ledger()


@pytest.fixture
def graph(ledger: Ledger) -> Graph:
    """A gate before the ledger."""
    return build_approval_graph(InMemorySaver(), ledger)


@pytest.mark.parametrize("decision", [True, "approve", "yes", "y", "ok", "OK", " Yes "])
def test_an_approval_runs_the_action_once(graph: Graph, ledger: Ledger, decision: object) -> None:
    """Nothing is done before the answer, and once after it."""
    assert start(graph, "wire $5,000", "t1") == {"approve_action": "wire $5,000"}
    assert ledger.done == []
    assert resume(graph, decision, "t1")["result"] == "EXECUTED: wire $5,000"
    assert ledger.done == ["wire $5,000"]


@pytest.mark.parametrize("decision", [False, 1, "no", "reject", "", "approved?", "yes please", {"approved": True}, []])
def test_anything_else_rejects_and_the_action_never_runs(graph: Graph, ledger: Ledger, decision: object) -> None:
    """An answer that is no plain approval is a rejection."""
    start(graph, "delete prod database", "t2")
    assert resume(graph, decision, "t2")["result"] == "rejected"
    assert ledger.done == []


def test_a_question_is_answered_once(graph: Graph, ledger: Ledger) -> None:
    """A second answer, and an answer to a thread that never asked, are errors and do nothing."""
    start(graph, "pay", "t3")
    resume(graph, "yes", "t3")
    for thread in ("t3", "never started"):
        with pytest.raises(NotWaitingError):
            resume(graph, "yes", thread)
    assert ledger.done == ["pay"]


def test_an_open_question_is_not_dropped(graph: Graph) -> None:
    """Starting anew on a thread that still asks is an error."""
    start(graph, "pay", "t4")
    with pytest.raises(StillWaitingError):
        start(graph, "pay more", "t4")
