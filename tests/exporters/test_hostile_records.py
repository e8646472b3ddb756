"""Records that are valid and that no tracer writes: every export takes them, or says what is wrong with the line."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flightlog.errors import UnreadableError
from flightlog.span import Span, format_time
from flightlog_exporters import otlp_json, otlp_protobuf, parquet, perfetto, semconv
from flightlog_exporters.line_file import Line
from flightlog_exporters.readers.otlp_lines import read

RECORD: dict[str, Any] = {
    "v": 1,
    "type": "llm",
    "name": "n",
    "run_id": "r",
    "trace_id": "r",
    "start_time": "2026-11-20T12:00:00.000000Z",
    "duration_ms": 1.5,
    "status": "error",
    "error": {"type": "E", "message": "m"},
}
DEEP: Any = orjson.loads(b"[" * 900 + b"]" * 900)


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_ms": 9e299},
        {"duration_ms": 2**63, "time_to_first_token_ms": 2**64 - 1, "seq": 2**64 - 1},
        {"duration_ms": 1e18, "start_time": "9999-12-31T23:59:59Z"},
        {"start_time": "1969-12-31T23:59:59Z"},
        {"start_time": "0001-01-01T00:00:00Z"},
        {"start_time": "2999-01-01T00:00:00Z"},
        {"inputs": DEEP, "output": {"x": DEEP}, "metadata": DEEP},
        {"inputs": {"messages": [{"type": "human", "content": {"a": DEEP}}]}},
        {"error": {"type": DEEP, "message": DEEP}},
        {"status": "interrupted", "interrupts": [{"id": ["i"]}], "resumes": [{"interrupt_id": {"i": 1}}, 7]},
        {"status": "interrupted", "interrupts": [{"id": "i", "value": DEEP}], "tags": DEEP, "future": DEEP},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_every_export_takes_it(fields: dict[str, Any], tmp_path: Path) -> None:
    """Times before 1970 and after 2554, endless durations and values too deep to be written stop no export."""
    span = Span.from_record(RECORD | fields)
    assert Span.from_json(span.to_json()).start_ns == span.start_ns
    for conventions in ("both", "genai", "openinference"):
        described = semconv.describe(span, conventions=semconv.check_conventions(conventions), content=True)
        assert 0 <= described.start_ns <= described.end_ns < 2**64
        assert otlp_json.decode(otlp_json.encode([described]))
        assert ExportTraceServiceRequest.FromString(otlp_protobuf.encode([described]))
    drawn = io.BytesIO()
    assert perfetto.write([span], drawn) == 1
    assert orjson.loads(drawn.getvalue())
    file = tmp_path / "spans.jsonl"
    file.write_bytes(span.to_json() + b"\n" + _written(RECORD | fields))
    assert parquet.write([file], tmp_path / "out").spans == 2


def _written(record: dict[str, Any]) -> bytes:
    """A line as somebody else may write it: deeper than our encoder goes."""
    line = orjson.dumps({name: None if _is_deep(value) else value for name, value in record.items()})
    for name, value in record.items():
        if _is_deep(value):
            line = line.replace(f'"{name}":null'.encode(), f'"{name}":{value}'.replace("'", '"').encode())
    return line + b"\n"


def _is_deep(value: Any) -> bool:
    return "[" * 900 in str(value)


@pytest.mark.parametrize("service", ["s" * 60_000, "\U0001f600" * 100, "../../../up", "a\0b", "", "=x"])
def test_a_service_that_is_no_folder_name(service: str, tmp_path: Path) -> None:
    """Parquet folders are named after services: names that no folder can have are cut or written in another way."""
    file = tmp_path / "spans.jsonl"
    usual, unusual = (
        Span.from_record(RECORD | {"service": service}),
        Span.from_record(RECORD | {"service": service, "x": 1}),
    )
    file.write_bytes(usual.to_json() + b"\n" + unusual.to_json() + b"\n")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    assert parquet.write([file], tmp_path / "deep" / "down" / "out").spans == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "spans.jsonl"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_has_no_year_in_utc_is_no_time(time: str) -> None:
    """What cannot be written back as RFC 3339 in UTC is refused when it is read."""
    with pytest.raises(UnreadableError):
        Span.from_record(RECORD | {"start_time": time})


def test_the_end_of_a_span_is_a_time_too() -> None:
    """A duration beyond all times ends at the last moment there is."""
    end_ns = Span.from_record(RECORD | {"duration_ms": 9e299}).end_ns
    assert end_ns is not None
    assert format_time(end_ns) == "9999-12-31T23:59:59.999999Z"


def test_an_integer_beyond_64_bits_breaks_its_span_alone() -> None:
    """A foreign span with such a number is rejected with a reason, its neighbours are read."""
    good = otlp_json.encode([semconv.describe(Span.from_record(RECORD | {"pid": 5, "host": "h"}))])
    assert b'{"intValue":"5"}' in good
    reasons: list[str] = []
    spans = list(
        read(
            [Line(0, good, 0), Line(0, good.replace(b'{"intValue":"5"}', b'{"intValue":1e300}'), 0)],
            lambda _, reason: reasons.append(reason),
        )
    )
    assert len(spans) == len(reasons) == 1
    assert all(span.to_json() for span in spans)
