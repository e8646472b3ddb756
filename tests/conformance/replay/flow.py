"""Scenarios of how control flows: edges, branches, joins, Sends, Commands, deferral, errors."""

import operator
from typing import Annotated, Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send

from tests.conformance.replay.scenario import Run, scenario


class State(TypedDict, total=False):
    """Channels that a node may write alone and together with others."""

    count: int
    text: str
    log: Annotated[list[str], operator.add]
    total: Annotated[int, operator.add]


def node(name: str, **writes: Any) -> Any:
    """A node that logs its name and writes what it is told."""

    def run(state: State) -> dict[str, Any]:
        return {"log": [name], **writes}

    run.__name__ = name
    return run


def graph(names: str, *edges: tuple[Any, str]) -> StateGraph[Any]:
    """A graph with a logging node for every name; `>` stands for START, `<` for END."""
    builder: StateGraph[Any] = StateGraph(State)
    for name in names.split():
        builder.add_node(name, node(name))
    for source, target in edges:
        start = source if isinstance(source, list) else {">": START}.get(source, source)
        builder.add_edge(start, {"<": END}.get(target, target))
    return builder


@scenario
async def one_node(run: Run) -> None:
    run.compile(graph("a", (">", "a")))
    await run.invoke({"count": 1})


@scenario
async def a_line(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c"), ("c", "<")))
    await run.invoke({"count": 1, "log": ["in"]})


@scenario
async def several_turns(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    for turn in range(4):
        await run.invoke({"count": turn})


@scenario
async def several_threads(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    for name in ("t", "other", "with space", "ünïcode", ""):
        await run.invoke({"count": 1}, run.config(name))


@scenario
async def a_branch(run: Run) -> None:
    builder = graph("a b c", (">", "a"))
    builder.add_conditional_edges("a", lambda state: "b" if state["count"] > 1 else "c", ["b", "c"])
    run.compile(builder)
    await run.invoke({"count": 1})
    await run.invoke({"count": 2}, run.config("u"))


@scenario
async def a_branch_to_two(run: Run) -> None:
    builder = graph("a b c d", (">", "a"), ("b", "d"), ("c", "d"))
    builder.add_conditional_edges("a", lambda state: ["b", "c"], ["b", "c"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_branch_from_the_start(run: Run) -> None:
    builder = graph("a b")
    builder.add_conditional_edges(START, lambda state: "b", ["a", "b"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def fan_out_and_join(run: Run) -> None:
    run.compile(graph("a b c d", (">", "a"), ("a", "b"), ("a", "c"), (["b", "c"], "d")))
    await run.invoke({"count": 1})
    await run.invoke({"count": 2})


@scenario
async def a_join_of_uneven_lines(run: Run) -> None:
    run.compile(graph("a b b2 c d", (">", "a"), ("a", "b"), ("b", "b2"), ("a", "c"), (["b2", "c"], "d")))
    await run.invoke({"count": 1})


@scenario
async def two_joins_into_one_node(run: Run) -> None:
    edges = [(">", "a"), ("a", "b"), ("a", "c"), ("b", "x"), (["b", "c"], "d"), (["x", "c"], "d")]
    run.compile(graph("a b c x d", *edges))
    await run.invoke({"count": 1})


@scenario
async def names_that_hold_a_plus(run: Run) -> None:
    run.compile(graph("a b+b c d", (">", "a"), ("a", "b+b"), ("a", "c"), (["b+b", "c"], "d")))
    await run.invoke({"count": 1})


@scenario
async def an_incomplete_join(run: Run) -> None:
    builder = graph("a b c d", (">", "a"), ("a", "b"), (["b", "c"], "d"))
    builder.add_conditional_edges("a", lambda state: "b", ["b", "c"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_loop(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("a", lambda state: {"count": state["count"] + 1})
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", lambda state: "a" if state["count"] < 5 else END, ["a", END])
    run.compile(builder)
    await run.invoke({"count": 0})


@scenario
async def the_recursion_limit(run: Run) -> None:
    builder = graph("a b", (">", "a"), ("a", "b"), ("b", "a"))
    run.compile(builder)
    await run.fails({"count": 0}, {**run.config(), "recursion_limit": 5})


@scenario
async def map_and_reduce(run: Run) -> None:
    builder = graph("a done", (">", "a"), ("work", "done"))
    builder.add_node("work", lambda given: {"total": given["n"]})
    builder.add_conditional_edges("a", lambda state: [Send("work", {"n": n}) for n in range(4)], ["work"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def sends_beside_an_edge(run: Run) -> None:
    builder = graph("a b", (">", "a"), ("a", "b"))
    builder.add_node("work", lambda given: {"total": given["n"]})
    builder.add_conditional_edges("a", lambda state: [Send("work", {"n": 1}), Send("work", {"n": 2})], ["work"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def sends_that_send(run: Run) -> None:
    builder: Any = graph("a", (">", "a"))

    def work(given: Any) -> Any:
        if given["n"] > 2:
            return {"total": given["n"]}
        return Command(update={"log": ["w"]}, goto=[Send("work", {"n": given["n"] + 1}), Send("work", {"n": 9})])

    builder.add_node("work", work)
    builder.add_conditional_edges("a", lambda state: [Send("work", {"n": 1})], ["work"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def sends_from_the_start(run: Run) -> None:
    builder = graph("done", ("work", "done"))
    builder.add_node("work", lambda given: {"total": given["n"]})
    builder.add_conditional_edges(START, lambda state: [Send("work", {"n": n}) for n in (1, 2)], ["work"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_command_goes_somewhere(run: Run) -> None:
    builder = graph("b c", ("b", "c"))

    def route(state: State) -> Command[Literal["b"]]:
        return Command(goto="b", update={"count": 7})

    builder.add_node("route", route)
    builder.add_edge(START, "route")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_command_goes_to_several(run: Run) -> None:
    builder = graph("b c")

    def route(state: State) -> Command[Literal["b", "c"]]:
        return Command(goto=["b", "c"], update={"log": ["route"]})

    builder.add_node("route", route)
    builder.add_edge(START, "route")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_list_of_commands(run: Run) -> None:
    builder = graph("b c")

    def route(state: State) -> Any:
        return [Command(goto="b", update={"log": ["one"]}), {"count": 3}, Command(goto="c", update={"log": ["two"]})]

    builder.add_node("route", route, destinations=("b", "c"))
    builder.add_edge(START, "route")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_command_as_input(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    await run.invoke({"count": 1})
    await run.invoke(Command(goto="b"))


@scenario
async def a_deferred_node(run: Run) -> None:
    builder = graph("a b b2 c", (">", "a"), ("a", "b"), ("b", "b2"), ("a", "c"))
    builder.add_node("last", node("last"), defer=True)
    builder.add_edge("b2", "last").add_edge("c", "last")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_deferred_join(run: Run) -> None:
    builder = graph("a b c x y", (">", "a"), ("a", "b"), ("a", "c"), ("a", "x"), ("x", "y"))
    builder.add_node("last", node("last"), defer=True)
    builder.add_edge(["b", "c"], "last")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_node_that_writes_nothing(run: Run) -> None:
    builder = graph("b", ("silent", "b"))
    builder.add_node("silent", lambda state: None)
    builder.add_edge(START, "silent")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def an_error(run: Run) -> None:
    builder = graph("a", (">", "a"), ("a", "bad"))
    builder.add_node("bad", lambda state: 1 // 0)
    run.compile(builder)
    await run.fails({"count": 1})


@scenario
async def an_error_beside_success(run: Run) -> None:
    builder = graph("a b c", (">", "a"), ("a", "b"), ("a", "bad"))
    builder.add_node("bad", lambda state: 1 // 0)
    builder.add_edge(["b", "bad"], "c")
    run.compile(builder)
    await run.fails({"count": 1})


@scenario
async def an_error_that_passes(run: Run) -> None:
    calls: list[int] = []

    def flaky(state: State) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("first")
        return {"count": 5}

    builder = graph("a c", (">", "a"), ("a", "flaky"), ("flaky", "c"))
    builder.add_node("flaky", flaky)
    run.compile(builder)
    await run.fails({"count": 1})
    await run.invoke(None)


@scenario
async def retries(run: Run) -> None:
    calls: list[int] = []

    def flaky(state: State) -> dict[str, Any]:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("again")
        return {"count": 5}

    builder = graph("c", ("flaky", "c"))
    builder.add_node("flaky", flaky, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    builder.add_edge(START, "flaky")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def an_error_handler(run: Run) -> None:
    builder = graph("a c", (">", "a"), ("a", "bad"), ("bad", "c"))
    builder.add_node("bad", lambda state: 1 // 0, error_handler=lambda state: {"text": "handled"})
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_stream_that_is_dropped(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    if run.asynchronous:
        stream = run.graph.astream({"count": 1}, run.config(), stream_mode="values")
        async for _ in stream:
            break
        await stream.aclose()
    else:
        for _ in run.graph.stream({"count": 1}, run.config(), stream_mode="values"):
            break


@scenario
async def metadata_of_the_caller(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    config = run.config("t", tenant="x") | {"metadata": {"ticket": 7, "nested": {"dropped": True}}, "tags": ["z"]}
    await run.invoke({"count": 1}, config)
