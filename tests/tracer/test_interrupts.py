"""Pauses for a human: interrupted, never an error, with every question and every answer."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from langgraph.func import entrypoint
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Interrupt, interrupt
from pydantic import BaseModel, ValidationError

from flightlog import JsonlTracer, Span
from flightlog.events.langgraph import resume_records
from tests.tracer.graphs import Log, by_name, graph_of, is_clean, statuses
from tests.tracer.models import call


def config(tracer: JsonlTracer, thread: str = "t") -> Any:
    return {"callbacks": [tracer], "configurable": {"thread_id": thread}}


def values(span: Span) -> list[Any]:
    return [question["value"] for question in span.interrupts or ()]


def ask(state: Log) -> dict[str, Any]:
    return {"log": [interrupt("sure?")]}


def ask_twice(state: Log) -> dict[str, Any]:
    return {"log": [interrupt("first?"), interrupt("second?")]}


@tool
def approve(what: str) -> str:
    """Ask a human."""
    return str(interrupt({"approve": what}))


def test_an_interrupt_in_a_tool_marks_tool_node_and_root() -> None:
    """The tool's span, its node and the root are interrupted, with the question and its id."""
    tracer = JsonlTracer()
    graph: Any = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([approve])).add_edge(START, "tools")
    app = graph.compile(checkpointer=InMemorySaver())
    asking = {"messages": [AIMessage("", tool_calls=[call("approve", {"what": "pay"})])]}
    (pending,) = app.invoke(asking, config(tracer))["__interrupt__"]
    assert statuses(tracer) == [("approve", "interrupted"), ("tools", "interrupted"), ("LangGraph", "interrupted")]
    assert [span.interrupts for span in tracer.spans] == [[{"id": pending.id, "value": {"approve": "pay"}}]] * 3
    assert [span.error for span in tracer.spans] == [None] * 3
    assert (tracer.summary()["tool"]["interrupted"], tracer.summary()["tool"]["errors"]) == (1, 0)


@pytest.mark.parametrize(
    "answer", [{}, {"go": "on"}, {"0" * 32: "on", "note": "late"}], ids=["nothing", "fields", "an id among fields"]
)
def test_an_answer_that_is_a_dict_is_one_answer(answer: dict[str, Any]) -> None:
    """Only a dict of nothing but interrupt ids holds the answers to several questions."""
    assert resume_records(Command(resume=answer)) == [{"value": answer}]


async def test_an_async_interrupt_is_the_same() -> None:
    """ainvoke records an interrupt as invoke does."""
    tracer = JsonlTracer()
    app = graph_of(Log, ask, checkpointer=InMemorySaver())
    await app.ainvoke({"log": []}, config(tracer))
    await app.ainvoke(Command(resume="yes"), config(tracer))
    assert statuses(tracer) == [
        ("ask", "interrupted"),
        ("LangGraph", "interrupted"),
        ("ask", "ok"),
        ("LangGraph", "ok"),
    ]
    assert tracer.spans[-1].resumes == [{"value": "yes"}]


def test_an_answer_that_the_question_does_not_take_is_marked() -> None:
    """What may be answered stands with the question; a run that brought something else is tagged as such."""

    class Count(BaseModel):
        count: int

    def ask(state: Any) -> dict[str, Any]:
        return {"log": [interrupt("how many?", response_schema=Count).count, interrupt("really?")]}

    tracer = JsonlTracer()
    graph = graph_of(Log, ask, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer], "tags": ["mine"]}
    graph.invoke({"log": []}, config)
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume={"count": "many"}), config)
    graph.invoke(Command(resume={"count": 3}), config)
    assert is_clean(tracer)
    asked, refused, again = tracer.spans[:2], tracer.spans[2:4], tracer.spans[4:]
    for span in asked:
        assert span.interrupts is not None
        assert span.interrupts[0]["response_schema"]["properties"]["count"]["type"] == "integer"
    assert [span.status for span in refused] == ["error", "error"]
    assert all(span.tags is not None and span.tags[-1] == "flightlog:answer_refused" for span in refused)
    assert all("mine" in (span.tags or []) for span in refused)
    for span in again:
        assert span.interrupts is not None
        assert "response_schema" not in span.interrupts[0]
        assert "flightlog:answer_refused" not in (span.tags or [])


def test_an_interrupt_in_a_subgraph_marks_every_level() -> None:
    """The question is on the node that asked and on each graph and node around it, once."""
    tracer = JsonlTracer()
    outer: Any = StateGraph(Log)
    outer.add_node("sub", graph_of(Log, ask, name="inner")).add_edge(START, "sub")
    outer.compile(checkpointer=InMemorySaver()).invoke({"log": []}, config(tracer))
    assert statuses(tracer) == [
        ("ask", "interrupted"),
        ("inner", "interrupted"),
        ("sub", "interrupted"),
        ("LangGraph", "interrupted"),
    ]
    assert [values(span) for span in tracer.spans] == [["sure?"]] * 4


def test_two_interrupts_in_one_node_are_asked_and_answered_in_turn() -> None:
    """Each run of the node carries the question it stopped at, each resumed root the answer that came."""
    tracer = JsonlTracer()
    app = graph_of(Log, ask_twice, checkpointer=InMemorySaver())
    app.invoke({"log": []}, config(tracer))
    app.invoke(Command(resume=1), config(tracer))
    app.invoke(Command(resume=2), config(tracer))
    nodes, roots = by_name(tracer, "ask_twice"), by_name(tracer, "LangGraph")
    assert [values(span) for span in nodes] == [["first?"], ["second?"], []]
    assert [values(span) for span in roots] == [["first?"], ["second?"], []]
    assert [span.resumes for span in roots] == [None, [{"value": 1}], [{"value": 2}]]
    assert len({span.task_id for span in nodes}) == 1
    assert len({span.trace_id for span in roots}) == 3


def test_parallel_interrupts_are_all_on_the_root_and_answered_by_id() -> None:
    """Two nodes that ask in one step are two questions on the root; a resume by id says which answer is whose."""
    tracer = JsonlTracer()

    def left(state: Log) -> dict[str, Any]:
        return {"log": [interrupt("left?")]}

    def right(state: Log) -> dict[str, Any]:
        return {"log": [interrupt("right?")]}

    graph: Any = StateGraph(Log)
    graph.add_node("left", left).add_node("right", right)
    graph.add_edge(START, "left").add_edge(START, "right")
    app = graph.compile(checkpointer=InMemorySaver())
    app.invoke({"log": []}, config(tracer))
    (root,) = by_name(tracer, "LangGraph")
    assert sorted(values(root)) == ["left?", "right?"]
    answers = {question["id"]: f"to {question['value']}" for question in root.interrupts or ()}
    app.invoke(Command(resume=answers), config(tracer))
    resumed = by_name(tracer, "LangGraph")[-1]
    assert resumed.status == "ok"
    assert resumed.resumes == [{"interrupt_id": key, "value": value} for key, value in answers.items()]


@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
def test_a_static_breakpoint_interrupts_the_root(where: str) -> None:
    """LangGraph's lifecycle event says that the root waits, and at which checkpoint."""

    def first(state: Log) -> dict[str, Any]:
        return {"log": [1]}

    def second(state: Log) -> dict[str, Any]:
        return {"log": [2]}

    tracer = JsonlTracer()
    stop = {"interrupt_before": ["second"]} if where == "interrupt_before" else {"interrupt_after": ["first"]}
    app = graph_of(Log, first, second, checkpointer=InMemorySaver(), **stop)
    app.invoke({"log": []}, config(tracer))
    assert statuses(tracer) == [("first", "ok"), ("LangGraph", "interrupted")]
    waiting = tracer.spans[-1].checkpoint_id
    assert waiting == app.get_state(config(tracer)).config["configurable"]["checkpoint_id"]
    app.invoke(None, config(tracer))
    assert statuses(tracer)[2:] == [("second", "ok"), ("LangGraph", "ok")]
    assert tracer.spans[-1].checkpoint_id == waiting
    assert tracer.spans[-1].resumes is None


def test_going_back_to_a_checkpoint_says_each_field_once(tmp_path: Path) -> None:
    """A run that begins at an older checkpoint and waits at a newer one has one checkpoint_id: where it waits."""
    tracer = JsonlTracer(tmp_path / "trace.jsonl")
    app = graph_of(Log, ask, checkpointer=InMemorySaver())
    app.invoke({"log": []}, config(tracer))
    first = app.get_state(config(tracer)).config
    app.invoke({"log": []}, {**first, "callbacks": [tracer]})
    tracer.close()
    records = [
        json.loads(line, object_pairs_hook=list) for line in (tmp_path / "trace.jsonl").read_bytes().splitlines()
    ]
    for record in records:
        assert max(Counter(name for name, _ in record).values()) == 1
    waiting = app.get_state(config(tracer)).config["configurable"]["checkpoint_id"]
    assert dict(records[-1])["checkpoint_id"] == waiting != first["configurable"]["checkpoint_id"]


def test_new_input_at_an_older_checkpoint_says_which() -> None:
    """A run that the application began there, with input of its own, is known by it: LangGraph tells of no resume."""

    def one(state: Log) -> dict[str, Any]:
        return {"log": [1]}

    tracer = JsonlTracer()
    app = graph_of(Log, one, checkpointer=InMemorySaver())
    app.invoke({"log": []}, config(JsonlTracer()))
    older = list(app.get_state_history(config(tracer)))[1].config
    app.invoke({"log": []}, {**older, "callbacks": [tracer]})
    assert [span.checkpoint_id for span in tracer.spans] == [older["configurable"]["checkpoint_id"]] * 2


def test_an_answer_is_recorded_whatever_made_the_graph() -> None:
    """The input of a root without a mark of LangGraph's, as older versions made graphs, may answer too."""
    tracer = JsonlTracer()
    root = uuid4()
    tracer.on_chain_start(None, Command(resume="yes"), run_id=root, name="payer")
    tracer.on_chain_end({}, run_id=root)
    assert tracer.spans[0].resumes == [{"value": "yes"}]


async def test_a_static_breakpoint_interrupts_an_async_root() -> None:
    """The same under ainvoke."""

    def only(state: Log) -> dict[str, Any]:
        return {"log": [1]}

    tracer = JsonlTracer()
    app = graph_of(Log, only, checkpointer=InMemorySaver(), interrupt_after=["only"])
    await app.ainvoke({"log": []}, config(tracer))
    assert statuses(tracer) == [("only", "ok"), ("LangGraph", "interrupted")]


def test_an_interrupt_in_the_functional_api_is_the_same() -> None:
    """An entrypoint that asks is interrupted, and its resumed run carries the answer."""

    @entrypoint(checkpointer=InMemorySaver())
    def work(n: int) -> Any:
        return interrupt(n)

    tracer = JsonlTracer()
    work.invoke(7, config(tracer))
    assert work.invoke(Command(resume="on"), config(tracer)) == "on"
    assert statuses(tracer) == [
        ("work", "interrupted"),
        ("LangGraph", "interrupted"),
        ("work", "ok"),
        ("LangGraph", "ok"),
    ]
    assert values(tracer.spans[1]) == [7]
    assert tracer.spans[-1].resumes == [{"value": "on"}]


def test_a_graph_that_waits_inside_a_node_does_not_make_the_node_wait() -> None:
    """A separate graph invoked in a node waits for itself; the node that got its answer is ok."""
    inner = graph_of(Log, ask, checkpointer=InMemorySaver(), name="inner")

    def caller(state: Log) -> dict[str, Any]:
        found = inner.invoke({"log": []}, {"configurable": {"thread_id": "own"}})
        return {"log": ["__interrupt__" in found]}

    tracer = JsonlTracer()
    answer = graph_of(Log, caller, name="outer").invoke({"log": []}, {"callbacks": [tracer]})
    assert answer["log"] == [True]
    found = dict(statuses(tracer))
    assert (found["ask"], found["inner"]) == ("interrupted", "interrupted")
    assert (found["caller"], found["outer"]) == ("ok", "ok")


def test_a_graph_inside_a_chain_carries_its_own_question_and_answer() -> None:
    """A service that wraps the graph is ok; the graph inside it waits, and its resumed run has the answer."""
    app = graph_of(Log, ask, checkpointer=InMemorySaver(), name="inner")
    service: Any = RunnableLambda(lambda given: app.invoke(given, {"configurable": {"thread_id": "t"}}), name="service")
    tracer = JsonlTracer()
    service.invoke({"log": []}, {"callbacks": [tracer]})
    service.invoke(Command(resume="yes"), {"callbacks": [tracer]})
    asked, answered = by_name(tracer, "inner")
    assert (asked.kind, asked.status, values(asked)) == ("graph", "interrupted", ["sure?"])
    assert (answered.status, answered.resumes) == ("ok", [{"value": "yes"}])
    assert [span.status for span in by_name(tracer, "service")] == ["ok", "ok"]


def test_a_node_that_catches_the_interrupt_does_not_make_the_root_wait() -> None:
    """Whoever swallows the question goes on, and so does the graph."""

    def stubborn(state: Log) -> dict[str, Any]:
        try:
            interrupt("stop?")
        except Exception:
            return {"log": ["went on"]}
        return {"log": []}

    tracer = JsonlTracer()
    graph_of(Log, stubborn, checkpointer=InMemorySaver()).invoke({"log": []}, config(tracer))
    assert statuses(tracer) == [("stubborn", "ok"), ("LangGraph", "ok")]


def test_what_routes_behind_a_node_that_handed_over_is_no_attempt_of_it() -> None:
    """The conditional edge of a subgraph that has handed over runs under the node's name; it is an edge, no retry."""

    def leave(state: Log) -> Any:
        return Command(goto="other", graph=Command.PARENT, update={"log": ["left"]})

    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    graph.add_node("sub", graph_of(Log, leave, name="inner")).add_node("other", lambda state: {"log": ["other"]})
    graph.add_edge(START, "sub").add_conditional_edges("sub", lambda state: END, [END])
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    found = [(span.kind, span.status, span.attempt) for span in tracer.spans if span.name == "sub"]
    assert found == [("node", "handoff", 1), ("edge", "ok", None)]


def test_a_command_to_the_parent_graph_is_a_handoff() -> None:
    """The node, its graph and the node around it hand over; nothing is an error and the root is ok."""

    def leave(state: Log) -> Any:
        return Command(goto="other", graph=Command.PARENT, update={"log": ["left"]})

    def other(state: Log) -> dict[str, Any]:
        return {"log": ["other"]}

    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    graph.add_node("sub", graph_of(Log, leave, name="inner")).add_node("other", other).add_edge(START, "sub")
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    assert statuses(tracer) == [
        ("leave", "handoff"),
        ("inner", "handoff"),
        ("sub", "handoff"),
        ("other", "ok"),
        ("LangGraph", "ok"),
    ]
    assert tracer.summary()["chain"]["errors"] == 0
    assert is_clean(tracer)


async def leave(app: Any, here: Any, at: str, *, asynchronous: bool) -> None:
    """Read a stream up to a chunk, and no further."""
    if not asynchronous:
        for chunk in app.stream({"log": []}, here):
            if at in chunk:
                break
        return
    stream = app.astream({"log": []}, here)
    async for chunk in stream:
        if at in chunk:
            break
    await stream.aclose()


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("asks", "at", "expected"),
    [
        (True, "__interrupt__", ("interrupted", ["sure?"])),
        (False, "__interrupt__", ("interrupted", [])),
        (True, "plan", ("abandoned", [])),
    ],
    ids=["question", "breakpoint", "before"],
)
async def test_who_leaves_the_stream_at_the_question_leaves_a_pause(
    asks: bool, at: str, expected: tuple[str, list[str]], asynchronous: bool
) -> None:
    """Breaking out of the loop where the graph has stopped changes nothing; breaking out before cuts the run short."""
    graph: Any = StateGraph(Log).add_node("plan", lambda _: {"log": ["plan"]})
    graph.add_node("pay", ask if asks else lambda _: {"log": ["paid"]})
    graph.add_edge(START, "plan").add_edge("plan", "pay").add_edge("pay", END)
    app = graph.compile(checkpointer=InMemorySaver(), interrupt_before=None if asks else ["pay"])
    tracer = JsonlTracer()
    await leave(app, config(tracer), at, asynchronous=asynchronous)
    tracer.close()
    root = tracer.spans[-1]
    assert (root.name, (root.status, values(root))) == ("LangGraph", expected)


def test_a_stream_that_is_left_while_something_runs_is_cut_short() -> None:
    """One node has asked and another has not ended: the graph had not stopped."""
    tracer = JsonlTracer()
    root, asking, working = uuid4(), uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="LangGraph")
    for node, run in (("ask", asking), ("work", working)):
        place = {"langgraph_node": node, "langgraph_step": 1, "langgraph_checkpoint_ns": f"{node}:1"}
        tracer.on_chain_start(None, {}, run_id=run, parent_run_id=root, name=node, metadata=place)
    tracer.on_chain_error(GraphInterrupt([Interrupt("sure?", id="q")]), run_id=asking, parent_run_id=root)
    tracer.on_chain_error(GeneratorExit(), run_id=root)
    assert statuses(tracer) == [("ask", "interrupted"), ("work", "abandoned"), ("LangGraph", "abandoned")]
