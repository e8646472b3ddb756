"""A tracer that stands twice among the callbacks of a call, which LangChain then tells of its root twice."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from flightlog import JsonlTracer, read_spans


@tool
def twice(text: str) -> str:
    """Say it twice."""
    return text + text


def agent() -> Runnable[Any, Any]:
    """A graph of one node."""
    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [("ai", "yes")]}).add_edge(START, "model")
    compiled: Runnable[Any, Any] = graph.compile()
    return compiled


CALLS: list[tuple[Runnable[Any, Any], Any]] = [
    (FakeListChatModel(responses=["yes"]), "q"),
    (twice, {"text": "a"}),
    (RunnableLambda(lambda text: text) | RunnableLambda(lambda text: text), "q"),
    (agent(), {"messages": [("user", "q")]}),
]


@pytest.mark.parametrize(("called", "given"), CALLS, ids=lambda one: type(one).__name__)
def test_the_root_is_recorded_once(called: Runnable[Any, Any], given: Any, tmp_path: Path) -> None:
    """Given to the runnable and to the call, or listed twice, a tracer records each run once, sync and async."""
    once, path = JsonlTracer(), tmp_path / "s.jsonl"
    called.invoke(given, {"callbacks": [once]})
    with JsonlTracer(path) as tracer:
        config: Any = {"callbacks": [tracer]}
        called.with_config(config).invoke(given, config)
        called.invoke(given, {"callbacks": [tracer, tracer]})
        asyncio.run(called.with_config(config).ainvoke(given, config))
        assert tracer.stats()["open"] == 0
    names = [span.name for span in read_spans(path)]
    assert names == [span.name for span in once.spans] * 3
    assert len({span.run_id for span in read_spans(path)}) == len(names)
    assert {span.status for span in read_spans(path)} == {"ok"}


def test_its_stream_is_counted_once() -> None:
    """Every chunk is told twice and counted once."""
    tracer = JsonlTracer()
    list(FakeListChatModel(responses=["abc"]).stream("q", {"callbacks": [tracer, tracer]}))
    assert [span.chunks for span in tracer.spans] == [len(list(FakeListChatModel(responses=["abc"]).stream("q")))]


def test_what_sampling_leaves_out_is_counted_once() -> None:
    """The summary counts runs that are not recorded, each once."""
    tracer = JsonlTracer(sample=0)
    twice.invoke({"text": "a"}, {"callbacks": [tracer, tracer]})
    assert tracer.summary()["tool"]["count"] == 1
    assert tracer.stats()["open"] == 0


@pytest.mark.parametrize("other", [{"name": "other"}, {"inputs": "else"}])
def test_another_run_of_that_id_stays_one_of_its_own(other: dict[str, Any]) -> None:
    """Two runs at once with one id from outside are two records where anything tells them apart."""
    tracer = JsonlTracer()
    key = uuid4()
    for told in ({}, other):
        about: Any = {"name": "one", "inputs": "q", **told}
        tracer.on_chain_start(None, run_id=key, **about)
    for _ in range(2):
        tracer.on_chain_end("a", run_id=key)
    assert len(tracer.spans) == 2
