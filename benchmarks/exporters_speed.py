"""How fast spans leave: against OpenTelemetry's own exporter, DuckDB's own COPY, and OpenInference's live spans.

    python benchmarks/exporters_speed.py [shipper] [parquet] [bridge]

Each figure is a ratio of two measurements that alternate in one run. OpenInference is measured in the environment of
`make interop`; without it that part says so.
"""

import gc
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flightlog.span import Span

ROOT = Path(__file__).parents[1]
INTEROP = ROOT / ".venv-interop" / "bin" / "python"
SHIPPED = 20_000
TABLED = 100_000
RUNS = 5

SINK = """
import socket, sys, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/x-protobuf\\r\\ncontent-length: 0\\r\\n\\r\\n"
def serve(connection):
    stream = connection.makefile("rb")
    while line := stream.readline():
        length = 0
        while (header := stream.readline()) not in (b"\\r\\n", b""):
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        stream.read(length)
        connection.sendall(ANSWER)
while True:
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
"""


def made(count: int) -> list[Span]:
    """Spans of an agent: in threes a chain, an LLM call and a tool, with payloads of about 1 KB."""
    rng = random.Random(7)
    words = ["the", "agent", "looks", "at", "what", "was", "asked", "and", "answers", "in", "some", "words"]

    def text(length: int) -> str:
        return " ".join(rng.choice(words) for _ in range(length))

    spans = []
    for number in range(count):
        root = number - number % 3
        fields: dict[str, object] = {
            "type": "chain",
            "kind": "graph",
            "inputs": {"messages": [text(30)]},
            "output": text(60),
        }
        if number % 3 == 1:
            fields = {
                "type": "llm",
                "model": "gpt-4o",
                "request_model": "gpt-4o",
                "provider": "openai",
                "model_params": {"temperature": 0.5},
                "finish_reason": "stop",
                "token_usage": {"input_tokens": 812, "output_tokens": 64, "total_tokens": 876},
                "inputs": {"messages": [{"type": "human", "content": text(40)}, {"type": "ai", "content": text(40)}]},
                "output": {"type": "ai", "content": text(60)},
            }
        elif number % 3 == 2:
            fields = {
                "type": "tool",
                "tool_call_id": f"call-{number}",
                "inputs": {"query": text(10)},
                "output": text(60),
            }
        given = {
            "name": "step",
            "run_id": f"{number:032x}",
            "parent_run_id": f"{root:032x}" if number != root else None,
            "trace_id": f"{root:032x}",
            "writer_id": "0123456789abcdef",
            "seq": number,
            "start_ns": 1_790_000_000_000_000_000 + number * 1_000_000,
            "duration_ms": rng.random() * 900,
            "status": "ok",
            "thread_id": f"thread-{number // 300}",
            "node": "agent",
            "step": number % 7,
            "checkpoint_ns": f"agent:{root:032x}",
            "service": "bench",
            "host": "host",
            "pid": 1,
            "metadata": {"user_id": "u-1"},
        }
        spans.append(Span(**{**given, **fields}))  # type: ignore[arg-type]
    return spans


def alternate(*measured: Callable[[], None], runs: int = RUNS) -> list[float]:
    """Median seconds of each, taken in turns."""
    times: list[list[float]] = [[] for _ in measured]
    for _ in range(runs):
        for one, taken in zip(measured, times, strict=True):
            gc.collect()
            started = time.perf_counter()
            one()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


def shipper() -> None:
    """The shipper and OpenTelemetry's exporter send the same spans to the same server."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

    from flightlog_exporters import otlp_protobuf, semconv
    from flightlog_exporters.delivery.http import HttpSender
    from flightlog_exporters.delivery.settings import resolve
    from flightlog_exporters.ship_state import locked
    from flightlog_exporters.shipper import Shipper, Wording

    spans = made(SHIPPED)
    ready = [semconv.describe(span, content=True) for span in spans]
    resource = Resource(dict(ready[0].resource))
    scope = InstrumentationScope("flightlog")

    def context(trace_id: bytes, span_id: bytes) -> SpanContext:
        return SpanContext(int.from_bytes(trace_id), int.from_bytes(span_id), False, TraceFlags(1))

    sdk = [
        ReadableSpan(
            span.name,
            context(span.trace_id, span.span_id),
            context(span.trace_id, span.parent_span_id) if span.parent_span_id else None,
            resource,
            span.attributes,
            kind=SpanKind.INTERNAL,
            instrumentation_scope=scope,
            start_time=span.start_ns,
            end_time=span.end_ns,
        )
        for span in ready
    ]
    server = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    folder = Path(tempfile.mkdtemp())
    path = folder / "spans.jsonl"
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans))
    sender = HttpSender(resolve(url))
    exporter = OTLPSpanExporter(f"{url}/v1/traces")

    def theirs() -> None:
        for start in range(0, SHIPPED, 512):
            assert exporter.export(sdk[start : start + 512]) is SpanExportResult.SUCCESS

    def ours_ready() -> None:
        for start in range(0, SHIPPED, 512):
            assert not sender.send(otlp_protobuf.encode(ready[start : start + 512])).reason

    def ours_from_file() -> None:
        with locked(folder / "state.json") as state:
            state.forget()
            result = Shipper(sender, state, wording=Wording(content=True)).ship([path])
        assert result.delivered == SHIPPED, result

    try:
        sdk_s, ready_s, file_s = alternate(theirs, ours_ready, ours_from_file)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)
    print(f"{SHIPPED} spans of about {len(ready[1].attributes)} attributes to a server on loopback, median of {RUNS}:")
    print(f"  OpenTelemetry's exporter, spans ready-made   {sdk_s:6.2f} s   {SHIPPED / sdk_s:8,.0f} spans/s")
    print(f"  ours, spans ready-made                       {ready_s:6.2f} s   {sdk_s / ready_s:8.2f} times as fast")
    print(f"  ours, from the span file, offsets saved      {file_s:6.2f} s   {sdk_s / file_s:8.2f} times as fast")


def parquet() -> None:
    """The Parquet export and DuckDB's COPY of the same columns out of read_json."""
    import duckdb

    from flightlog_exporters import parquet as exporter

    folder = Path(tempfile.mkdtemp())
    path, out = folder / "spans.jsonl", folder / "out"
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in made(TABLED)))
    types = {name: kind if kind.isupper() else "JSON" for name, kind in exporter.COLUMNS.items()}
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in {"start_time": "TIMESTAMP", **types}.items())

    def bare() -> None:
        shutil.rmtree(out, ignore_errors=True)
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = false")
            connection.execute(
                f"COPY (SELECT *, strftime(start_time, '%Y-%m-%d') AS day FROM read_json('{path}', "
                f"format = 'newline_delimited', columns = {{{columns}}})) TO '{out}' "
                "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (service, day))"
            )

    def ours() -> None:
        shutil.rmtree(out, ignore_errors=True)
        assert exporter.write([path], out).spans == TABLED

    size = path.stat().st_size / 1e6
    bare_s, ours_s = alternate(bare, ours)
    shutil.rmtree(folder)
    print(f"{TABLED} spans, {size:.0f} MB, to Parquet, median of {RUNS}:")
    print(f"  DuckDB's COPY of read_json, nothing checked  {bare_s:6.2f} s")
    print(f"  ours, every line checked                     {ours_s:6.2f} s   {ours_s / bare_s:8.2f} of that")


def bridge() -> None:
    """What live spans cost a graph, in CPU, each in a process of its own."""
    if not INTEROP.exists():
        print("live spans: OpenInference is not installed here; `make interop` brings it")
        return
    done = subprocess.run(
        [str(INTEROP), str(ROOT / "benchmarks" / "live_spans.py")],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tracer'}:{ROOT / 'exporters'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = dict(line.split() for line in done.stdout.splitlines())
    alone, bridged, theirs = (float(figures[way]) for way in ("tracer", "bridge", "openinference"))
    added = bridged - alone
    print("CPU per invoke of a ReAct graph, net of no callbacks:")
    print(f"  OpenInference                                {theirs:6.2f} ms")
    print(f"  JsonlTracer in memory                        {alone:6.2f} ms")
    print(
        f"  JsonlTracer with OTelBridge                  {bridged:6.2f} ms   {bridged / theirs:8.2f} of OpenInference"
    )
    print(f"  what the bridge adds                         {added:6.2f} ms   {added / theirs:8.2f} of OpenInference")


if __name__ == "__main__":
    for name in sys.argv[1:] or ["shipper", "parquet", "bridge"]:
        {"shipper": shipper, "parquet": parquet, "bridge": bridge}[name]()
