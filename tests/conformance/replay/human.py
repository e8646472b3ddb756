"""Scenarios of waiting for a human: interrupts, answers, breakpoints, updates, forks, time travel."""

from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from tests.conformance.replay.flow import State, graph
from tests.conformance.replay.scenario import Run, scenario


def asking(*questions: Any, then: str = "after") -> StateGraph[Any]:
    """A graph of one node that asks its questions one after the other, and one that follows."""

    def ask(state: State) -> dict[str, Any]:
        return {"log": [str(interrupt(question)) for question in questions]}

    builder = graph(f"before {then}", (">", "before"), ("before", "ask"), ("ask", then))
    builder.add_node("ask", ask)
    return builder


@scenario
async def a_question(run: Run) -> None:
    run.compile(asking({"ok?": [1, 2]}))
    await run.invoke({"count": 1})


@scenario
async def a_question_answered(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume={"approved": True}))


@scenario
async def a_question_answered_by_id(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    [question] = await run.question()
    await run.invoke(Command(resume={question.id: "yes"}))


@scenario
async def two_questions_in_a_row(run: Run) -> None:
    run.compile(asking("first?", "second?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="1"))


@scenario
async def two_questions_answered(run: Run) -> None:
    run.compile(asking("first?", "second?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="1"))
    await run.invoke(Command(resume="2"))


class Count(BaseModel):
    """What may be answered."""

    count: int


@scenario
async def an_answer_refused(run: Run) -> None:
    builder = graph("before after", (">", "before"), ("before", "ask"), ("ask", "after"))
    builder.add_node("ask", lambda state: {"log": [str(interrupt("how many?", response_schema=Count).count)]})
    run.compile(builder)
    await run.invoke({"count": 1})
    await run.fails(Command(resume="many"))


@scenario
async def an_answer_refused_and_another(run: Run) -> None:
    await an_answer_refused(run)
    await run.invoke(Command(resume={"count": 3}))


@scenario
async def a_question_until_the_answer_is_good(run: Run) -> None:
    def ask(state: State) -> dict[str, Any]:
        text = "age?"
        while True:
            answer = interrupt(text)
            if isinstance(answer, int):
                return {"count": answer}
            text = f"{answer} is not a number"

    builder = graph("after", (">", "ask"), ("ask", "after"))
    builder.add_node("ask", ask)
    run.compile(builder)
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="x"))
    await run.invoke(Command(resume="y"))
    await run.invoke(Command(resume=30))


def two_askers() -> StateGraph[Any]:
    builder = graph("after", ("one", "after"), ("two", "after"))
    for name in ("one", "two"):
        builder.add_node(name, lambda state, name=name: {"log": [f"{name} {interrupt(name)}"]})
        builder.add_edge(START, name)
    return builder


@scenario
async def two_questions_at_once(run: Run) -> None:
    run.compile(two_askers())
    await run.invoke({"count": 1})


@scenario
async def one_of_two_questions_answered(run: Run) -> None:
    run.compile(two_askers())
    await run.invoke({"count": 1})
    first = (await run.question())[0]
    await run.invoke(Command(resume={first.id: "a"}))


@scenario
async def both_questions_answered_by_id(run: Run) -> None:
    run.compile(two_askers())
    await run.invoke({"count": 1})
    await run.invoke(Command(resume={question.id: question.value for question in await run.question()}))


@scenario
async def a_question_beside_a_finished_node(run: Run) -> None:
    builder = graph("a b after", (">", "a"), ("a", "b"), ("a", "ask"))
    builder.add_node("ask", lambda state: {"text": interrupt("?")})
    builder.add_edge(["b", "ask"], "after")
    run.compile(builder)
    await run.invoke({"count": 1})


@scenario
async def questions_of_sent_workers(run: Run) -> None:
    builder = graph("a after", (">", "a"), ("work", "after"))
    builder.add_node("work", lambda given: {"log": [interrupt({"n": given["n"]})]})
    builder.add_conditional_edges("a", lambda state: [Send("work", {"n": n}) for n in range(3)], ["work"])
    run.compile(builder)
    await run.invoke({"count": 1})
    questions = await run.question()
    await run.invoke(Command(resume={questions[0].id: "x", questions[2].id: "z"}))
    await run.invoke(Command(resume={question.id: "last" for question in await run.question()}))


@scenario
async def a_question_left_for_new_input(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.invoke({"count": 2})


@scenario
async def an_answer_that_fails(run: Run) -> None:
    def ask(state: State) -> dict[str, Any]:
        if interrupt("ok?") == "no":
            raise ValueError("no")
        return {"count": 1}

    builder = graph("after", (">", "ask"), ("ask", "after"))
    builder.add_node("ask", ask)
    run.compile(builder)
    await run.invoke({"count": 1})
    await run.fails(Command(resume="no"))


@scenario
async def an_answer_by_update(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.update({"log": ["by hand"]}, as_node="ask")
    await run.invoke(None)


@scenario
async def a_stop_before_a_node(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")), interrupt_before=["b"])
    await run.invoke({"count": 1})


@scenario
async def a_stop_before_a_node_continued(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")), interrupt_before=["b"])
    await run.invoke({"count": 1})
    await run.invoke(None)


@scenario
async def a_stop_after_a_node(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")), interrupt_after=["a"])
    await run.invoke({"count": 1})
    await run.invoke(None)


@scenario
async def a_stop_before_everything(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")), interrupt_before="*")
    await run.invoke({"count": 1})
    await run.invoke(None)


@scenario
async def approval_by_update(run: Run) -> None:
    run.compile(graph("plan respond", (">", "plan"), ("plan", "respond")), interrupt_before=["respond"])
    await run.invoke({"count": 1})
    await run.update({"text": "approved"})
    await run.invoke(None)


@scenario
async def an_update(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    await run.invoke({"count": 1})
    await run.update({"count": 9, "log": ["update"]})


@scenario
async def an_update_as_a_node(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    await run.invoke({"count": 1})
    await run.update({"count": 9}, as_node="a")
    await run.invoke(None)


@scenario
async def an_update_of_a_new_thread(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    await run.update({"count": 9}, as_node="a")
    await run.invoke(None)


@scenario
async def an_update_as_input(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")))
    await run.invoke({"count": 1})
    await run.update({"count": 4}, as_node="__input__")
    await run.invoke(None)


@scenario
async def updates_in_bulk(run: Run) -> None:
    from langgraph.types import StateUpdate

    run.compile(graph("a b", (">", "a"), ("a", "b")))
    await run.invoke({"count": 1})
    steps = [[StateUpdate({"count": 2}, "a")], [StateUpdate({"count": 3, "log": ["x"]}, "b")]]
    if run.asynchronous:
        await run.graph.abulk_update_state(run.config(), steps)
    else:
        run.graph.bulk_update_state(run.config(), steps)


@scenario
async def clearing_what_is_due(run: Run) -> None:
    run.compile(graph("a b", (">", "a"), ("a", "b")), interrupt_before=["b"])
    await run.invoke({"count": 1})
    await run.update(None, as_node="__end__")


@scenario
async def time_travel(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    await run.invoke({"count": 1})
    if run.durability != "exit":
        await run.invoke(None, await run.at(1))
        await run.invoke(None, await run.at(0))


@scenario
async def a_fork_by_update(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    await run.invoke({"count": 1})
    if run.durability != "exit":
        await run.invoke(None, await run.update({"count": 50}, await run.at(1)))


@scenario
async def a_copy_of_a_checkpoint(run: Run) -> None:
    run.compile(graph("a b c", (">", "a"), ("a", "b"), ("b", "c")))
    await run.invoke({"count": 1})
    if run.durability != "exit":
        await run.update(None, await run.at(1), as_node="__copy__")
        await run.invoke(None)


@scenario
async def travel_to_a_question(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="first"))
    if run.durability != "exit":
        await run.invoke(None, await run.at(1))
        await run.invoke(Command(resume="second"))


@scenario
async def an_answer_that_also_routes(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="yes", goto="after"))


@scenario
async def an_answer_that_also_writes(run: Run) -> None:
    run.compile(asking("ok?"))
    await run.invoke({"count": 1})
    await run.invoke(Command(resume="yes", update={"count": 5, "log": ["from the command"]}))


@scenario
async def a_dynamic_question_after_a_stop(run: Run) -> None:
    run.compile(asking("ok?"), interrupt_before=["ask"])
    await run.invoke({"count": 1})
    await run.invoke(None)
    await run.invoke(Command(resume="yes"))
