"""Scenarios of graphs inside graphs, and of the functional API."""

from typing import Any

from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from tests.conformance.replay.flow import State, graph, node
from tests.conformance.replay.human import asking
from tests.conformance.replay.scenario import Run, scenario


def around(inner: Any, name: str = "inner") -> StateGraph[Any]:
    """A graph with another as its middle node."""
    builder = graph("first last", (">", "first"), ("first", name), (name, "last"))
    builder.add_node(name, inner)
    return builder


@scenario
async def a_subgraph(run: Run) -> None:
    run.compile(around(graph("x y", (">", "x"), ("x", "y")).compile()))
    await run.invoke({"count": 1})
    await run.invoke({"count": 2})


@scenario
async def three_levels(run: Run) -> None:
    deepest = graph("z", (">", "z")).compile()
    run.compile(around(around(deepest, "deep").compile()))
    await run.invoke({"count": 1})


@scenario
async def a_question_in_a_subgraph(run: Run) -> None:
    run.compile(around(asking("ok?").compile()))
    await run.invoke({"count": 1})


@scenario
async def a_question_in_a_subgraph_answered(run: Run) -> None:
    run.compile(around(asking("ok?").compile()))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="yes"))


@scenario
async def a_second_question_in_a_subgraph(run: Run) -> None:
    run.compile(around(around(asking("one?", "two?").compile(), "deep").compile()))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="1"))


@scenario
async def a_question_three_levels_down(run: Run) -> None:
    run.compile(around(around(asking("one?", "two?").compile(), "deep").compile()))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="1"))
    await run.invoke(Command(resume="2"))


@scenario
async def an_error_in_a_subgraph(run: Run) -> None:
    inner = graph("x", (">", "x"), ("x", "bad"))
    inner.add_node("bad", lambda state: 1 // 0)
    run.compile(around(inner.compile()))
    await run.fails({"count": 1})


@scenario
async def a_subgraph_that_remembers(run: Run) -> None:
    run.compile(around(graph("x y", (">", "x"), ("x", "y")).compile(checkpointer=True)))
    await run.invoke({"count": 1})
    await run.invoke({"count": 2})


@scenario
async def a_subgraph_called_in_a_node(run: Run) -> None:
    inner = graph("x y", (">", "x"), ("x", "y")).compile()

    def call(state: State) -> dict[str, Any]:
        return {"log": inner.invoke({"count": 3})["log"]}

    run.subgraphs["call"] = inner
    run.compile(around(call, "call"))
    await run.invoke({"count": 1})


@scenario
async def a_subgraph_called_with_a_question(run: Run) -> None:
    inner = asking("ok?").compile()

    def call(state: State) -> dict[str, Any]:
        return {"log": inner.invoke({"count": 3})["log"]}

    run.subgraphs["call"] = inner
    run.compile(around(call, "call"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="yes"))


@scenario
async def a_subgraph_without_checkpoints(run: Run) -> None:
    if run.durability == "sync":  # LangGraph 1.2 fails there: its inner loop has no checkpoint to wait for
        run.durability = None
    run.compile(around(graph("x y", (">", "x"), ("x", "y")).compile(checkpointer=False)))
    await run.invoke({"count": 1})


@scenario
async def subgraphs_that_are_sent_to(run: Run) -> None:
    inner = graph("x", (">", "x")).compile()
    builder = graph("first last", (">", "first"), ("inner", "last"))
    builder.add_node("inner", inner)
    builder.add_conditional_edges("first", lambda state: [Send("inner", {"text": "in"}), Send("inner", {})], ["inner"])
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def a_handoff_to_the_parent(run: Run) -> None:
    inner = graph("x", (">", "x"), ("x", "leave"))
    inner.add_node("leave", lambda state: Command(graph=Command.PARENT, goto="other", update={"log": ["left"]}))
    builder = graph("first other", (">", "first"), ("first", "inner"))
    builder.add_node("inner", inner.compile(), destinations=("other",))
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def an_update_inside_a_subgraph(run: Run) -> None:
    run.compile(around(asking("ok?").compile()))
    await run.invoke({"count": 1})
    state = (
        await run.graph.aget_state(run.config(), subgraphs=True)
        if run.asynchronous
        else run.graph.get_state(run.config(), subgraphs=True)
    )
    await run.update({"log": ["by hand"]}, state.tasks[0].state.config, as_node="ask")
    await run.invoke(None)


@scenario
async def a_stop_inside_a_subgraph(run: Run) -> None:
    run.compile(around(graph("x y", (">", "x"), ("x", "y")).compile(interrupt_before=["y"])))
    await run.invoke({"count": 1})
    await run.invoke(None)


@scenario
async def travel_with_a_subgraph(run: Run) -> None:
    run.compile(around(graph("x y", (">", "x"), ("x", "y")).compile()))
    await run.invoke({"count": 1})
    if run.durability != "exit":
        await run.invoke(None, await run.at(1))


@scenario
async def a_function(run: Run) -> None:
    @entrypoint(checkpointer=run.saver)
    def work(given: int) -> int:
        return given + 1

    run.graph = work
    await run.invoke(1)


@scenario
async def a_function_with_tasks(run: Run) -> None:
    @task
    def double(number: int) -> int:
        return number * 2

    @task
    def add(left: int, right: int) -> int:
        return left + right

    @entrypoint(checkpointer=run.saver)
    def work(given: int) -> dict[str, Any]:
        parts = [double(number) for number in range(given)]
        return {"sum": add(parts[0].result(), parts[1].result()).result()}

    run.graph = work
    await run.invoke(3)
    await run.invoke(2)


@scenario
async def a_function_that_asks(run: Run) -> None:
    @task
    def prepare(number: int) -> int:
        return number * 2

    @entrypoint(checkpointer=run.saver)
    def work(given: int) -> str:
        prepared = prepare(given).result()
        return f"{interrupt({'prepared': prepared})} {interrupt('sure?')}"

    run.graph = work
    await run.invoke(1)
    await run.invoke(Command(resume="yes"))
    await run.invoke(Command(resume="very"))


@scenario
async def a_task_that_asks(run: Run) -> None:
    @task
    def ask(text: str) -> str:
        return str(interrupt(text))

    @entrypoint(checkpointer=run.saver)
    def work(given: str) -> str:
        return ask(given).result()

    run.graph = work
    await run.invoke("ok?")
    await run.invoke(Command(resume="yes"))


@scenario
async def a_function_that_remembers(run: Run) -> None:
    @entrypoint(checkpointer=run.saver)
    def work(given: int, *, previous: int | None = None) -> Any:
        return entrypoint.final(value=previous, save=given * 2)

    run.graph = work
    await run.invoke(1)
    await run.invoke(2)


@scenario
async def a_function_that_fails(run: Run) -> None:
    @task
    def bad(number: int) -> float:
        return number / 0

    @entrypoint(checkpointer=run.saver)
    def work(given: int) -> float:
        return bad(given).result()

    run.graph = work
    await run.fails(1)


@scenario
async def tasks_in_a_node(run: Run) -> None:
    @task
    def double(number: int) -> int:
        return number * 2

    builder = graph("last", (">", "call"), ("call", "last"))
    builder.add_node("call", lambda state: {"count": double(state["count"]).result()})
    run.compile(builder)
    await run.invoke({"count": 4})


@scenario
async def a_join_around_a_subgraph(run: Run) -> None:
    builder = graph("first a last", (">", "first"), ("first", "a"), ("first", "inner"))
    builder.add_node("inner", graph("x y", (">", "x"), ("x", "y")).compile())
    builder.add_edge(["a", "inner"], "last")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def parallel_subgraphs_that_ask(run: Run) -> None:
    builder = graph("last", ("left", "last"), ("right", "last"))
    for name in ("left", "right"):
        builder.add_node(name, asking(f"{name}?").compile())
        builder.add_edge(START, name)
    run.compile(builder)
    await run.invoke({"log": ["in"]})
    questions = await run.question()
    await run.invoke(Command(resume={questions[0].id: "one"}))
    await run.invoke(Command(resume={question.id: "two" for question in await run.question()}))


__all__ = ["around", "node"]
