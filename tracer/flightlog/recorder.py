"""From callbacks to lines: opens runs, closes them, and writes each finished one.

No lock is held while the application's objects are looked at, and every structure is changed by single operations of
the interpreter, so callbacks may come from any number of threads, and from inside one another.

``start`` and ``end`` run for every span in the middle of the application, where code and data have to be fetched into
the processor's caches each time: what counts is how many functions are called and how many objects touched. What most
spans need is therefore spelled out there, and what few need is behind one test and a call.
"""

import atexit
import itertools
import os
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import orjson

from flightlog.clock import SYSTEM, Clock
from flightlog.containment import Containment
from flightlog.events.attempts import hand_over, number_attempt
from flightlog.events.failure import outcome
from flightlog.events.kinds import end_of_graph
from flightlog.events.langgraph import MOVED, Place, resume_records, users_own
from flightlog.events.runs import Identity, OpenRun, Root, Runs
from flightlog.fields import Fields
from flightlog.foreign import MAX_DEPTH, foreign
from flightlog.light_fields import light, more, second_of
from flightlog.line import IN_FLIGHT_BYTES, add_unusual, finished, inputs_in_flight, started_span
from flightlog.payloads.capture import Mode
from flightlog.payloads.payload import PayloadEncoder
from flightlog.sampling import Sampler
from flightlog.sink import Sinks, SpanSink
from flightlog.span import VERSION
from flightlog.summary import Summary
from flightlog.writing.in_flight import LINE_END
from flightlog.writing.same_file import join
from flightlog.writing.span_buffer import SpanBuffer
from flightlog.writing.span_file import SpanFile

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
        self.sampler: Final = sampler
        self.now: Final = clock.monotonic_ns
        self._wall: Final = clock.wall_ns
        self.fields: Final = Fields(encoder, modes, self.containment)
        self._quick_inputs: Final = self.fields.quick_inputs
        self._quick_output: Final = self.fields.quick_output
        self._max_field_bytes: Final = encoder.max_field_bytes
        self._walks_all: Final = encoder.walks_all
        self._service: Final = service
        self._writer = self._who_writes()
        self._second = (-(1 << 63), b"")
        """The last second in which a run began, in ns since the epoch, and what ``start_time`` begins with in it."""
        self._seq = itertools.count()
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
        runs = self.runs
        if foreign.depth > MAX_DEPTH or (runs.shared and self._same_file and self._same_file.has_open(key, runs)):
            return None
        if runs.left_behind:
            self.close_left_behind(self.now() - _GRACE_NS)
        watched = parent_key is None and type_ != "chain" and type(key) is UUID
        # What is watched is not held: as text it is recorded alike.
        run_id = key if type(key) is UUID and not watched else str(key)
        seq = next(self._seq)
        record: dict[str, Any] = {"v": VERSION, "type": type_, "name": name, "run_id": run_id, "seq": seq}
        if kind is not None:
            record["kind"] = kind
        if parent_key is None:
            parent, root = None, Root(run_id)
        else:
            parent = runs.open.get(parent_key.int)
            if parent is not None:
                root = parent.root
                record["parent_run_id"] = parent.record["run_id"]
            else:
                # If the parent has ended already, or was never seen, its other children land in the same trace.
                above: Identity = parent_key if type(parent_key) is UUID else str(parent_key)
                root = Root(runs.trace_of(parent_key) or above)
                record["parent_run_id"] = above
        run = OpenRun(key.int, type_, kind, parent, root, seq, record)
        if watched:
            runs.watch(run, key, self.now)
        if self.sampler is not None and self._is_sampled_out(run, self.sampler):
            if not runs.told_again(run):
                run.start_ns = self.now()
                runs.add(run)
            return run
        if metadata:
            place = root.place
            get = metadata.get
            if get("langgraph_checkpoint_ns") is not place.namespace or get("thread_id") is not place.thread:
                root.place = place = Place(metadata)
            run.place = place
            if place.checkpoint is not None:
                record["checkpoint_id"] = place.checkpoint
            if not MOVED.issuperset(metadata):
                run.metadata = self.fields.metadata(run, users_own(metadata))
        if fields:
            record.update(fields)
            if "model_params" in fields:
                self.fields.put(record, run, "model_params", fields["model_params"])
        if tags:
            last = tags[-1]
            if kind == "node" or kind == "task" or (type(last) is str and last.startswith("retry:")):
                number_attempt(run, tags)
            record["tags"] = tags
            if self._walks_all:
                self.fields.put(record, run, "tags", tags)
        if kind == "graph" or (parent is None and kind is not None):
            resumes = resume_records(inputs)
            if resumes is not None:
                self.fields.put(record, run, "resumes", resumes)
                root.goes_on()
        json = self._quick_inputs(inputs, root.memo)
        if json is None or len(json) > self._max_field_bytes:
            json = self.fields.payload(run, "inputs", inputs, self.fields.inputs_mode, json)
        run.inputs = json
        if parent_key is None and runs.told_again(run):
            return None
        now = self._wall()
        second, text = self._second
        if not 0 <= now - second < 1_000_000_000:
            second, text = self._second = second_of(now)
        if not root.writer:
            root.writer = more({"trace_id": root.trace_id}) + self._writer
        run.rest = written = b'%b%b%b%06dZ"' % (root.writer, run.place.json, text, (now - second) // 1000)
        run.start_ns = self.now()
        runs.add(run)
        if self.sinks.all and (ids := self.sinks.started(partial(started_span, run, now))):
            record["otel"] = ids
        file = self.file
        if file is not None:
            try:
                head = orjson.dumps(record)[:-1]
            except (TypeError, ValueError, RecursionError):
                head = light(record)
            run.head = head = head + written
            if json is None:
                file.open_span(seq, head + b"}" + LINE_END)
            else:
                if len(json) > IN_FLIGHT_BYTES:
                    json = inputs_in_flight(json, root)
                file.open_span(seq, b"".join((head, b',"inputs":', json, b"}", LINE_END)))
        return run

    def _is_sampled_out(self, run: OpenRun, sampler: Sampler) -> bool:
        root = run.root
        if run.parent is None and not sampler.takes(str(root.trace_id)):
            root.held = sampler.begin()
            root.skipped = root.held is None
        return root.skipped

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
        runs = self.runs
        run = runs.open.pop(key.int, None)
        if run is None:
            run = self._missed_start(key, type_, parent_key)
            if run is None:
                return
            now = run.start_ns
        runs.release(run)
        self.finish(run, status, now, output, fields)

    def _missed_start(self, key: UUID, type_: str, parent_key: UUID | None) -> OpenRun | None:
        """A run of which only the end is told; None for one that has ended or that another tracer records."""
        same = self._same_file
        if self.runs.trace_of(key) is not None or (same is not None and same.knows(key, self.runs)):
            return None
        run = self.start(type_, key, parent_key, type_, None, {}, ["flightlog:start_missing"])
        if run is not None:
            run.inputs = None
            self.runs.open.pop(key.int, None)
        return run

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
        run = self.runs.open.get(key.int)
        status = outcome(error, run, fields)
        if status == "handoff" and run is not None:
            hand_over(run)
        self.end(key, status, now, output, fields, type_=type_, parent_key=parent_key)

    def finish(self, run: OpenRun, status: str, now: int, output: Any, fields: dict[str, Any] | None) -> None:
        """Write a run that is no longer open."""
        at_work = bool(run.children)
        if at_work:
            self._leave_behind(run, status, now)
        if run.kind == "graph" and (run.unusual is not None or run.attempts is None):
            status, fields = end_of_graph(run, status, fields, at_work=at_work)
        root = run.root
        duration_ms = (now - run.start_ns) / 1e6
        if duration_ms < 0.0:
            duration_ms = 0.0
        if root.skipped:
            self._leave_out(run, status, duration_ms, fields or {})
            return
        tail: dict[str, Any] = {"duration_ms": duration_ms, "status": status}
        if fields:
            self._add_fields(run, tail, fields)
        out = None
        if output is not NOTHING:
            out = self._quick_output(output, root.memo)
            if out is None or len(out) > self._max_field_bytes:
                out = self.fields.payload(run, "output", output, self.fields.output_mode, out)
        chunks = add_unusual(tail, run.unusual, run.start_ns) if run.unusual is not None else 0
        self.summary.add(run.type, status, duration_ms, tail, chunks > 0)
        try:
            end = orjson.dumps(tail)[1:-1]
        except (TypeError, ValueError, RecursionError):
            end = light(tail)[1:]
        head = run.head or light(run.record) + run.rest
        if out is None or run.inputs is None or run.metadata is not None:
            line = finished(head, end, run, out)
        else:
            line = b"".join((head, b",", end, b',"inputs":', run.inputs, b',"output":', out, b"}\n"))
        file = self.file
        if file is not None and root.held is None:
            file.close_span(run.seq, file.write(line))
            if self.sinks.all:
                self.sinks.ended(line)
        else:
            self._write(run, line, status)

    def _write(self, run: OpenRun, line: bytes, status: str) -> None:
        """One finished span that does not go straight to a file: it may wait for the fate of its trace."""
        file, held = self.file, run.root.held
        lines: Sequence[bytes] = (line,)
        if held is not None and self.sampler is not None:
            lines = self.sampler.ended(held, line, status, is_root=run.record["run_id"] is run.root.trace_id)
        if file is None:
            for one in lines:
                self.buffer.add(one)
        else:
            written = [file.write(one) for one in lines]
            file.close_span(run.seq, bool(written) and all(written))
        if self.sinks.all:
            self.sinks.ended(line)

    def _add_fields(self, run: OpenRun, tail: dict[str, Any], fields: dict[str, Any]) -> None:
        if "provider" in fields and "provider" in run.record:
            # Known at the start already; the answer knows better. A line has each field once.
            run.record["provider"], run.head = fields.pop("provider"), None
        tail.update(fields)
        for name in ("error", "interrupts"):
            if name in fields:
                self.fields.put(tail, run, name, fields[name])

    def _leave_out(self, run: OpenRun, status: str, duration_ms: float, fields: dict[str, Any]) -> None:
        """A run of a trace that sampling leaves out only counts."""
        if self.sampler is not None:
            self.sampler.sampled_out += 1
        unusual = run.unusual
        streamed = unusual is not None and (unusual.chunks or unusual.stream_events) > 0
        self.summary.add(run.type, status, duration_ms, fields, streamed)

    # -- runs that never end --------------------------------------------------------------------------------------

    def _leave_behind(self, run: OpenRun, status: str, now: int) -> None:
        """The parent of open runs has ended.

        When it was cancelled or dropped, so were they. Otherwise they may still be running, in a thread say, and are
        given a while to end by themselves.
        """
        for child in list(run.descendants()):
            if status in ("cancelled", "abandoned"):
                if self.runs.discard(child):
                    self.finish(child, status, now, NOTHING, None)
            else:
                self.runs.left_behind[child.seq] = (child, now)

    def close_left_behind(self, before: int) -> None:
        """Write as abandoned the runs whose parent ended before a monotonic time."""
        for child, since in list(self.runs.left_behind.values()):
            if since <= before and self.runs.discard(child):
                self.finish(child, "abandoned", since, NOTHING, None)

    def close_all(self) -> None:
        """Write every open run as abandoned, newest first."""
        now = self.now()
        for run in sorted(self.runs.all_open(), key=lambda run: -run.seq):
            if self.runs.discard(run):  # not ended with its parent
                self.finish(run, "abandoned", now, NOTHING, None)

    def _who_writes(self) -> bytes:
        """Fields that are the same on every line of this process."""
        writer_id = os.urandom(8).hex() if self.file is None else self.file.writer_id
        return more({"writer_id": writer_id, **self._service, "pid": os.getpid()})

    def start_over(self) -> None:
        """In a forked child: the open runs are the parent's to end."""
        self._writer = self._who_writes()
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
