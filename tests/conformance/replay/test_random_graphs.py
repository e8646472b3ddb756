"""Random graphs, driven at random, agree with LangGraph's own history as well."""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from flightlog_viewer.checkpoints import open_source
from tests.conformance.replay.compare import differences
from tests.conformance.replay.flow import State
from tests.conformance.replay.scenario import Run

NAMES = "abcde"
Kind = str


@dataclass(frozen=True)
class Plan:
    """A graph and what is done with it."""

    kinds: Sequence[Kind]
    """What each node does: plain, ask, ask twice, send, command, fail or subgraph."""
    edges: Sequence[tuple[int, int]]
    joins: Sequence[tuple[int, int, int]]
    branches: Sequence[tuple[int, int, int]]
    stops: Sequence[int]
    deferred: Sequence[int]
    actions: Sequence[tuple[str, int]]


def plans() -> st.SearchStrategy[Plan]:
    """Any plan of up to five nodes and five actions."""
    node = st.integers(0, len(NAMES) - 1)
    kinds = st.sampled_from(["plain", "plain", "plain", "ask", "ask twice", "send", "command", "fail once", "subgraph"])
    actions = st.sampled_from(["invoke", "go on", "answer", "answer one", "update", "update as", "travel", "fork"])
    return st.builds(
        Plan,
        kinds=st.lists(kinds, min_size=len(NAMES), max_size=len(NAMES)),
        edges=st.lists(st.tuples(node, node), min_size=1, max_size=7),
        joins=st.lists(st.tuples(node, node, node), max_size=2),
        branches=st.lists(st.tuples(node, node, node), max_size=2),
        stops=st.lists(node, max_size=2),
        deferred=st.lists(node, max_size=1),
        actions=st.lists(st.tuples(actions, st.integers(0, 20)), min_size=1, max_size=5),
    )


def build(plan: Plan) -> StateGraph[Any]:
    """The graph of a plan; edges go to later nodes, branches may go back."""
    builder: StateGraph[Any] = StateGraph(State)
    for index, kind in enumerate(plan.kinds):
        builder.add_node(NAMES[index], behaviour(index, kind), defer=index in plan.deferred)
    builder.add_edge(START, NAMES[0])
    for source, target in {(min(edge), max(edge)) for edge in plan.edges if edge[0] != edge[1]}:
        builder.add_edge(NAMES[source], NAMES[target])
    for one, two, target in {(a, b, c) for a, b, c in plan.joins if a < b < c}:
        builder.add_edge([NAMES[one], NAMES[two]], NAMES[target])
    for number, (source, one, two) in enumerate(plan.branches):
        targets = [NAMES[one], NAMES[two]]

        def route(state: State, targets: list[str] = targets) -> Any:
            return targets if len(state.get("log", ())) % 3 == 0 else targets[:1]

        route.__name__ = f"route{number}"
        builder.add_conditional_edges(NAMES[source], route, targets)
    return builder


def behaviour(index: int, kind: Kind) -> Any:
    """What a node does."""
    name = NAMES[index]
    later = NAMES[min(index + 1, len(NAMES) - 1)]
    failed: list[int] = []

    def run(state: Any) -> Any:
        log = [name]
        if kind.startswith("ask"):
            log.append(str(interrupt({"from": name})))
            if kind == "ask twice":
                log.append(str(interrupt(f"{name} again")))
        if kind == "send" and index < len(NAMES) - 1:
            return Command(update={"log": log}, goto=[Send(later, {"log": ["sent"]}), Send(later, {"count": 1})])
        if kind == "command" and index < len(NAMES) - 1:
            return Command(update={"log": log, "total": 1}, goto=later)
        if kind == "fail once" and not failed:
            failed.append(1)
            raise ValueError(name)
        return {"log": log}

    if kind != "subgraph":
        return run
    inner: Any = StateGraph(State)
    inner.add_node("x", lambda state: {"log": ["x"]}).add_node("y", lambda state: {"log": [interrupt("inner")]})
    return inner.add_edge(START, "x").add_edge("x", "y").compile()


async def act(run: Run, action: str, number: int) -> None:
    """One action; what LangGraph refuses is no matter here."""
    config = {**run.config(), "recursion_limit": 9}
    if action == "invoke":
        await run.invoke({"count": number, "log": ["in"]}, config)
    elif action == "go on":
        await run.invoke(None, config)
    elif action.startswith("answer"):
        questions = await run.question()
        chosen = questions[:1] if action == "answer one" else questions
        await run.invoke(Command(resume={question.id: number for question in chosen}) if chosen else None, config)
    elif action == "update":
        await run.update({"count": number})
    elif action == "update as":
        await run.update({"log": ["by hand"]}, as_node=NAMES[number % len(NAMES)])
    else:
        history = await run.history()
        chosen_config = history[number % len(history)].config if history else config
        if action == "fork":
            chosen_config = await run.update({"count": number}, chosen_config)
        await run.invoke(None, {**chosen_config, "recursion_limit": 9})


def check(plan: Plan) -> None:
    """Drive the plan and compare everything."""

    async def work(path: Path) -> list[str]:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")  # thousands of databases that nobody keeps
        run = Run(SqliteSaver(connection), asynchronous=False)
        try:
            run.compile(build(plan), interrupt_before=[NAMES[index] for index in plan.stops])
            for action, number in [("invoke", 1), *plan.actions]:
                with contextlib.suppress(Exception):
                    await act(run, action, number)
            with open_source(path) as source:
                return await differences(run, source)
        finally:
            connection.close()

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(work(Path(folder) / "x.sqlite")) == []


@settings(max_examples=20, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_random_graphs_agree(plan: Plan) -> None:
    """Random nodes, branches, joins, Sends, questions, answers, updates and forks are read as LangGraph reads them."""
    check(plan)


@pytest.mark.soak
@pytest.mark.timeout(900)
@settings(max_examples=2000, database=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_many_random_graphs_agree(plan: Plan) -> None:
    """The same for thousands of graphs."""
    check(plan)
