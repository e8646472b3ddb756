"""The tracer: a LangChain callback handler that records every run as one span.

A raw handler, not LangChain's ``BaseTracer``: that one copies every payload and never forgets a cancelled run.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self
from uuid import UUID

from langchain_core.callbacks.base import BaseCallbackHandler

from flightlog import langgraph, usage
from flightlog.capture import modes
from flightlog.clock import SYSTEM, Clock
from flightlog.copies import SharedByCopies, made_by
from flightlog.errors import UsageError
from flightlog.failure import tool_message_error
from flightlog.inline import counts_as_inline
from flightlog.names import run_name
from flightlog.payload import PayloadEncoder
from flightlog.recorder import NOTHING, Recorder
from flightlog.redaction import Redactor, Rule
from flightlog.sampling import Sampler
from flightlog.sink import SpanSink
from flightlog.span import Span
from flightlog.span_file import SpanFile

DEFAULT_MAX_FIELD_BYTES: Final = 262_144

_NO_METADATA: Final[dict[str, Any]] = {}


class JsonlTracer(SharedByCopies, BaseCallbackHandler):
    """Records every chain, LLM, tool and retriever run it is attached to as one span.

    With ``path``, each finished span is one line of that file, written before its end callback returns; without, the
    last 10,000 spans are in ``spans``. Safe to share between threads, tasks and forks. Nothing it does raises into
    the application, except for arguments that cannot be meant (UsageError, here).
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Of LangGraph's callback class as well, when the application has loaded LangGraph."""
        return made_by(object.__new__(langgraph.aware_class(cls)), cls, args, options)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        sinks: Iterable[SpanSink] = (),
        redact: Iterable[Rule] | Rule | None = (),
        capture: Mapping[str, str] | str | None = None,
        max_field_bytes: int = DEFAULT_MAX_FIELD_BYTES,
        sample: float = 1.0,
        always_keep: Iterable[str] = (),
        fsync: bool = False,
        max_bytes: int | None = None,
        max_total_bytes: int | None = None,
        service: str | None = None,
        service_version: str | None = None,
        environment: str | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """
        sinks: further consumers of live spans.
        redact: rules added to the default keys (see flightlog.redaction); None switches redaction off.
        capture: ``{"inputs": mode, "output": mode}`` or one mode for both: ``all``, ``metadata`` or ``none``.
        max_field_bytes: bytes of JSON kept of each payload; the rest is cut, with its size and SHA-256.
        sample: share of traces recorded, 0 to 1, whole traces only; ``summary()`` counts the others too.
        always_keep: statuses (``error``, ``interrupted``) that bring the whole trace in, whatever the share.
        fsync: make each span survive the machine, not only the process.
        max_bytes, max_total_bytes: when the file rotates, and how much disk it may use; None means unlimited.
        service, service_version, environment: what this process is, on every span.
        clock: what times are read from; another one than the system's is for tests.
        """
        super().__init__()
        if max_field_bytes < 64:
            raise UsageError("max_field_bytes must be at least 64")
        inputs_mode, output_mode = modes(capture)
        file = None
        if path is not None:
            file = SpanFile(path, fsync=fsync, max_bytes=max_bytes, max_total_bytes=max_total_bytes)
        process = {
            "service": service,
            "service_version": service_version,
            "environment": environment,
            "host": os.uname().nodename if hasattr(os, "uname") else None,
        }
        self._recorder: Final = Recorder(
            file,
            PayloadEncoder(Redactor(redact), max_field_bytes),
            (inputs_mode, output_mode),
            sinks,
            {name: value for name, value in process.items() if value is not None},
            Sampler(sample, always_keep) if sample != 1 else None,
            clock,
        )
        self._runs: Final = self._recorder.runs
        self._now: Final = self._recorder.now
        self._caught: Final = self._recorder.containment.caught

    @property
    def path(self) -> str | None:
        """The span file, absolute; None when spans are kept in memory."""
        return self._recorder.file.path if self._recorder.file is not None else None

    @property
    def spans(self) -> list[Span]:
        """The finished spans, in the order they ended, when there is no path: at most the last 10,000 or 64 MiB."""
        self.flush()
        return self._recorder.buffer.spans()

    def summary(self) -> dict[str, dict[str, Any]]:
        """Finished spans by type: ``{"llm": {"count": 3, "total_ms": 2410.7, "errors": 0, "input_tokens": 812, ...}}``.

        ``usage_missing`` counts LLM calls that reported no token usage, and ``hint`` says what to do about it.
        """
        self.flush()
        return self._recorder.summary.totals()

    def stats(self) -> dict[str, Any]:
        """How the tracer itself is doing: spans written and lost, runs open, faults contained."""
        recorder = self._recorder
        stats: dict[str, Any] = dict(recorder.file.stats()) if recorder.file is not None else {}
        stats["open"] = len(recorder.runs.open)
        stats["dropped"] = recorder.buffer.dropped
        stats["faults"] = recorder.containment.count
        stats["redaction_failures"] = recorder.redaction_failures
        stats["sink_failures"] = recorder.sinks.failures
        stats["sampled_out"] = recorder.sampler.sampled_out if recorder.sampler is not None else 0
        return stats

    def trace_id_of(self, run_id: UUID) -> str | None:
        """The trace of a run that has started and not ended; None when this tracer knows no such run."""
        run = self._runs.open.get(run_id.int)
        return None if run is None else run.root.trace_id

    def flush(self) -> None:
        """Write the runs that were left open when their parent ended. Finished spans are always written already."""
        with self._recorder.containment.guard("flush"):
            self._recorder.close_left_behind(self._now())

    def close(self) -> None:
        """Write every open run as ``abandoned``, close the sinks and the file. A span that ends later still lands."""
        recorder = self._recorder
        with recorder.containment.guard("close"):
            recorder.close_all()
        recorder.sinks.close()
        if recorder.file is not None:
            recorder.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def run_inline(self) -> bool:  # type: ignore[override]
        """True: see flightlog.inline for the one exception."""
        return counts_as_inline(sys._getframe(1), JsonlTracer)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """LangGraph's callback class as well, for a tracer that was built before LangGraph was loaded.

        LangGraph reports interrupts and resumes only to instances of it, and importing it ourselves costs a second.
        """
        return langgraph.aware_class(type(self))

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            name = run_name(serialized, kwargs.get("name"), "chain")
            about = metadata or _NO_METADATA
            parent = self._runs.open.get(parent_run_id.int) if parent_run_id is not None else None
            kind = langgraph.chain_kind(
                about, tags, parent.kind if parent is not None else None, name, "run_type" in kwargs
            )
            self._recorder.start("chain", run_id, parent_run_id, name, inputs, about, tags, kind)
        except Exception as error:
            self._caught("on_chain_start", error)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            self._recorder.end(run_id, "ok", now, outputs, parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_chain_end", error)

    def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("chain", error, run_id, parent_run_id)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            given = {"messages": messages[0] if len(messages) == 1 else messages}
            self._model_start(serialized, given, run_id, parent_run_id, tags, metadata, kwargs)
        except Exception as error:
            self._caught("on_chat_model_start", error)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            self._model_start(serialized, {"prompts": prompts}, run_id, parent_run_id, tags, metadata, kwargs)
        except Exception as error:
            self._caught("on_llm_start", error)

    def _model_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: dict[str, Any],
        run_id: UUID,
        parent_run_id: UUID | None,
        tags: list[str] | None,
        metadata: dict[str, Any] | None,
        kwargs: dict[str, Any],
    ) -> None:
        invocation = kwargs.get("invocation_params")
        invocation = invocation if isinstance(invocation, dict) else {}
        about = metadata or _NO_METADATA
        fields = usage.request_fields(invocation, about)
        if tools := invocation.get("tools"):
            inputs["tools"] = tools
        name = run_name(serialized, kwargs.get("name") or fields.get("request_model"), "llm")
        self._recorder.start("llm", run_id, parent_run_id, name, inputs, about, tags, None, fields)

    def on_llm_new_token(self, token: Any = "", *, chunk: Any = None, run_id: UUID, **kwargs: Any) -> None:
        try:
            run = self._runs.open.get(run_id.int)
            if run is not None:
                run.chunks += 1
                if not run.first_token_ns and (token or usage.has_tool_call(chunk)):
                    run.first_token_ns = self._now()
        except Exception as error:
            self._caught("on_llm_new_token", error)

    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        try:
            run = self._runs.open.get(run_id.int)
            if run is not None and event.get("event") == "content-block-delta":
                run.stream_events += 1
                if not run.first_token_ns:
                    run.first_token_ns = self._now()
        except Exception as error:
            self._caught("on_stream_event", error)

    def on_llm_end(self, response: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            fields = usage.response_fields(response)
            output = usage.output(response)
            self._recorder.end(run_id, "ok", now, output, fields, type_="llm", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_llm_end", error)

    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("llm", error, run_id, parent_run_id, kwargs.get("response"))

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            name = run_name(serialized, kwargs.get("name"), "tool")
            call = kwargs.get("tool_call_id")
            fields = {"tool_call_id": call} if isinstance(call, str) else None
            given = input_str if inputs is None else inputs
            self._recorder.start(
                "tool", run_id, parent_run_id, name, given, metadata or _NO_METADATA, tags, None, fields
            )
        except Exception as error:
            self._caught("on_tool_start", error)

    def on_tool_end(self, output: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            failed = tool_message_error(output)
            status, fields = ("ok", None) if failed is None else ("error", {"error": failed})
            self._recorder.end(run_id, status, now, output, fields, type_="tool", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_tool_end", error)

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("tool", error, run_id, parent_run_id)

    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            name = run_name(serialized, kwargs.get("name"), "retriever")
            self._recorder.start("retriever", run_id, parent_run_id, name, query, metadata or _NO_METADATA, tags)
        except Exception as error:
            self._caught("on_retriever_start", error)

    def on_retriever_end(
        self, documents: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        now = self._now()
        try:
            fields = {"document_count": len(documents)} if isinstance(documents, list | tuple) else None
            self._recorder.end(run_id, "ok", now, documents, fields, type_="retriever", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_retriever_end", error)

    def on_retriever_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("retriever", error, run_id, parent_run_id)

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            self._recorder.event(name, data, run_id, tags, metadata)
        except Exception as error:
            self._caught("on_custom_event", error)

    def on_interrupt(self, event: Any) -> None:
        """LangGraph: a graph pauses, for an ``interrupt()`` or at a static breakpoint."""
        try:
            self._recorder.paused(event.run_id, event.checkpoint_id, event.interrupts)
        except Exception as error:
            self._caught("on_interrupt", error)

    def on_resume(self, event: Any) -> None:
        """LangGraph: a graph goes on from a checkpoint."""
        try:
            self._recorder.resumed(event.run_id, event.checkpoint_id)
        except Exception as error:
            self._caught("on_resume", error)

    def _failed(
        self, type_: str, error: BaseException, run_id: UUID, parent_run_id: UUID | None, response: Any = None
    ) -> None:
        now = self._now()
        try:
            output, fields = NOTHING, None
            if response is not None:
                output, fields = usage.output(response), usage.response_fields(response)
            self._recorder.fail(run_id, error, now, output, fields, type_=type_, parent_key=parent_run_id)
        except Exception as fault:
            self._caught(f"on_{type_}_error", fault)
