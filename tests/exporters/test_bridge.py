"""What OTelBridge tells of a run, with the real SDK and real LangChain and LangGraph runs."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, StatusCode, TraceFlags

from flightlog import JsonlTracer, UsageError, read_spans
from flightlog.span import Span
from flightlog_exporters import OTelBridge, semconv
from flightlog_exporters.ids import context_of
from tests.exporters.agent import run_agent
from tests.exporters.bridged import HttpModel, Sdk, config


def test_a_graph_has_its_name_whatever_made_it(sdk: Sdk) -> None:
    """A graph with no mark but its nodes, as older versions made them, ends under an agent's name."""
    tracer = JsonlTracer(sinks=[OTelBridge(tracer_provider=sdk.provider)])
    root, node = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="payer")
    tracer.on_chain_start(None, {}, run_id=node, parent_run_id=root, name="pay", tags=["graph:step:1"])
    tracer.on_chain_end({}, run_id=node, parent_run_id=root)
    tracer.on_chain_end({}, run_id=root)
    assert [span.name for span in sdk.spans()] == ["pay", "invoke_agent payer"]


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
    assert (duration.attributes or {})["gen_ai.response.model"] == "scripted-1"
    meters.shutdown()


def test_metrics_of_a_stream_that_failed() -> None:
    """It has a time to the first chunk, the time that it took, and what ended it, or another word for that."""
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    bridge = OTelBridge(tracer_provider=NoOpTracerProvider(), meter_provider=meters)
    failed = Span(type="llm", name="m", run_id="r", trace_id="r", start_ns=1, duration_ms=3000, status="error")
    errors: list[Any] = [{"type": "TimeoutError"}, {}]
    for error in errors:
        bridge.on_end(replace(failed, error=error, time_to_first_token_ms=500))
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {m.name: m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    (first,) = metrics["gen_ai.client.operation.time_to_first_chunk"].data.data_points
    assert (first.count, first.sum) == (2, 1.0)  # type: ignore[union-attr]
    found: Any = metrics["gen_ai.client.operation.duration"].data.data_points
    assert {(point.attributes["error.type"], point.sum) for point in found} == {("TimeoutError", 3.0), ("_OTHER", 3.0)}
    assert not any("gen_ai.response.model" in point.attributes for point in found)
    meters.shutdown()


def test_a_number_of_more_than_64_bits_is_a_text(sdk: Sdk) -> None:
    """One such number would cost the exporter its whole batch; all others stay numbers."""
    bridge = OTelBridge(tracer_provider=sdk.provider)
    span = Span(type="llm", name="m", run_id="r", trace_id="r", start_ns=1, duration_ms=1, status="ok")
    bridge.on_start(span)
    bridge.on_end(replace(span, token_usage={"input_tokens": 2**63, "output_tokens": 5}))
    attributes = sdk.spans()[0].attributes or {}
    assert attributes["gen_ai.usage.input_tokens"] == str(2**63)
    assert attributes["gen_ai.usage.output_tokens"] == 5


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
