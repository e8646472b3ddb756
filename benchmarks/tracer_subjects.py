"""What is measured: no handler, an empty one, a naive one, ours, and the peers that are installed."""

import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from langchain_core.callbacks import BaseCallbackHandler

Attached = tuple[list[Any], Callable[[], None]]


class Subject:
    """One tracer: ``attach`` before each block."""

    alternates = True
    """False for what cannot be switched off again: then all blocks without it come first."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.bytes = 0
        """Written to files that are gone."""

    def attach(self) -> Attached:
        """The handlers of a block, and what ends it."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove the files of a block.

        The next one then gets pages that have been in use. On a virtual machine the host gives a page when it is
        first touched, which costs its writer up to ten times the copy: that is the machine's price, not a handler's.
        """
        for file in self.folder.rglob("*"):
            if file.is_file():
                self.bytes += file.stat().st_size
                file.unlink()


class EmptyHandler(BaseCallbackHandler):
    """Answers every callback with nothing."""


class InlineEmptyHandler(BaseCallbackHandler):
    """The same, inline."""

    run_inline = True


class Empty(Subject):
    """The floor for handlers that are not inline."""

    handler: type[BaseCallbackHandler] = EmptyHandler

    def attach(self) -> Attached:
        return [self.handler()], lambda: None


class EmptyInline(Empty):
    """The floor for inline handlers."""

    handler = InlineEmptyHandler


def plain(value: Any) -> Any:
    """orjson's way out, as one writes it on a Friday afternoon."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return str(value)


class NaiveHandler(BaseCallbackHandler):
    """Full payloads by ``model_dump``, one write a span: no redaction, bounds, kinds, interrupts or crash safety."""

    run_inline = True

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.runs: dict[UUID, dict[str, Any]] = {}

    def _start(self, kind: str, name: Any, inputs: Any, run_id: UUID, parent: UUID | None, metadata: Any) -> None:
        encoded = orjson.dumps(inputs, default=plain, option=orjson.OPT_NON_STR_KEYS)
        self.runs[run_id] = {
            "type": kind,
            "name": name,
            "run_id": str(run_id),
            "parent_run_id": str(parent) if parent else None,
            "start": time.time(),
            "metadata": metadata,
            "inputs": orjson.Fragment(encoded),
        }

    def _end(self, run_id: UUID, output: Any, error: Any = None) -> None:
        run = self.runs.pop(run_id)
        run["end"] = time.time()
        run["output"] = output
        run["error"] = repr(error) if error else None
        line = orjson.dumps(run, default=plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
        os.write(self.fd, line)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kw: Any) -> None:
        self._start("chain", kw.get("name"), inputs, run_id, kw.get("parent_run_id"), kw.get("metadata"))

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kw: Any) -> None:
        self._start("llm", kw.get("name"), messages, run_id, kw.get("parent_run_id"), kw.get("metadata"))

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kw: Any) -> None:
        self._start("tool", kw.get("name"), kw.get("inputs"), run_id, kw.get("parent_run_id"), kw.get("metadata"))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, outputs)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, response)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, output)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, None, error)


class Naive(Subject):
    """The handler one would write oneself."""

    def attach(self) -> Attached:
        handler = NaiveHandler(self.folder / "naive.jsonl")
        return [handler], lambda: os.close(handler.fd)


class Floor(Subject):
    """What is left of ours when all but the file is taken away."""

    def attach(self) -> Attached:
        from benchmarks.tracer_floor import FloorHandler

        handler = FloorHandler(self.folder / "floor.jsonl")
        return [handler], handler.close


class Flightlog(Subject):
    """Ours, with its defaults: redaction, bounds, full payloads, in-flight sidecar."""

    def attach(self) -> Attached:
        from flightlog import JsonlTracer

        tracer = JsonlTracer(self.folder / "trace.jsonl")
        return [tracer], tracer.close


class LangSmith(Subject):
    """LangSmith's LangChainTracer, sending to the local server."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from langsmith import Client

        self.client = Client(api_url=os.environ["BENCH_SERVER"], api_key="bench")

    def attach(self) -> Attached:
        from langchain_core.tracers import LangChainTracer

        return [LangChainTracer(client=self.client)], self.client.flush


class OpenTelemetrySubject(Subject):
    """An instrumentor that patches LangChain, exporting OTLP over HTTP to the local server."""

    alternates = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=os.environ["BENCH_SERVER"] + "/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.instrumentor = self.load()
        self.active = False

    def load(self) -> Any:
        """The instrumentor."""
        raise NotImplementedError

    def attach(self) -> Attached:
        if not self.active:
            self.instrumentor.instrument(tracer_provider=self.provider)
            self.active = True
        return [], self.flush

    def flush(self) -> None:
        """Send what is waiting."""
        self.provider.force_flush()


class OpenInference(OpenTelemetrySubject):
    """Arize's instrumentor."""

    def load(self) -> Any:
        return import_module("openinference.instrumentation.langchain").LangChainInstrumentor()


class OpenLLMetry(OpenTelemetrySubject):
    """Traceloop's instrumentor."""

    def load(self) -> Any:
        return import_module("opentelemetry.instrumentation.langchain").LangchainInstrumentor()


class Langfuse(Subject):
    """Langfuse's callback handler."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        server = os.environ["BENCH_SERVER"]
        self.client = import_module("langfuse").Langfuse(public_key="pk-x", secret_key="sk-x", base_url=server)

    def attach(self) -> Attached:
        return [import_module("langfuse.langchain").CallbackHandler()], self.client.flush


SUBJECTS: dict[str, type[Subject]] = {
    "empty": Empty,
    "empty_inline": EmptyInline,
    "naive": Naive,
    "floor": Floor,
    "flightlog": Flightlog,
    "langsmith": LangSmith,
    "openinference": OpenInference,
    "openllmetry": OpenLLMetry,
    "langfuse": Langfuse,
}
