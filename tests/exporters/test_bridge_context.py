"""What the current span is while OTelBridge listens, and so what nests under what, with the real SDK."""

import asyncio
import copy
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from flightlog import JsonlTracer
from flightlog.span import Span
from flightlog_exporters import OTelBridge
from flightlog_exporters.delegating_span import DelegatingSpan
from tests.exporters.agent import QUESTION, build_agent
from tests.exporters.bridged import HttpModel, Sdk, config


def test_an_http_call_nests_under_its_llm_call(sdk: Sdk) -> None:
    """Sync: the HTTP span is the child of the LLM span, under the chain, under the application's span."""
    chain = HttpModel(tracer=sdk.tracer) | RunnableLambda(lambda message: message.content, name="parse")
    with sdk.tracer.start_as_current_span("request") as request:
        chain.invoke("a", config(sdk))
        assert trace.get_current_span().get_span_context() == request.get_span_context()
    assert sdk.parent_name("GET a") == ["chat HttpModel"]
    assert sdk.parent_name("chat HttpModel") == ["RunnableSequence"]
    assert sdk.parent_name("RunnableSequence") == ["request"]
    assert len({span.context.trace_id for span in sdk.spans() if span.context}) == 1


async def test_parallel_tasks_keep_apart(sdk: Sdk) -> None:
    """Async and gather: every HTTP span hangs under its own LLM call, and nothing leaks into the task around."""
    model = HttpModel(tracer=sdk.tracer)
    with sdk.tracer.start_as_current_span("request") as request:
        await asyncio.gather(*(model.ainvoke(str(n), config(sdk)) for n in range(5)))
        await model.ainvoke("after", config(sdk))
        assert trace.get_current_span().get_span_context() == request.get_span_context()
        with sdk.tracer.start_as_current_span("own work"):
            pass
    for n in range(5):
        assert sdk.parent_name(f"GET {n}") == ["chat HttpModel"]
    assert sdk.parent_name("chat HttpModel") == ["request"] * 6
    assert sdk.parent_name("own work") == ["request"]


async def test_parallel_nodes_of_an_async_graph_keep_apart(sdk: Sdk) -> None:
    """Two nodes at the same time: each has its LLM call, each LLM call its HTTP span, and the request comes back."""
    model = HttpModel(tracer=sdk.tracer)

    async def left(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke("left")]}

    async def right(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke("right")]}

    graph = StateGraph(MessagesState)
    graph.add_node("left", left)
    graph.add_node("right", right)
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    agent = graph.compile(name="both")
    with sdk.tracer.start_as_current_span("request") as request:
        await agent.ainvoke({"messages": []}, config(sdk))
        assert trace.get_current_span().get_span_context() == request.get_span_context()
    by_id = {span.context.span_id: span for span in sdk.spans() if span.context}

    def line(span: ReadableSpan | None) -> list[str]:
        names = []
        while span is not None:
            names.append(span.name)
            span = by_id.get(span.parent.span_id) if span.parent else None
        return names

    for side in ("left", "right"):
        (http,) = (span for span in sdk.spans() if span.name == f"GET {side}")
        assert line(http) == [f"GET {side}", "chat HttpModel", side, "invoke_agent both", "request"]


def test_threads_keep_apart(sdk: Sdk) -> None:
    """Batches and bare thread pools: the HTTP span of a thread hangs under the LLM call of that thread."""
    model = HttpModel(tracer=sdk.tracer)
    with sdk.tracer.start_as_current_span("request"):
        model.batch(["a", "b", "c"], config(sdk))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda text: model.invoke(text, config(sdk)), ["d", "e"]))
    for name in "abcde":
        assert sdk.parent_name(f"GET {name}") == ["chat HttpModel"]
    assert sdk.parent_name("chat HttpModel").count("request") == 3, "a bare pool has no context of the request"


def test_a_batch_is_siblings(sdk: Sdk) -> None:
    """The runs of a batch, which all start before one ends, hang under the application's span and not in each other."""
    model = HttpModel(tracer=sdk.tracer)
    chain = model | RunnableLambda(lambda message: message.content, name="parse")
    with sdk.tracer.start_as_current_span("request") as request:
        chain.batch(["a", "b", "c"], config(sdk))
        model.generate([[HumanMessage("d")], [HumanMessage("e")]], **config(sdk))
        assert trace.get_current_span().get_span_context() == request.get_span_context()
    assert sdk.parent_name("RunnableSequence") == ["request"] * 3
    assert sorted(map(str, sdk.parent_name("chat HttpModel"))) == ["RunnableSequence"] * 3 + ["request"] * 2
    assert sdk.parent_name("GET a") == ["chat HttpModel"]


def test_a_call_within_a_call_nests(sdk: Sdk) -> None:
    """A root that begins inside another one's code, because it was given callbacks of its own, hangs under that."""
    inner = RunnableLambda(lambda text: text, name="inner")
    same = config(sdk)
    RunnableLambda(lambda text: inner.invoke(text, same), name="outer").invoke("a", same)
    assert sdk.parent_name("inner") == ["outer"]


def test_a_tool_and_a_failing_call_give_the_context_back(sdk: Sdk) -> None:
    """Spans inside a tool nest under it, and after an exception the current span is the one of before."""

    @tool
    def fetch(url: str) -> str:
        """Fetch."""
        with sdk.tracer.start_as_current_span("GET tool"):
            raise ValueError("no")

    with sdk.tracer.start_as_current_span("request") as request:
        with pytest.raises(ValueError, match="no"):
            fetch.invoke({"url": "x"}, config(sdk))
        assert trace.get_current_span().get_span_context() == request.get_span_context()
    assert sdk.parent_name("GET tool") == ["execute_tool fetch"]
    (failed,) = (span for span in sdk.spans() if span.name == "execute_tool fetch")
    assert failed.status.status_code is StatusCode.ERROR
    assert [event.name for event in failed.events] == ["exception"]


@pytest.mark.parametrize("calls", [2_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_very_many_calls_in_one_task_leave_nothing_behind(sdk: Sdk, calls: int) -> None:
    """The current span stays flat: no chain of finished delegates grows in a long task."""
    bridge = OTelBridge(tracer_provider=TracerProvider())
    tracer = JsonlTracer(sinks=[bridge])

    async def end_elsewhere(span: Any) -> None:
        bridge.on_end(span)

    for n in range(calls):
        span = Span(type="llm", name="m", run_id=str(n), trace_id=str(n), start_ns=1, duration_ms=1, status="ok")
        bridge.on_start(span)
        # As LangChain's shielded end events do: a task of its own has a copy of the context.
        await asyncio.create_task(end_elsewhere(span))
    tracer.close()
    gc.collect()
    assert sum(isinstance(each, DelegatingSpan) for each in gc.get_objects()) <= 2
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_dropped_stream_is_no_error_and_leaks_nothing(sdk: Sdk) -> None:
    """A stream the application stops reading ends its spans as UNSET with an event, and the context comes back."""
    with sdk.tracer.start_as_current_span("request") as request:
        tracer = JsonlTracer(sinks=[OTelBridge(tracer_provider=sdk.provider)])
        stream = build_agent().stream(QUESTION, {"callbacks": [tracer], "configurable": {"thread_id": "t"}})
        next(stream)
        stream.close()
        tracer.close()
        assert trace.get_current_span().get_span_context() == request.get_span_context()
    spans = sdk.spans()
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}
    (root,) = (span for span in spans if span.name == "invoke_agent assistant")
    assert [event.name for event in root.events] in (["flightlog.abandoned"], ["flightlog.cancelled"])


def test_the_current_span_answers_as_the_sdk_s_own(sdk: Sdk) -> None:
    """Code of the application that asks the current span for its name and attributes gets them."""

    def ask(value: object) -> str:
        current: Any = copy.copy(trace.get_current_span())
        return f"{current.name} {current.kind.name} {len(current.attributes)} {current.is_recording()}"

    with sdk.tracer.start_as_current_span("request"):
        said = RunnableLambda(ask, name="asked").invoke(1, config(sdk))
    assert said == "asked INTERNAL 0 True"


def test_what_the_application_says_of_the_current_span_is_said_of_the_run(sdk: Sdk) -> None:
    """Attributes, events, links and a status set in a run are on its span; afterwards on the one before."""

    def say(where: str) -> str:
        span = trace.get_current_span()
        span.set_attribute("where", where)
        span.set_attributes({"more": where})
        span.add_event("noted", {"n": 1}, 7)
        span.add_link(linked, {"why": where})
        span.record_exception(ValueError(where), {"n": 2}, 8)
        span.set_status(StatusCode.ERROR, where)
        span.update_name(f"{where} renamed")
        span.end()
        return where

    linked = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    with sdk.tracer.start_as_current_span("request"):
        RunnableLambda(say, name="work").invoke("run", config(sdk))
        say("request")
    for where, found in zip(("run", "request"), sdk.spans(), strict=True):
        assert found.name == f"{where} renamed"
        assert {"where": where, "more": where}.items() <= dict(found.attributes or {}).items()
        assert [(event.name, event.timestamp) for event in found.events] == [("noted", 7), ("exception", 8)]
        assert [dict(event.attributes or {})["n"] for event in found.events] == [1, 2]
        assert [(link.context, dict(link.attributes or {})) for link in found.links] == [(linked, {"why": where})]
        assert (found.status.status_code, found.status.description) == (StatusCode.ERROR, where)
