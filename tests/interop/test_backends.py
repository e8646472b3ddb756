"""Spans in real backends, told by the backends' own interfaces."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from flightlog import JsonlTracer, read_spans
from flightlog.span import Span
from flightlog_exporters import OTelBridge
from flightlog_exporters.ids import context_of
from flightlog_viewer.cli.app import main
from tests.exporters.agent import run_agent
from tests.interop.servers import ask, wait_for

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

Recording = tuple[Path, list[Span]]
GRAPHQL = """{projects{edges{node{name tokenCountTotal
  spans(first:50,filterCondition:"parent_id is None"){edges{node{
    name spanKind statusCode input{value} output{value} cumulativeTokenCountTotal context{traceId}}}}
  sessions(first:50){edges{node{sessionId tokenUsage{total} firstInput{value} lastOutput{value}}}}
}}}}"""
KINDS = {"llm": "LLM", "tool": "TOOL", "retriever": "RETRIEVER"}


def ship(path: Path, url: str, state: Path, *options: str) -> None:
    """Send a span file with its content."""
    command = ["export", "otlp", str(path), "--endpoint", url, "--content", "--again", "--state", str(state)]
    assert main([*command, *options]) == 0


def run_live(url: str, path: Path, headers: dict[str, str]) -> list[Span]:
    """Run an agent with the bridge and OpenTelemetry's own exporter; its spans, as the file has them."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{url}/v1/traces", headers=headers, timeout=60)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with JsonlTracer(path, sinks=[OTelBridge(tracer_provider=provider, content=True)]) as tracer:
        run_agent([tracer], thread_id=f"live-{path.stem}")
    provider.shutdown()
    return list(read_spans(path))


def kind_of(span: Span) -> str:
    """What OpenInference calls the span."""
    return "AGENT" if span.kind == "graph" and span.parent_run_id is None else KINDS.get(span.type, "CHAIN")


def tokens(spans: list[Span]) -> int:
    """Tokens of all LLM calls."""
    return sum((span.token_usage or {}).get("total_tokens", 0) for span in spans)


def check_phoenix(url: str, spans: list[Span]) -> None:
    """Kinds, tree, status, tokens, inputs and outputs of roots and sessions are those of the file."""
    contexts = {context_of(span).span_id.hex(): (span, context_of(span)) for span in spans}

    def arrived() -> dict[str, Any]:
        data = ask(f"{url}/v1/projects/default/spans?limit=1000")["data"]
        found = {one["context"]["span_id"]: one for one in data}
        return found if contexts.keys() <= found.keys() else {}

    found = wait_for(arrived)
    for span_id, (span, context) in contexts.items():
        one = found[span_id]
        assert one["context"]["trace_id"] == context.trace_id.hex()
        assert (one["parent_id"] or "") == context.parent_span_id.hex()
        assert one["span_kind"] == kind_of(span)
        assert one["status_code"] == ("ERROR" if span.status == "error" else "UNSET")
        events = [event["name"] for event in one["events"]]
        assert ("flightlog.interrupt" in events) == (span.status == "interrupted")
        assert "exception" not in events
        if span.token_usage:
            assert one["attributes"]["llm.token_count.total"] == span.token_usage["total_tokens"]
    (project,) = (edge["node"] for edge in ask(f"{url}/graphql", {"query": GRAPHQL})["data"]["projects"]["edges"])
    roots = {edge["node"]["context"]["traceId"]: edge["node"] for edge in project["spans"]["edges"]}
    sessions = {edge["node"]["sessionId"]: edge["node"] for edge in project["sessions"]["edges"]}
    by_thread: dict[str, list[Span]] = {}
    for span in (span for span in spans if span.parent_run_id is None):
        node = roots[context_of(span).trace_id.hex()]
        assert orjson.loads(node["input"]["value"]) == span.inputs
        assert node["output"] is None or orjson.loads(node["output"]["value"]) == span.output
        assert node["cumulativeTokenCountTotal"] == tokens([one for one in spans if one.trace_id == span.trace_id])
        by_thread.setdefault(str(span.thread_id), []).append(span)
    for thread_id, runs in by_thread.items():
        first, last = min(runs, key=lambda run: run.start_ns), max(runs, key=lambda run: run.start_ns)
        traces = {run.trace_id for run in runs}
        assert orjson.loads(sessions[thread_id]["firstInput"]["value"]) == first.inputs
        assert orjson.loads(sessions[thread_id]["lastOutput"]["value"]) == last.output
        assert sessions[thread_id]["tokenUsage"]["total"] == tokens([s for s in spans if s.trace_id in traces])


def phoenix_totals(url: str) -> tuple[int, float]:
    """How many spans and tokens there are."""
    count = len(ask(f"{url}/v1/projects/default/spans?limit=1000")["data"])
    (edge,) = ask(f"{url}/graphql", {"query": GRAPHQL})["data"]["projects"]["edges"]
    return count, edge["node"]["tokenCountTotal"]


def test_phoenix_shows_what_was_shipped_once_however_often(phoenix: str, recording: Recording, tmp_path: Path) -> None:
    """Phoenix has the samples' tree, tokens and sessions, pauses are no errors, and sending twice changes nothing."""
    path, spans = recording
    ship(path, phoenix, tmp_path / "state.json")
    check_phoenix(phoenix, spans)
    before = phoenix_totals(phoenix)
    ship(path, phoenix, tmp_path / "state.json")
    ship(path, phoenix, tmp_path / "state.json")
    check_phoenix(phoenix, spans)
    assert phoenix_totals(phoenix) == before


def test_phoenix_shows_live_runs_and_takes_their_file_for_the_same(phoenix: str, tmp_path: Path) -> None:
    """A bridged run looks the same, and shipping its file afterwards adds nothing."""
    spans = run_live(phoenix, tmp_path / "phoenix.jsonl", {})
    check_phoenix(phoenix, spans)
    before = phoenix_totals(phoenix)
    ship(tmp_path / "phoenix.jsonl", phoenix, tmp_path / "state.json")
    check_phoenix(phoenix, spans)
    assert phoenix_totals(phoenix) == before


def mlflow_traces(url: str) -> dict[str, Any]:
    """All traces, by id."""
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    found = ask(f"{url}/api/3.0/mlflow/traces/search", {"locations": [location], "max_results": 100})
    return {trace["trace_id"]: trace for trace in found.get("traces", [])}


def check_mlflow(url: str, spans: list[Span]) -> None:
    """State, session, tokens, input, output and tree of every trace are those of the file."""
    roots = {f"tr-{context_of(span).trace_id.hex()}": span for span in spans if span.parent_run_id is None}
    found = wait_for(lambda: traces if roots.keys() <= (traces := mlflow_traces(url)).keys() else {})
    for trace_id, root in roots.items():
        trace, members = found[trace_id], [span for span in spans if span.trace_id == root.trace_id]
        assert trace["state"] == "OK"
        assert trace["trace_metadata"]["mlflow.trace.session"] == root.thread_id
        assert trace["request_preview"].startswith(orjson.dumps(root.inputs).decode()[:80])
        assert trace["response_preview"].startswith(orjson.dumps(root.output).decode()[:80])
        usage = orjson.loads(trace["trace_metadata"].get("mlflow.trace.tokenUsage", "{}"))
        assert usage.get("total_tokens", 0) == tokens(members)
        shown = ask(f"{url}/ajax-api/3.0/mlflow/get-trace-artifact?request_id={trace_id}")["spans"]
        assert Counter(one["name"] for one in shown) == Counter(_name(span) for span in members)
        parents = {one["span_id"]: one["parent_span_id"] for one in shown}
        assert sum(parent is None for parent in parents.values()) == 1
        assert {parent for parent in parents.values() if parent} <= parents.keys()
        assert {one["status"]["code"] for one in shown} == {"STATUS_CODE_UNSET"}


def _name(span: Span) -> str:
    from flightlog_exporters.semconv import span_name

    return span_name(span)


def test_mlflow_shows_what_was_shipped_once_however_often(
    mlflow: str, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow has the samples' traces with tree, tokens and sessions, and sending twice changes nothing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    path, spans = recording
    for _ in range(2):
        ship(path, mlflow, tmp_path / "state.json", "--header", "x-mlflow-experiment-id=0")
        check_mlflow(mlflow, spans)
        assert len(mlflow_traces(mlflow)) == sum(span.parent_run_id is None for span in spans)


def test_mlflow_shows_live_runs_and_takes_their_file_for_the_same(
    mlflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridged run looks the same, and shipping its file afterwards adds nothing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    headers = {"x-mlflow-experiment-id": "0"}
    spans = run_live(mlflow, tmp_path / "mlflow.jsonl", headers)
    check_mlflow(mlflow, spans)
    before = len(mlflow_traces(mlflow))
    ship(tmp_path / "mlflow.jsonl", mlflow, tmp_path / "state.json", "--header", "x-mlflow-experiment-id=0")
    check_mlflow(mlflow, spans)
    assert len(mlflow_traces(mlflow)) == before
