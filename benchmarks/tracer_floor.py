"""The floor: what is left of the tracer when everything is taken away but what it writes and when.

The same payloads, encoded and bounded in the sidecar in the same way, the same light fields, about as many bytes; the
same system calls for each start and each end. Nothing else: no threads, forks, retries, interrupts, kinds of chains,
redaction by value, limits, sampling, sinks, counts, cancelled or lost runs, and no failure of any call.
"""

import itertools
import os
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from langchain_core.callbacks import BaseCallbackHandler

_INPUTS_IN_FLIGHT = 4_096
_LIMIT = 262_144


class _Trace:
    """What the spans of one trace share."""

    def __init__(self, memo: Any, run_id: UUID, writer: dict[str, Any]) -> None:
        self.memo = memo
        self.light = b"," + orjson.dumps({"trace_id": run_id, **writer})[1:-1]
        self.metadata: dict[str, Any] = {}
        self.place = b""
        self.inputs: tuple[bytes, bytes] = (b"", b"")


class FloorHandler(BaseCallbackHandler):
    """Writes spans of one thread, none of which goes wrong."""

    run_inline = True
    # As properties, which they are in the base class, they cost a call for each event.
    ignore_chain = ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = False

    def __init__(self, path: Path) -> None:
        from flightlog.light_fields import second_of
        from flightlog.payloads.memo import Memo
        from flightlog.payloads.payload import PayloadEncoder
        from flightlog.payloads.redaction import Redactor

        self.new_memo, self.second_of = Memo, second_of
        self.encode = PayloadEncoder(Redactor(()), _LIMIT).quick
        self.spans = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self.starts = os.open(f"{path}.open", os.O_RDWR | os.O_CREAT, 0o600)
        self.folder = os.open(path.parent, os.O_RDONLY)
        self.writer = {"writer_id": os.urandom(8).hex(), "service": "bench", "host": "bench", "pid": os.getpid()}
        self.seq = itertools.count()
        self.second = (0, b"")
        self.top = [0]
        """Where the starts that are in flight end in the sidecar."""
        self.runs: dict[int, tuple[bytes, bytes, int, _Trace]] = {}

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self.spans, self.starts, self.folder):
            os.close(fd)

    def _start(self, record: dict[str, Any], inputs: Any, run_id: UUID, kw: dict[str, Any]) -> None:
        parent, metadata = kw["parent_run_id"], kw["metadata"]
        if parent is None:
            trace = _Trace(self.new_memo(), run_id, self.writer)
        else:
            record["parent_run_id"] = parent
            trace = self.runs[parent.int][3]
        if metadata.get("langgraph_checkpoint_ns") is not trace.metadata.get("langgraph_checkpoint_ns"):
            trace.metadata = metadata
            node, step = metadata["langgraph_node"], metadata["langgraph_step"]
            namespace = metadata["langgraph_checkpoint_ns"]
            place = {"node": node, "step": step, "checkpoint_ns": namespace, "task_id": namespace.rpartition(":")[2]}
            trace.place = b"," + orjson.dumps(place)[1:-1]
        if kw["tags"]:
            record["tags"] = kw["tags"]
        json = self.encode(inputs, trace.memo) or b""
        now = time.time_ns()
        if not 0 <= now - self.second[0] < 1_000_000_000:
            self.second = self.second_of(now)
        light = orjson.dumps(record)[:-1]
        micros = (now - self.second[0]) // 1000
        head = b'%b%b%b%b%06dZ"' % (light, trace.light, trace.place, self.second[1], micros)
        in_flight = json
        if len(json) > _INPUTS_IN_FLIGHT:
            if not json.startswith(trace.inputs[0]) or not trace.inputs[0]:
                beginning = json[:_INPUTS_IN_FLIGHT]
                trace.inputs = (beginning, orjson.dumps(beginning.decode("utf-8", "ignore") + "..."))
            in_flight = trace.inputs[1]
        self.runs[run_id.int] = head, json, time.monotonic_ns(), trace
        line = b"".join((head, b',"inputs":', in_flight, b"}\n\0"))
        os.lseek(self.starts, 0, os.SEEK_CUR)
        os.pwrite(self.starts, line, self.top[-1])
        self.top.append(self.top[-1] + len(line) - 1)

    def _end(self, run_id: UUID, output: Any, fields: dict[str, Any] | None = None) -> None:
        now = time.monotonic_ns()
        head, inputs, start, trace = self.runs.pop(run_id.int)
        json = self.encode(output, trace.memo) or b""
        end = orjson.dumps({"duration_ms": (now - start) / 1e6, "status": "ok", **(fields or {})})[1:-1]
        line = b"".join((head, b",", end, b',"inputs":', inputs, b',"output":', json, b"}\n"))
        os.lseek(self.spans, 0, os.SEEK_CUR)
        os.write(self.spans, line)
        os.lseek(self.spans, 0, os.SEEK_CUR)
        os.fstat(self.folder)
        self.top.pop()

    def _record(self, type_: str, run_id: UUID, kw: dict[str, Any]) -> dict[str, Any]:
        return {"v": 1, "type": type_, "name": kw["name"], "run_id": run_id, "seq": next(self.seq)}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kw: Any) -> None:
        self._start(self._record("chain", run_id, kw) | {"kind": "node"}, inputs, run_id, kw)

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kw: Any) -> None:
        about = {"model_params": kw["invocation_params"]}
        self._start(self._record("llm", run_id, kw) | about, {"messages": messages[0]}, run_id, kw)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kw: Any) -> None:
        about = {"tool_call_id": kw["tool_call_id"]}
        self._start(self._record("tool", run_id, kw) | about, kw["inputs"], run_id, kw)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, outputs)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kw: Any) -> None:
        message = response.generations[0][0].message
        self._end(run_id, message, {"message_id": message.id, "token_usage": message.usage_metadata})

    def on_tool_end(self, output: Any, *, run_id: UUID, **kw: Any) -> None:
        self._end(run_id, output)
