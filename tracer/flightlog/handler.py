"""The tracer: what an application makes, attaches, asks and closes."""

import os
import sys
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, Self
from uuid import UUID

from flightlog.callbacks import Callbacks
from flightlog.clock import SYSTEM, Clock
from flightlog.copies import SharedByCopies, made_by
from flightlog.errors import UsageError
from flightlog.events import langgraph
from flightlog.inline import counts_as_inline
from flightlog.payloads.capture import Capture, modes
from flightlog.payloads.payload import PayloadEncoder
from flightlog.payloads.redaction import Redactor, Rule
from flightlog.recorder import Recorder
from flightlog.sampling import Sampler, SamplingOptions
from flightlog.sink import SpanSink
from flightlog.span import Span, Status
from flightlog.writing.span_file import SpanFile

DEFAULT_MAX_FIELD_BYTES: Final = 262_144
_SMALLEST_FIELD_BYTES: Final = 64


class TracerOptions(SamplingOptions, total=False):
    """The options of JsonlTracer, which says what each means, for functions that pass them on."""

    sinks: Iterable[SpanSink]
    redact: Iterable[Rule] | Rule | None
    capture: Capture | None
    max_field_bytes: int
    fsync: bool
    max_bytes: int | None
    max_total_bytes: int | None
    service: str | None
    service_version: str | None
    environment: str | None
    clock: Clock


class JsonlTracer(SharedByCopies, Callbacks):
    """Records every chain, LLM, tool and retriever run it is attached to as one span.

    With ``path``, each finished span is one line of that file, written before its end callback returns; without, the
    last 10,000 spans are in ``spans``. Safe to share between threads, tasks and forks. Nothing it does raises into
    the application, except for arguments that cannot be meant (UsageError, here). A context manager that closes
    itself; used without ``with``, it is closed at exit.
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
        capture: Capture | None = None,
        max_field_bytes: int = DEFAULT_MAX_FIELD_BYTES,
        sample: float = 1.0,
        always_keep: Iterable[Status] | Status = (),
        fsync: bool = False,
        max_bytes: int | None = None,
        max_total_bytes: int | None = None,
        service: str | None = None,
        service_version: str | None = None,
        environment: str | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """
        path: the span file to append to, made with its folders when it is not there; None keeps spans in memory.
        sinks: further consumers of live spans, such as ``flightlog_exporters.OTelBridge()``.
        redact: rules that hide secrets, beside the default keys (see flightlog.payloads.redaction): a key, a compiled
            regular expression, a callable ``(field, value) -> value``, or several of them; None switches redaction off.
        capture: ``{"inputs": mode, "output": mode}`` or one mode for both: ``all``, ``metadata`` (type, size in bytes
            and SHA-256) or ``none``; None means ``all``.
        max_field_bytes: bytes of JSON kept of each payload, 64 or more; the rest is cut, with its size and SHA-256.
        sample: share of traces recorded, 0 to 1, whole traces only; ``summary()`` counts the others too.
        always_keep: statuses (``error``, ``interrupted``) that bring the whole trace in, whatever the share;
            ``interrupted`` brings in the trace that goes on after the pause as well.
        fsync: make each span survive the machine, not only the process.
        max_bytes: size at which the file is renamed and a new one begun; None means never.
        max_total_bytes: bound on the file and its renamed predecessors together, of which the oldest are deleted;
            None means unlimited.
        service, service_version, environment: what this process is, on every span.
        clock: what times are read from; another one than the system's is for tests.

        Raises UsageError for an argument that cannot be meant.
        """
        _check_bytes("max_field_bytes", max_field_bytes, _SMALLEST_FIELD_BYTES)
        _check_bytes("max_bytes", 1 if max_bytes is None else max_bytes, 1)
        _check_bytes("max_total_bytes", 1 if max_total_bytes is None else max_total_bytes, 1)
        if fsync not in (True, False):
            raise UsageError(f"fsync must be True or False, not {fsync!r}")
        sampler = Sampler(sample, always_keep)
        payload_modes = modes(capture)
        file = None
        if path is not None:
            file = SpanFile(path, fsync=fsync, max_bytes=max_bytes, max_total_bytes=max_total_bytes)
        process = {
            "service": _text("service", service),
            "service_version": _text("service_version", service_version),
            "environment": _text("environment", environment),
            "host": os.uname().nodename if hasattr(os, "uname") else None,
        }
        super().__init__(
            Recorder(
                file,
                PayloadEncoder(Redactor(redact), max_field_bytes),
                payload_modes,
                sinks,
                {name: value for name, value in process.items() if value is not None},
                sampler if sample != 1 else None,
                clock,
            )
        )

    # What help() and completions show of the class is the signature of what it is made with.
    __new__.__wrapped__ = __init__  # type: ignore[attr-defined]

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
        stats["redaction_failures"] = recorder.fields.redaction_failures
        stats["sink_failures"] = recorder.sinks.failures
        stats["sampled_out"] = recorder.sampler.sampled_out if recorder.sampler is not None else 0
        return stats

    def trace_id_of(self, run_id: UUID | str) -> str | None:
        """The trace of a run that has started and not ended; None when this tracer knows no such run."""
        try:
            run = self._runs.open.get((run_id if isinstance(run_id, UUID) else UUID(run_id)).int)
        except (ValueError, TypeError, AttributeError):  # no id at all
            return None
        return None if run is None else str(run.root.trace_id)

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

    def __repr__(self) -> str:
        return f"JsonlTracer({self.path!r})" if self.path is not None else "JsonlTracer()"

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


def _check_bytes(name: str, limit: float, least: int) -> None:
    if not isinstance(limit, int | float) or not limit >= least:
        raise UsageError(f"{name} must be at least {least} (bytes), not {limit!r}")


def _text(name: str, value: str | None) -> str | None:
    """Readers take nothing else: a version given as the number 1.4 would be on every span and never seen."""
    text = value.value if isinstance(value, Enum) else value
    if text is not None and not isinstance(text, str):
        raise UsageError(f"{name} must be a string, not {value!r}")
    return text
