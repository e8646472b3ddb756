"""A line from its pieces, a start as a span, and what stands for inputs in the in-flight sidecar."""

from typing import Any, Final
from uuid import UUID

import orjson

from flightlog.events.runs import OpenRun, Root, Unusual
from flightlog.light_fields import light
from flightlog.span import Span

IN_FLIGHT_BYTES: Final = 4_096
"""Bytes of inputs kept in the in-flight sidecar."""
_PLAIN: Final = frozenset((str, int, UUID))
"""Types of light fields that are what they will be in the file."""


def inputs_in_flight(inputs: bytes, root: Root) -> bytes:
    """What stands in the sidecar for inputs that are too long for it: a text, their first 4 KiB.

    Runs of a trace mostly get the same messages and some more, so the last answer is kept: comparing 4 KiB costs a
    fiftieth of escaping them.
    """
    known, text = root.start_inputs
    if not known or not inputs.startswith(known):
        beginning = inputs[:IN_FLIGHT_BYTES]
        text = orjson.dumps(beginning.decode("utf-8", "ignore") + "...")  # "…" would double the cost
        root.start_inputs = (beginning, text)
    return text


def add_unusual(tail: dict[str, Any], unusual: Unusual, start_ns: int) -> int:
    """Set the fields that few runs have; gives the number of chunks that were streamed."""
    # One stream may be told of in both ways; each tells of all of it.
    chunks = (unusual.chunks or unusual.stream_events) // unusual.told
    if chunks:
        tail["chunks"] = chunks
        if unusual.first_token_ns:
            tail["time_to_first_token_ms"] = (unusual.first_token_ns - start_ns) / 1e6
    if unusual.truncated is not None:
        tail["truncated"] = unusual.truncated
    return chunks


def finished(head: bytes, end: bytes, run: OpenRun, output: bytes | None) -> bytes:
    """The line of a finished run; its newline is one of the pieces, because adding it later would copy the line."""
    pieces = [head, b",", end]
    for name, json in ((b"metadata", run.metadata), (b"inputs", run.inputs), (b"output", output)):
        if json is not None:
            pieces += (b',"', name, b'":', json)
    pieces.append(b"}\n")
    return b"".join(pieces)


def started_span(run: OpenRun, start_ns: int) -> Span:
    """A run as a span that has not ended, for sinks."""
    record = {**run.record, **orjson.loads(b'{"v":1%b}' % run.rest)}
    if all(type(value) in _PLAIN or name == "tags" for name, value in record.items()):
        fields: dict[str, Any] = {
            name: str(value) if type(value) is UUID else value
            for name, value in record.items()
            if name not in ("v", "start_time")
        }
        span = Span(**fields, start_ns=start_ns)
        if span.tags is not None:
            span.tags = [str(tag) for tag in span.tags]
    else:
        span = Span.from_record(orjson.loads(light({**record, "duration_ms": 0, "status": "ok"}) + b"}"))
        span.start_ns, span.duration_ms, span.status = start_ns, None, None
    if run.inputs is not None:
        span.inputs = orjson.loads(run.inputs)
    if run.metadata is not None:
        span.metadata = orjson.loads(run.metadata)
    return span
