"""OTelBridge with the real SDK and real LangChain and LangGraph runs."""

import asyncio
import copy
import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, StatusCode, TraceFlags

from flightlog import JsonlTracer, UsageError, read_spans
from flightlog.span import Span
from flightlog_exporters import OTelBridge, semconv
from flightlog_exporters.delegating_span import DelegatingSpan
from flightlog_exporters.ids import context_of
from tests.exporters.agent import QUESTION, build_agent, run_agent


class Sdk:
    """A tracer provider of the application, and what it would export."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("application")

    def spans(self) -> list[ReadableSpan]:
        """What has been exported."""
        return list(self.exporter.get_finished_spans())

    def parent_name(self, name: str) -> list[str | None]:
        """The names of the parents of the spans of that name."""
        by_id = {span.context.span_id: span.name for span in self.spans() if span.context}
        return [by_id.get(span.parent.span_id) if span.parent else None for span in self.spans() if span.name == name]


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """A provider of its own for each test; the current span is what it was."""
    made = Sdk()
    yield made
    made.provider.shutdown()


class HttpModel(BaseChatModel):
    """A model whose call makes a span, as an instrumented HTTP client does."""

    tracer: Any

    @property
    def _llm_type(self) -> str:
        return "http"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self.tracer.start_as_current_span(f"GET {messages[0].content}"):
            pass
        return ChatResult(generations=[ChatGeneration(message=AIMessage("ok"))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(0)
        return self._generate(messages)


def config(sdk: Sdk, **options: Any) -> Any:
    """A config with a tracer that has only the bridge."""
    return {"callbacks": [JsonlTracer(sinks=[OTelBridge(tracer_provider=sdk.provider, **options)])]}


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


def test_a_graph_has_its_name_whatever_made_it(sdk: Sdk) -> None:
    """A graph with no mark but its nodes, as older versions made them, ends under an agent's name."""
    tracer = JsonlTracer(sinks=[OTelBridge(tracer_provider=sdk.provider)])
    root, node = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="payer")
    tracer.on_chain_start(None, {}, run_id=node, parent_run_id=root, name="pay", tags=["graph:step:1"])
    tracer.on_chain_end({}, run_id=node, parent_run_id=root)
    tracer.on_chain_end({}, run_id=root)
    assert [span.name for span in sdk.spans()] == ["pay", "invoke_agent payer"]


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


def test_ids_in_the_file_are_the_ids_of_the_live_spans(sdk: Sdk, tmp_path: Path) -> None:
    """What the file says is what was exported live, parents included, so that a later export sends the same spans."""
    path = tmp_path / "spans.jsonl"
    with (
        sdk.tracer.start_as_current_span("request"),
        JsonlTracer(path, sinks=[OTelBridge(tracer_provider=sdk.provider)]) as tracer,
    ):
        run_agent([tracer])
    live = {
        (span.context.trace_id, span.context.span_id): span.parent.span_id if span.parent else 0
        for span in sdk.spans()
        if span.context and span.name != "request"
    }
    recorded = {}
    for span in read_spans(path):
        context = context_of(span)
        recorded[int.from_bytes(context.trace_id), int.from_bytes(context.span_id)] = int.from_bytes(
            context.parent_span_id
        )
    assert recorded == live
    assert len(live) > 10


def test_a_pause_is_no_error_and_the_resume_links_to_it(sdk: Sdk) -> None:
    """An interrupted graph has status UNSET and an event; the run that goes on links to it."""
    run_agent(config(sdk)["callbacks"])
    roots = [span for span in sdk.spans() if span.name == "invoke_agent assistant"]
    assert len(roots) == 2
    asked, resumed = roots
    assert {span.status.status_code for span in sdk.spans()} == {StatusCode.UNSET}
    assert [event.name for event in asked.events] == ["flightlog.interrupt"]
    assert [(link.context.trace_id, link.context.span_id) for link in resumed.links] == [
        (asked.context.trace_id, asked.context.span_id) if asked.context else None
    ]


def test_content_is_left_out_unless_allowed(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attribute holds what was said, until the argument or the environment allows it."""
    model = HttpModel(tracer=sdk.tracer)
    monkeypatch.delenv(semconv.CONTENT_VARIABLE, raising=False)
    model.invoke("hush", config(sdk))
    monkeypatch.setenv(semconv.CONTENT_VARIABLE, "SPAN_ONLY")
    model.invoke("hush", config(sdk, content=False))
    model.invoke("hush", config(sdk))
    spans = [span for span in sdk.spans() if span.name == "chat HttpModel"]
    assert ["hush" in str(span.attributes) for span in spans] == [False, False, True]


def test_a_long_conversation_does_not_push_out_the_facts(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the SDK's limit of 128 attributes the first messages go, never the model or the ids, and in silence."""
    model = HttpModel(tracer=sdk.tracer)
    model.invoke([("user", "a"), *(("user", str(n)) for n in range(200))], config(sdk, content=True))
    (span,) = (span for span in sdk.spans() if span.name == "chat HttpModel")
    assert span.attributes is not None
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["openinference.span.kind"] == "LLM"
    assert "flightlog.run_id" in span.attributes
    assert span.attributes["llm.output_messages.0.message.content"] == "ok"
    assert span.attributes["llm.input_messages.200.message.content"] == "199"
    assert not caplog.records


@pytest.mark.parametrize(("limit", "messages"), [(40, 9), (SpanLimits.UNSET, 200)])
def test_the_limits_of_the_provider_count(limit: int, messages: int, caplog: pytest.LogCaptureFixture) -> None:
    """A limit that the application gave its provider in code is kept to by leaving out first messages, in silence."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=limit))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = JsonlTracer(sinks=[OTelBridge(tracer_provider=provider, content=True)])
    model = HttpModel(tracer=provider.get_tracer("application"))
    model.invoke([("user", str(n)) for n in range(200)], {"callbacks": [tracer]})
    (span,) = (span for span in exporter.get_finished_spans() if span.name == "chat HttpModel")
    assert span.attributes is not None
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert sum(name.endswith("message.content") for name in span.attributes) >= messages
    assert span.dropped_attributes == 0
    assert not caplog.records
    provider.shutdown()


def test_metrics_count_tokens_and_time(sdk: Sdk) -> None:
    """Token usage, duration and time to the first chunk are histograms by model and provider."""
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    run_agent(config(sdk, meter_provider=meters)["callbacks"])
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {m.name: m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    tokens = metrics["gen_ai.client.token.usage"].data.data_points
    sums: dict[Any, Any] = {(point.attributes or {})["gen_ai.token.type"]: point.sum for point in tokens}  # type: ignore[union-attr]
    assert sums == {"input": 120, "output": 14}
    (duration,) = metrics["gen_ai.client.operation.duration"].data.data_points
    assert duration.count == 2  # type: ignore[union-attr]
    assert (duration.attributes or {})["gen_ai.provider.name"] == "openai"
    meters.shutdown()


def test_without_a_provider_nothing_happens() -> None:
    """An application that has not set OpenTelemetry up runs as before."""
    tracer = JsonlTracer(sinks=[OTelBridge()])
    RunnableLambda(lambda value: value, name="f").invoke(1, {"callbacks": [tracer]})
    assert tracer.spans[0].otel is None
    assert tracer.stats()["sink_failures"] == 0


def test_a_disabled_provider_gives_no_ids() -> None:
    """Where nothing is traced but a caller's ids are passed on, no span takes the caller's id for its own."""
    tracer = JsonlTracer(sinks=[OTelBridge(tracer_provider=NoOpTracerProvider())])
    caller = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))
    chain = RunnableLambda(lambda value: value, name="f") | RunnableLambda(lambda value: value, name="g")
    with trace.use_span(caller):
        chain.invoke(1, {"callbacks": [tracer]})
    assert [span.otel for span in tracer.spans] == [None] * 3
    assert tracer.stats()["sink_failures"] == 0


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"tracer_provider": "x"}, "tracer_provider takes a provider of OpenTelemetry, which has get_tracer()"),
        ({"tracer_provider": TracerProvider}, "tracer_provider takes a provider, not its class: TracerProvider()"),
        ({"tracer_provider": MeterProvider()}, "tracer_provider takes a provider of OpenTelemetry"),
        ({"meter_provider": False}, "meter_provider takes a provider of OpenTelemetry, which has get_meter()"),
        ({"conventions": "openai"}, "conventions are both, genai or openinference, not 'openai'"),
        ({"content": "false"}, "content is True, False or None, not 'false'"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_said_at_once(argument: dict[str, Any], said: str) -> None:
    """The bridge is not made; a text that means no does not let prompts out."""
    with pytest.raises(UsageError, match=re.escape(said)):
        OTelBridge(**argument)


def test_the_current_span_answers_as_the_sdk_s_own(sdk: Sdk) -> None:
    """Code of the application that asks the current span for its name and attributes gets them."""

    def ask(value: object) -> str:
        current: Any = copy.copy(trace.get_current_span())
        return f"{current.name} {current.kind.name} {len(current.attributes)}"

    with sdk.tracer.start_as_current_span("request"):
        said = RunnableLambda(ask, name="asked").invoke(1, config(sdk))
    assert said == "asked INTERNAL 0"


def test_the_package_needs_opentelemetry_only_for_the_bridge() -> None:
    """Importing the package and its readers works without OpenTelemetry; the bridge says what to install."""
    program = """
import sys
sys.modules["opentelemetry"] = None
import flightlog_exporters, flightlog_exporters.readers.files, flightlog_exporters.otlp_json
from flightlog.errors import MissingExtraError
try:
    flightlog_exporters.OTelBridge
except MissingExtraError as error:
    assert "pip install 'flightlog[otel]'" in str(error)
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
