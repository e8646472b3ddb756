"""The pieces of a line: the light fields as JSON, the start for the in-flight sidecar, times and process fields."""

import os
from typing import Any, Final

import orjson

from flightlog.plain import Walk
from flightlog.redaction import Redactor
from flightlog.runs import OpenRun
from flightlog.span import Span, format_time

IN_FLIGHT_BYTES: Final = 4_096
"""Bytes of inputs kept in the in-flight sidecar."""

_MAX_LIGHT: Final = 8_192
"""Characters kept of a light field that is not what it should be."""
_PLAIN: Final = frozenset((str, int))
"""Types of light fields that are what they will be in the file."""
_UNREDACTED: Final = Redactor(None)


class LineWriter:
    """Makes lines, and keeps the texts that change seldom."""

    def __init__(self, service: dict[str, Any]) -> None:
        self._service = service
        self._process: tuple[str, bytes] = ("", b"")
        self._second: tuple[int, str] = (-1, "")

    def time(self, ns: int) -> str:
        """RFC 3339, with the text of the second kept."""
        second, rest = divmod(ns, 1_000_000_000)
        known, text = self._second
        if known != second:
            text = format_time(second * 1_000_000_000)[:-7]
            self._second = (second, text)
        return f"{text}{rest // 1000:06d}Z"

    def process(self, writer_id: str) -> bytes:
        """``service``, ``host`` and ``pid`` as a piece of JSON, kept as long as the writer is the same."""
        known, json = self._process
        if known != writer_id:
            json = b"," + orjson.dumps({**self._service, "pid": os.getpid()})[1:-1]
            self._process = (writer_id, json)
        return json

    def finished(self, run: OpenRun, tail: dict[str, Any], output: bytes | None) -> bytes:
        """The line of a finished run, with its newline: adding it later would copy the line once more."""
        head = run.head or light(run.record)
        pieces = [head[:-1], b",", light(tail)[1:-1], self.process(run.record["writer_id"])]
        if run.metadata is not None:
            pieces += (b',"metadata":', run.metadata)
        if run.inputs is not None:
            pieces += (b',"inputs":', run.inputs)
        if output is not None:
            pieces += (b',"output":', output)
        pieces.append(b"}\n")
        return b"".join(pieces)


def light(record: dict[str, Any]) -> bytes:
    """Light fields as JSON, whatever is in them."""
    try:
        return orjson.dumps(record)
    except (TypeError, ValueError, RecursionError):
        walk = Walk(_UNREDACTED, _MAX_LIGHT)
        return orjson.dumps(
            {key: value if type(value) is orjson.Fragment else walk.value(value) for key, value in record.items()}
        )


def started(head: bytes, process: bytes, inputs: bytes | None) -> bytes:
    """The line of the in-flight sidecar: the record so far, which process, the inputs cut."""
    if inputs is None:
        return b"".join((head[:-1], process, b"}"))
    if len(inputs) > IN_FLIGHT_BYTES:
        inputs = orjson.dumps(inputs[:IN_FLIGHT_BYTES].decode("utf-8", "ignore") + "...")  # "…" would double the cost
    return b"".join((head[:-1], process, b',"inputs":', inputs, b"}"))


def started_span(run: OpenRun, start_ns: int) -> Span:
    """A run as a span that has not ended, for sinks."""
    record = run.record
    if all(type(value) in _PLAIN or name == "tags" for name, value in record.items()):
        span = Span(**{name: record[name] for name in record if name not in ("v", "start_time")}, start_ns=start_ns)
        if span.tags is not None:
            span.tags = [str(tag) for tag in span.tags]
    else:
        span = Span.from_record(orjson.loads(light({**record, "duration_ms": 0, "status": "ok"})))
        span.start_ns, span.duration_ms, span.status = start_ns, None, None
    if run.inputs is not None:
        span.inputs = orjson.loads(run.inputs)
    if run.metadata is not None:
        span.metadata = orjson.loads(run.metadata)
    return span
