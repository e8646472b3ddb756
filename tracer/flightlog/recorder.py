"""From callbacks to lines: opens runs, closes them, and writes each finished one.

No lock is held while the application's objects are looked at, and every structure is changed by single operations of
the interpreter, so callbacks may come from any number of threads, and from inside one another.
"""

import atexit
import itertools
import os
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from flightlog.attempts import number_attempt
from flightlog.capture import Mode
from flightlog.clock import SYSTEM, Clock
from flightlog.containment import Containment
from flightlog.failure import error_record, status_of
from flightlog.foreign import MAX_DEPTH, foreign
from flightlog.langgraph import interrupt_records, raised_interrupts, resume_records, take_graph_fields
from flightlog.line import LineWriter, light, started, started_span
from flightlog.payload import PayloadEncoder, is_flat
from flightlog.runs import OpenRun, Root, Runs
from flightlog.same_file import join
from flightlog.sampling import Sampler
from flightlog.sink import Sinks, SpanSink
from flightlog.span_buffer import SpanBuffer
from flightlog.span_file import SpanFile
from flightlog.summary import Summary

NOTHING: Final = object()
"""Stands for an output that there is not."""

_GRACE_NS: Final = 60_000_000_000
"""How long a run may go on after its parent has ended before it counts as abandoned."""


class Recorder:
    """The engine of one tracer."""

    def __init__(
        self,
        file: SpanFile | None,
        encoder: PayloadEncoder,
        modes: tuple[Mode, Mode],
        sinks: Iterable[SpanSink],
        service: dict[str, Any],
        sampler: Sampler | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.runs: Final = Runs()
        self.summary: Final = Summary()
        self.containment: Final = Containment()
        self.sinks: Final = Sinks(sinks, self.containment)
        self.file: Final = file
        self.buffer: Final = SpanBuffer()
        self.redaction_failures = 0
        self._encoder = encoder
        self._inputs_mode, self._output_mode = modes
        self._lines = LineWriter(service)
        self._own_id = os.urandom(8).hex()
        self._seq = itertools.count()
        self.sampler: Final = sampler
        self.now: Final = clock.monotonic_ns
        self._wall: Final = clock.wall_ns
        self._same_file = join(file.path, self.runs) if file is not None else None
        _recorders.add(self)

    # -- starts ---------------------------------------------------------------------------------------------------

    def start(
        self,
        type_: str,
        key: UUID,
        parent_key: UUID | None,
        name: str,
        inputs: Any,
        metadata: dict[str, Any],
        tags: list[str] | None,
        kind: str | None = None,
        fields: dict[str, Any] | None = None,
    ) -> OpenRun | None:
        """A run begins. ``kind`` is for chains; ``fields`` are further light fields of its record.

        None when another tracer of the same file records it, or nobody (see ``foreign``).
        """
        same = self._same_file
        if foreign.depth > MAX_DEPTH:
            return None
        if same is not None and same.shared and same.has_open(key, self.runs):
            return None
        runs = self.runs
        if runs.left_behind:
            self.close_left_behind(self.now() - _GRACE_NS)
        run_id = str(key)
        parent = None
        if parent_key is None:
            root = Root(run_id)
        else:
            parent = runs.open.get(parent_key.int)
            # If the parent has ended already, or was never seen, its other children land in the same trace.
            root = parent.root if parent is not None else Root(runs.trace_of(parent_key) or str(parent_key))
        seq = next(self._seq)
        run = OpenRun(key.int, run_id, type_, kind, parent, root, seq)
        if self.sampler is not None:
            if parent is None and not self.sampler.takes(root.trace_id):
                root.held = self.sampler.begin()
                root.skipped = root.held is None
            if root.skipped:
                run.start_ns = self.now()
                runs.add(run)
                return run
        file = self.file
        record = run.record
        if kind is not None:
            record["kind"] = kind
        record["name"] = name
        record["run_id"] = run_id
        if parent is not None:
            record["parent_run_id"] = parent.run_id
        elif parent_key is not None:
            record["parent_run_id"] = str(parent_key)
        record["trace_id"] = root.trace_id
        record["writer_id"] = self._own_id if file is None else file.writer_id
        record["seq"] = seq
        if metadata and (own := take_graph_fields(metadata, record)):
            run.metadata = self._metadata(run, own)
        if fields:
            record.update(fields)
            if "model_params" in fields:
                self._set(record, run, "model_params", fields["model_params"])
        if tags:
            number_attempt(run, record, tags)
            record["tags"] = tags
        may_resume = kind == "graph" or (parent_key is None and kind is not None)
        if may_resume and (resumes := resume_records(inputs)) is not None:
            self._set(record, run, "resumes", resumes)
        if self._inputs_mode != "none":
            run.inputs = self._payload(run, "inputs", inputs, self._inputs_mode)
        now = self._wall()
        record["start_time"] = self._lines.time(now)
        run.start_ns = self.now()
        runs.add(run)
        if self.sinks.all and (ids := self.sinks.started(lambda: started_span(run, now))):
            record["otel"] = ids
        if file is not None:
            run.head = head = light(record)
            file.open_span(seq, started(head, self._lines.process(record["writer_id"]), run.inputs))
        return run

    def event(self, name: str, data: Any, key: UUID, tags: list[str] | None, metadata: dict[str, Any] | None) -> None:
        """A custom event, which carries its parent's run_id: a span of its own without duration."""
        own = uuid4()
        self.start("event", own, key, name, data, metadata or {}, tags)
        self.end(own, "ok", self.now())

    # -- ends -----------------------------------------------------------------------------------------------------

    def end(
        self,
        key: UUID,
        status: str,
        now: int,
        output: Any = NOTHING,
        fields: dict[str, Any] | None = None,
        *,
        type_: str = "chain",
        parent_key: UUID | None = None,
    ) -> None:
        """A run ends. ``now`` is monotonic; ``fields`` are further light fields of its record.

        The second end of a run is passed over. An end without a start becomes a span without duration: another
        handler may have kept its start from us.
        """
        run = self.runs.take(key)
        if run is None:
            same = self._same_file
            if self.runs.trace_of(key) is not None or (same is not None and same.knows(key, self.runs)):
                return
            run = self.start(type_, key, parent_key, type_, None, {}, ["flightlog:start_missing"])
            if run is None:
                return
            run.inputs = None
            self.runs.take(key)
            now = run.start_ns
        self._finish(run, status, now, output, fields)

    def fail(
        self,
        key: UUID,
        error: BaseException,
        now: int,
        output: Any,
        fields: dict[str, Any] | None,
        *,
        type_: str,
        parent_key: UUID | None,
    ) -> None:
        """A run ends with an exception, which may be LangGraph's way to pause or to hand over."""
        if foreign.depth > MAX_DEPTH:
            return
        fields = fields or {}
        status = status_of(error)
        run = self.runs.open.get(key.int)
        if status == "interrupted":
            raised = raised_interrupts(error)
            fields["interrupts"] = interrupt_records(raised)
            # Should the parent end well nonetheless, being the graph that holds the exception, it waits for these.
            if run is not None and run.parent is not None:
                run.parent.interrupts = [*(run.parent.interrupts or ()), *raised]
        elif status == "error":
            known = run.root.error if run is not None else None
            if known is None or known[0] is not error:
                known = (error, error_record(error))
                if run is not None:
                    run.root.error = known
            fields["error"] = known[1]
        self.end(key, status, now, output, fields, type_=type_, parent_key=parent_key)

    def paused(self, key: UUID, checkpoint_id: str, interrupts: Iterable[Any]) -> None:
        """LangGraph says that a graph waits for a human."""
        run = self.runs.open.get(key.int)
        if run is not None:
            run.paused = True
            run.interrupts = [*(run.interrupts or ()), *interrupts]
            run.record["checkpoint_id"] = checkpoint_id
            run.head = None

    def resumed(self, key: UUID, checkpoint_id: str) -> None:
        """LangGraph says from which checkpoint a graph goes on."""
        run = self.runs.open.get(key.int)
        if run is not None:
            run.record["checkpoint_id"] = checkpoint_id
            run.head = None

    def _finish(self, run: OpenRun, status: str, now: int, output: Any, fields: dict[str, Any] | None) -> None:
        if run.children:
            self._leave_behind(run, status, now)
        if status == "ok" and run.kind == "graph" and (run.paused or run.interrupts):
            status = "interrupted"
            fields = fields or {}
            if run.interrupts:
                fields["interrupts"] = interrupt_records(run.interrupts)
        duration_ms = (now - run.start_ns) / 1e6
        if duration_ms < 0.0:
            duration_ms = 0.0
        if run.root.skipped and self.sampler is not None:
            self.sampler.sampled_out += 1
            self.summary.add(run.type, status, duration_ms, fields or {}, bool(run.chunks or run.stream_events))
            return
        tail: dict[str, Any] = {"duration_ms": duration_ms, "status": status}
        if fields:
            if "provider" in fields and "provider" in run.record:
                # Known at the start already; the answer knows better. A line has each field once.
                run.record["provider"], run.head = fields.pop("provider"), None
            tail.update(fields)
            for name in ("error", "interrupts"):
                if name in fields:
                    self._set(tail, run, name, fields[name])
        # One stream may be told of in both ways; each tells of all of it.
        chunks = run.chunks or run.stream_events
        if chunks:
            tail["chunks"] = chunks
            if run.first_token_ns:
                tail["time_to_first_token_ms"] = (run.first_token_ns - run.start_ns) / 1e6
        out: bytes | None = None
        if output is not NOTHING and self._output_mode != "none":
            out = self._payload(run, "output", output, self._output_mode)
        if run.truncated:
            tail["truncated"] = run.truncated
        self.summary.add(run.type, status, duration_ms, tail, bool(chunks))
        self._write(run, self._lines.finished(run, tail, out), status)

    def _write(self, run: OpenRun, line: bytes, status: str) -> None:
        """One finished span, as its line."""
        file, held = self.file, run.root.held
        lines: Sequence[bytes]
        if held is not None and self.sampler is not None:
            is_root = run.run_id == run.root.trace_id
            lines = self.sampler.ended(held, line, status, is_root=is_root)
        else:
            lines = (line,)
        written = True
        for one in lines:
            if file is not None:
                written = file.write(one) and written
            else:
                self.buffer.add(one)
        if file is not None:
            file.close_span(run.seq, in_file=bool(lines) and written)
        if self.sinks.all:
            self.sinks.ended(line)

    # -- runs that never end --------------------------------------------------------------------------------------

    def _leave_behind(self, run: OpenRun, status: str, now: int) -> None:
        """The parent of open runs has ended.

        When it was cancelled or dropped, so were they. Otherwise they may still be running, in a thread say, and are
        given a while to end by themselves.
        """
        for child in list(run.descendants()):
            if status in ("cancelled", "abandoned"):
                if self.runs.discard(child):
                    self._finish(child, status, now, NOTHING, None)
            else:
                self.runs.left_behind[child.seq] = (child, now)

    def close_left_behind(self, before: int) -> None:
        """Write as abandoned the runs whose parent ended before a monotonic time."""
        for child, since in list(self.runs.left_behind.values()):
            if since <= before and self.runs.discard(child):
                self._finish(child, "abandoned", since, NOTHING, None)

    def close_all(self) -> None:
        """Write every open run as abandoned."""
        now = self.now()
        for run in sorted(self.runs.open.values(), key=lambda run: -run.seq):
            older: OpenRun | None = run
            while older is not None:
                behind = older.previous
                if self.runs.discard(older):
                    self._finish(older, "abandoned", now, NOTHING, None)
                older = behind

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _payload(self, run: OpenRun, field: str, value: Any, mode: Mode) -> bytes | None:
        """The JSON of one field, or None when a redaction rule failed: then the field is dropped."""
        try:
            json = self._encoder.quick(value, run.root.memo)
            if json is not None and mode == "all" and len(json) <= self._encoder.max_field_bytes:
                return json
            payload = self._encoder.encode(field, value, mode, json)
        except Exception as error:
            self.redaction_failures += 1
            self.containment.caught(f"the {field} of a span", error)
            return None
        if payload.truncation is not None:
            if run.truncated is None:
                run.truncated = {}
            run.truncated[field] = payload.truncation
        return payload.json

    def _metadata(self, run: OpenRun, own: dict[str, Any]) -> bytes | None:
        """The user's metadata, which most runs of a trace share: encoded when it differs from the last."""
        root = run.root
        known = root.metadata
        if known is not None and known[0] == own:
            return known[1]
        json = self._payload(run, "metadata", own, "all")
        root.metadata = (own, json) if json is not None and run.truncated is None and is_flat(own) else None
        return json

    def _set(self, record: dict[str, Any], run: OpenRun, field: str, value: Any) -> None:
        """A light field that holds the application's values: redacted and bounded like a payload."""
        json = self._payload(run, field, value, "all")
        if json is None:
            record.pop(field, None)
        else:
            record[field] = orjson.Fragment(json)

    def start_over(self) -> None:
        """In a forked child: the open runs are the parent's to end."""
        self._own_id = os.urandom(8).hex()
        self.runs.clear()
        self.summary.start_over()


_recorders: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _close_all() -> None:
    for recorder in list(_recorders):
        with recorder.containment.guard("the end of the process"):
            recorder.close_all()


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.start_over()


# After span_file has registered its own: handlers run last in, first out, and files must close last.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
