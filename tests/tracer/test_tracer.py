"""The tracer on a LangGraph agent: tree, fields, tokens, errors and interrupts, sync invoke and stream."""

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

import flightlog
from flightlog import JsonlTracer, Span, read_spans
from tests.tracer.models import USAGE, ScriptedModel, call


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def one_node(state: Any, node: Any, **options: Any) -> Any:
    """A graph of a single node."""
    graph: Any = StateGraph(state)
    return graph.add_node(node).add_edge(START, node.__name__).compile(**options)


def agent(model: ScriptedModel) -> Any:
    """A ReAct-shaped graph: model -> tools -> model."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([add]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(name="agent")


def two_turns() -> ScriptedModel:
    return ScriptedModel(
        script=[
            AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2})], usage_metadata=USAGE),
            AIMessage("3", usage_metadata=USAGE, response_metadata={"model_name": "scripted-1-0613"}),
        ]
    )


def shape(spans: list[Span]) -> list[tuple[str, str | None, str, str | None, str | None]]:
    names = {span.run_id: span.name for span in spans}
    return [(span.type, span.kind, span.name, names.get(span.parent_run_id or ""), span.status) for span in spans]


QUESTION = {"messages": [HumanMessage("1 + 2?")]}
EXPECTED = [
    ("llm", None, "scripted-1", "model", "ok"),
    ("chain", "edge", "tools_condition", "model", "ok"),
    ("chain", "node", "model", "agent", "ok"),
    ("tool", None, "add", "tools", "ok"),
    ("chain", "node", "tools", "agent", "ok"),
    ("llm", None, "scripted-1", "model", "ok"),
    ("chain", "edge", "tools_condition", "model", "ok"),
    ("chain", "node", "model", "agent", "ok"),
    ("chain", "graph", "agent", None, "ok"),
]


def test_an_agent_is_a_tree_of_spans() -> None:
    """Every run of a ReAct agent is one span under the run that started it, children before parents."""
    tracer = JsonlTracer()
    agent(two_turns()).invoke(QUESTION, {"callbacks": [tracer], "configurable": {"thread_id": "t-1"}})
    spans = tracer.spans
    assert shape(spans) == EXPECTED
    root = spans[-1]
    assert {span.trace_id for span in spans} == {root.run_id}
    assert {span.thread_id for span in spans} == {"t-1"}
    assert [(span.node, span.step) for span in spans if span.kind == "node"] == [
        ("model", 1),
        ("tools", 2),
        ("model", 3),
    ]
    assert len({(span.writer_id, span.seq) for span in spans}) == len(spans)


def test_stream_records_the_same_tree_as_invoke() -> None:
    """Streaming the updates of a graph changes nothing in what is recorded."""
    tracer = JsonlTracer()
    list(agent(two_turns()).stream(QUESTION, {"callbacks": [tracer]}))
    assert shape(tracer.spans) == EXPECTED


def test_llm_spans_carry_tokens_models_and_messages() -> None:
    """Usage is what the message reported, the model the one that answered, and payloads are compact messages."""
    tracer = JsonlTracer()
    agent(two_turns()).invoke(QUESTION, {"callbacks": [tracer]})
    first, second = [span for span in tracer.spans if span.type == "llm"]
    assert first.token_usage == second.token_usage == USAGE
    assert (second.model, second.request_model, second.provider) == ("scripted-1-0613", "scripted-1", "scriptedmodel")
    assert [message["type"] for message in second.inputs["messages"]] == ["human", "ai", "tool"]
    assert second.output == {
        "type": "ai",
        "content": "3",
        "id": second.message_id,
        "usage_metadata": dict(USAGE),
    }
    assert tracer.summary()["llm"]["total_tokens"] == 30
    tool_span = next(span for span in tracer.spans if span.type == "tool")
    assert (tool_span.inputs, tool_span.tool_call_id) == ({"a": 1, "b": 2}, "call-1")
    assert tool_span.output["content"] == "3"


def test_spans_go_to_the_file_before_the_callback_returns(tmp_path: Path) -> None:
    """The file holds every span as soon as invoke has returned, without close()."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, service="desk") as tracer:
        agent(two_turns()).invoke(QUESTION, {"callbacks": [tracer]})
        spans = list(read_spans(path))
        assert shape(spans) == EXPECTED
        assert {span.service for span in spans} == {"desk"}
        assert tracer.stats()["written"] == 9
        assert tracer.spans == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["trace.jsonl"]


def test_an_error_is_on_every_run_it_passes_through() -> None:
    """A failing node fails its graph, with type, message and stack trace."""

    def fail(_: Any) -> None:
        raise ValueError("no luck")

    tracer = JsonlTracer()
    with pytest.raises(ValueError, match="no luck"):
        one_node(MessagesState, fail).invoke(QUESTION, {"callbacks": [tracer]})
    assert [(span.name, span.status) for span in tracer.spans] == [("fail", "error"), ("LangGraph", "error")]
    for span in tracer.spans:
        assert span.error is not None
        assert (span.error["type"], span.error["message"]) == ("ValueError", "no luck")
        assert "in fail" in span.error["stacktrace"]
    assert tracer.summary()["chain"]["errors"] == 2


class Draft(TypedDict):
    log: Annotated[list[str], operator.add]


def test_an_interrupt_is_a_question_and_not_an_error() -> None:
    """The asking node and the root are interrupted with the question; the resumed root carries the answer."""

    def ask(_: Draft) -> dict[str, list[str]]:
        return {"log": [interrupt({"ok": "send?"})]}

    graph = one_node(Draft, ask, checkpointer=InMemorySaver())
    tracer = JsonlTracer()
    config: RunnableConfig = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
    asked = graph.invoke({"log": []}, config)["__interrupt__"][0]
    graph.invoke(Command(resume="yes"), config)
    node, root, again, resumed = tracer.spans
    assert [span.status for span in (node, root, again, resumed)] == ["interrupted", "interrupted", "ok", "ok"]
    assert node.interrupts == root.interrupts == [{"id": asked.id, "value": {"ok": "send?"}}]
    assert resumed.resumes == [{"value": "yes"}]
    assert node.error is None
    assert node.task_id == again.task_id
    assert tracer.summary()["chain"]["errors"] == 0


def test_plain_runnables_are_recorded_too() -> None:
    """A LangChain sequence without LangGraph is a tree of runnables."""
    tracer = JsonlTracer()
    chain: Any = RunnableLambda(lambda value: value + 1).with_config(run_name="one") | RunnableLambda(
        lambda value: value * 2
    )
    assert chain.invoke(1, {"callbacks": [tracer], "tags": ["mine"], "metadata": {"user": "u"}}) == 4
    one, two, root = tracer.spans
    assert (one.name, one.kind, one.inputs, one.output) == ("one", "runnable", 1, 2)
    assert two.parent_run_id == root.run_id
    assert root.tags == ["mine"]
    assert root.metadata == {"user": "u"}


def test_the_trace_of_a_run_by_its_id_or_the_text_of_it() -> None:
    """As long as the run goes on; what is no id has no trace, and raises nothing."""
    tracer, run_id = JsonlTracer(), uuid4()
    found: list[str | None] = []

    def look(given: Any) -> None:
        found.extend(tracer.trace_id_of(asked) for asked in (run_id, str(run_id), "nonsense", given))

    RunnableLambda(look).invoke(None, {"callbacks": [tracer], "run_id": run_id})
    assert found == [str(run_id), str(run_id), None, None]
    assert tracer.trace_id_of(run_id) is None


def test_the_public_names_are_what_all_says() -> None:
    """Every name in __all__ loads, and nothing else is offered."""
    for name in flightlog.__all__:
        assert getattr(flightlog, name) is not None
    assert set(flightlog.__all__) <= set(dir(flightlog))
    with pytest.raises(AttributeError):
        _ = flightlog.nothing
