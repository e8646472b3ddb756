"""The tree of spans is the tree of runs, however a graph is called and whatever it is made of."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langgraph._internal._runnable import RunnableCallable, RunnableSeq
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from flightlog import JsonlTracer
from flightlog.events.kinds import chain_kind
from flightlog.span import Span
from tests.tracer.graphs import Log, Row, agent, by_name, graph_of, is_clean, rows
from tests.tracer.models import USAGE, ScriptedModel, call

QUESTION = {"messages": [HumanMessage("1 + 2?")]}

EXPECTED: list[Row] = sorted(
    [
        ("llm", None, "scripted-1", "model"),
        ("llm", None, "scripted-1", "model"),
        ("tool", None, "add", "tools"),
        ("chain", "edge", "tools_condition", "model"),
        ("chain", "edge", "tools_condition", "model"),
        ("chain", "node", "model", "agent"),
        ("chain", "node", "model", "agent"),
        ("chain", "node", "tools", "agent"),
        ("chain", "graph", "agent", None),
    ],
    key=repr,
)


def model() -> ScriptedModel:
    return ScriptedModel(
        script=[
            AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2})], usage_metadata=USAGE),
            AIMessage("3", usage_metadata=USAGE),
        ]
    )


def read(found: Any) -> None:
    for _ in found:
        pass


async def aread(found: Any) -> None:
    async for _ in found:
        pass


async def events_v3(graph: Any, config: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await aread(await graph.astream_events(QUESTION, config, version="v3"))


SYNC: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda graph, config: graph.invoke(QUESTION, config),
    "stream": lambda graph, config: read(graph.stream(QUESTION, config)),
    "stream messages": lambda graph, config: read(graph.stream(QUESTION, config, stream_mode="messages")),
    "batch": lambda graph, config: graph.batch([QUESTION], config),
}
ASYNC: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "ainvoke": lambda graph, config: graph.ainvoke(QUESTION, config),
    "astream": lambda graph, config: aread(graph.astream(QUESTION, config)),
    "abatch": lambda graph, config: graph.abatch([QUESTION], config),
    "astream_events v2": lambda graph, config: aread(graph.astream_events(QUESTION, config, version="v2")),
    "astream_events v3": events_v3,
}


@pytest.mark.parametrize("way", SYNC)
def test_every_sync_call_gives_the_same_tree(way: str) -> None:
    """invoke, stream and batch record the same spans under the same parents, with the same tokens."""
    tracer = JsonlTracer()
    SYNC[way](agent(model()), {"callbacks": [tracer]})
    assert rows(tracer) == EXPECTED
    assert tracer.summary()["llm"]["total_tokens"] == 30
    assert is_clean(tracer)


@pytest.mark.parametrize("way", ASYNC)
async def test_every_async_call_gives_the_same_tree(way: str) -> None:
    """ainvoke, astream, abatch and both event streams record what invoke records."""
    tracer = JsonlTracer()
    await ASYNC[way](agent(model(), is_async=True), {"callbacks": [tracer]})
    assert rows(tracer) == EXPECTED
    assert tracer.summary()["llm"]["total_tokens"] == 30
    assert is_clean(tracer)


def test_a_batch_is_one_trace_for_each_input() -> None:
    """Runs of a batch share neither trace nor spans."""
    tracer = JsonlTracer()
    answers = graph_of(Log, one).batch([{"log": [n]} for n in range(5)], {"callbacks": [tracer]})
    assert [answer["log"] for answer in answers] == [[n, "one"] for n in range(5)]
    roots = by_name(tracer, "LangGraph")
    assert len({span.trace_id for span in roots}) == 5
    assert all(span.trace_id == span.run_id for span in roots)
    assert {span.parent_run_id for span in by_name(tracer, "one")} == {span.run_id for span in roots}


async def test_concurrent_traces_do_not_mix() -> None:
    """Twenty runs gathered in one loop each have their own node under their own root."""
    tracer = JsonlTracer()
    graph = graph_of(Log, later)
    await asyncio.gather(*(graph.ainvoke({"log": []}, {"callbacks": [tracer]}) for _ in range(20)))
    parents = {span.run_id: span.trace_id for span in by_name(tracer, "LangGraph")}
    assert len(parents) == 20
    assert all(parents[span.parent_run_id or ""] == span.trace_id for span in by_name(tracer, "later"))
    assert is_clean(tracer)


def one(state: Log) -> dict[str, Any]:
    return {"log": ["one"]}


async def later(state: Log) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"log": ["later"]}


def left(state: Log) -> dict[str, Any]:
    RunnableLambda(lambda value: value).with_config(run_name="in left").invoke(1)
    return {"log": ["left"]}


def right(state: Log) -> dict[str, Any]:
    RunnableLambda(lambda value: value).with_config(run_name="in right").invoke(1)
    return {"log": ["right"]}


def test_parallel_branches_keep_their_own_children() -> None:
    """Two nodes of one step each own the runs started inside them, and share the step."""
    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    graph.add_node("left", left).add_node("right", right)
    graph.add_edge(START, "left").add_edge(START, "right")
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    assert rows(tracer) == [
        ("chain", "graph", "LangGraph", None),
        ("chain", "node", "left", "LangGraph"),
        ("chain", "node", "right", "LangGraph"),
        ("chain", "runnable", "in left", "left"),
        ("chain", "runnable", "in right", "right"),
    ]
    assert {span.step for span in tracer.spans if span.kind == "node"} == {1}


def test_send_makes_one_node_span_for_each_message() -> None:
    """A fan-out by Send is as many node spans, each with a task of its own, and the routing function is an edge."""

    def fan(state: Log) -> list[Send]:
        return [Send("one", {"log": [n]}) for n in range(4)]

    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    graph.add_node("one", one)
    graph.add_conditional_edges(START, fan, ["one"])
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    nodes = by_name(tracer, "one")
    assert [span.kind for span in nodes] == ["node"] * 4
    assert len({span.task_id for span in nodes}) == 4
    assert {span.attempt for span in nodes} == {1}
    (edge,) = by_name(tracer, "fan")
    assert edge.kind == "edge"
    assert [sent["node"] for sent in edge.output] == ["one"] * 4


@pytest.mark.parametrize(("called", "kind"), [(True, "task"), (False, "runnable")])
def test_only_what_is_called_is_a_task(called: bool, kind: str) -> None:
    """LangGraph pushes the calls of tasks and the messages of Send alike, and says at the end of a path which it is."""
    where = {"langgraph_node": "n", "langgraph_path": ("__pregel_push", ("__pregel_pull", "a"), 0, called)}
    assert chain_kind(where, ["seq:step:1"], None, "n", from_runnable=False) == kind


def test_subgraphs_two_deep_nest_with_their_namespaces() -> None:
    """Each level is a graph under its node, and the namespace grows with it."""
    tracer = JsonlTracer()
    inner = graph_of(Log, one, name="inner")
    middle: Any = StateGraph(Log)
    middle.add_node("deep", inner).add_edge(START, "deep")
    outer: Any = StateGraph(Log)
    outer.add_node("sub", middle.compile(name="middle")).add_edge(START, "sub")
    outer.compile(name="outer").invoke({"log": []}, {"callbacks": [tracer]})
    assert rows(tracer) == [
        ("chain", "graph", "inner", "deep"),
        ("chain", "graph", "middle", "sub"),
        ("chain", "graph", "outer", None),
        ("chain", "node", "deep", "middle"),
        ("chain", "node", "one", "inner"),
        ("chain", "node", "sub", "outer"),
    ]
    (leaf,) = by_name(tracer, "one")
    namespace = leaf.checkpoint_ns or ""
    assert [part.partition(":")[0] for part in namespace.split("|")] == ["sub", "deep", "one"]
    assert leaf.task_id == namespace.rpartition(":")[2]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_a_subgraph_holds_is_what_it_is_outside(depth: int) -> None:
    """Routing functions, tasks, sequences of functions, and graphs that code calls, however deep: each by its kind."""

    def add(n: int) -> int:
        return n + n

    @task
    def double(n: int) -> int:
        graph_of(Log, one, name="called").invoke({"log": [n]})
        return int(RunnableSeq(RunnableCallable(add, name="add"), RunnableCallable(add, name="again")).invoke(n))

    @entrypoint()
    def work(n: int) -> int:
        return double(n).result()

    def prompt(state: Log) -> Log:
        return state

    def think(state: Log) -> dict[str, Any]:
        # What langgraph.prebuilt calls in its agents.
        RunnableSeq(RunnableCallable(prompt), RunnableCallable(prompt, name="then")).invoke(state)
        return {"log": [work.invoke(1)]}

    def route(state: Log) -> str:
        return END

    inner: Any = StateGraph(Log)
    inner.add_node("think", think).add_edge(START, "think").add_conditional_edges("think", route)
    graph = inner.compile(name="inner")
    for _ in range(depth):
        outer: Any = StateGraph(Log)
        outer.add_node("deep", graph).add_edge(START, "deep")
        graph = outer.compile(name="outer")
    tracer = JsonlTracer()
    graph.invoke({"log": []}, {"callbacks": [tracer]})
    assert rows(tracer) == [
        ("chain", "edge", "route", "think"),
        ("chain", "graph", "LangGraph", "think"),
        ("chain", "graph", "called", "double"),
        ("chain", "graph", "inner", "deep"),
        *([("chain", "graph", "outer", "deep")] * (depth - 1)),
        ("chain", "graph", "outer", None),
        *([("chain", "node", "deep", "outer")] * depth),
        ("chain", "node", "one", "called"),
        ("chain", "node", "think", "inner"),
        ("chain", "node", "work", "LangGraph"),
        ("chain", "runnable", "RunnableSeq", "double"),
        ("chain", "runnable", "RunnableSeq", "think"),
        ("chain", "runnable", "add", "RunnableSeq"),
        ("chain", "runnable", "again", "RunnableSeq"),
        ("chain", "runnable", "prompt", "RunnableSeq"),
        ("chain", "runnable", "then", "RunnableSeq"),
        ("chain", "task", "double", "work"),
    ]


@pytest.mark.parametrize(("name", "kind"), [("LangGraph", "graph"), ("finished", "runnable")])
def test_a_subgraph_without_a_node_is_known_by_its_name(name: str, kind: str) -> None:
    """One that has nothing left to do looks as a function does, unless it has the name that LangGraph gives."""
    there: Any = {"configurable": {"thread_id": "t"}}
    finished = graph_of(Log, one, name=name, checkpointer=InMemorySaver())
    finished.invoke({"log": []}, there)

    def again(state: Log) -> Any:
        return finished.invoke(None, there)

    tracer = JsonlTracer()
    graph_of(Log, again, name="outer").invoke({"log": []}, {"callbacks": [tracer]})
    assert ("chain", kind, name, "again") in rows(tracer)


def test_an_agent_is_a_graph_from_its_start() -> None:
    """A named agent of langchain is told to sinks, and left by a killed process, as the graph that it is."""
    started: list[Span] = []

    class Starts:
        def on_start(self, span: Span) -> None:
            started.append(span)

        def on_end(self, span: Span) -> None:
            pass

        def close(self) -> None:
            pass

    tracer = JsonlTracer(sinks=[Starts()])
    asker = create_agent(ScriptedModel(script=[AIMessage("3")]), name="asker")
    asker.invoke({"messages": [HumanMessage("1 + 2?")]}, {"callbacks": [tracer]})
    assert [(span.name, span.kind) for span in started][:2] == [("asker", "graph"), ("model", "node")]


def test_the_functional_api_is_tasks_under_an_entrypoint() -> None:
    """Calls of @task are task spans under the entrypoint's node."""

    @task
    def double(n: int) -> int:
        return 2 * n

    @entrypoint(checkpointer=InMemorySaver())
    def work(n: int) -> list[int]:
        return [call.result() for call in [double(n), double(n + 1)]]

    tracer = JsonlTracer()
    config: Any = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
    assert work.invoke(3, config) == [6, 8]
    assert rows(tracer) == [
        ("chain", "graph", "LangGraph", None),
        ("chain", "node", "work", "LangGraph"),
        ("chain", "task", "double", "work"),
        ("chain", "task", "double", "work"),
    ]
    assert len({span.task_id for span in by_name(tracer, "double")}) == 2


def test_conditional_edges_are_edges_and_nodes_are_nodes() -> None:
    """Routing after a node is an edge under it; a node that is a chain of runnables owns its steps."""
    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    chain = RunnableLambda(lambda state: state) | RunnableLambda(lambda state: {"log": ["chained"]})
    graph.add_node("chain", chain).add_edge(START, "chain")

    def route(state: Log) -> str:
        return END

    graph.add_conditional_edges("chain", route)
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    assert rows(tracer) == [
        ("chain", "edge", "route", "chain"),
        ("chain", "graph", "LangGraph", None),
        ("chain", "node", "chain", "LangGraph"),
        ("chain", "runnable", "RunnableLambda", "chain"),
        ("chain", "runnable", "RunnableLambda", "chain"),
    ]


def test_plain_parallel_runnables_keep_their_parent() -> None:
    """Branches that run in threads have the parallel step as their parent."""
    tracer = JsonlTracer()
    both: Any = RunnableParallel(
        a=RunnableLambda(lambda n: n + 1).with_config(run_name="plus"),
        b=RunnableLambda(lambda n: n * 2).with_config(run_name="times"),
    )
    assert both.invoke(3, {"callbacks": [tracer]}) == {"a": 4, "b": 6}
    assert [(name, parent) for _, _, name, parent in rows(tracer)] == [
        ("RunnableParallel<a,b>", None),
        ("plus", "RunnableParallel<a,b>"),
        ("times", "RunnableParallel<a,b>"),
    ]
