import gzip
import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from flightlog import JsonlTracer, read_spans
from flightlog.errors import UnreadableError, UsageError
from flightlog.span import Span
from flightlog_exporters import OTelBridge, collector, otlp_json, otlp_protobuf, request_parts
from flightlog_exporters.collector import JSON, PATH, PROTOBUF, Collector
from flightlog_exporters.semconv import own
from flightlog_viewer.cli.app import main
from tests.exporters.agent import run_agent
from tests.exporters.collecting import Running, span
from tests.faults.lines import losses

FIXTURE = Path(__file__).parent / "fixtures" / "openinference.jsonl"


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_the_sdk_sends_becomes_spans(running: Running, tmp_path: Path, compression: Compression) -> None:
    """OpenTelemetry's own exporter delivers; with the bridge the records come out as the tracer wrote them."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{running.collector.url}{PATH}", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    original = tmp_path / "original.jsonl"
    with JsonlTracer(original, sinks=[OTelBridge(tracer_provider=provider, content=True)]) as tracer:
        run_agent([tracer])
    provider.shutdown()
    expected = {one.run_id: one for one in read_spans(original)}
    received = {one.run_id: one for one in read_spans(running.path)}
    assert received.keys() == expected.keys()
    for run_id, one in received.items():
        want, got = expected[run_id].to_record(), one.to_record()
        # The SDK's spans know their process by the SDK's resource, not by the record's.
        for name in ("host", "pid", "service"):
            want.pop(name, None)
            got.pop(name, None)
        assert got == want


def test_json_gzip_and_chunks_are_taken(running: Running) -> None:
    """The JSON encoding, packed bodies and bodies without a length all work."""
    foreign = FIXTURE.read_bytes().splitlines()[0]
    assert running.post(foreign) == (200, b"{}")
    assert running.post(gzip.compress(otlp_json.encode([span(1)])), content_encoding="gzip") == (200, b"{}")
    connection = http.client.HTTPConnection("127.0.0.1", running.collector.server_address[1], timeout=5)
    body = otlp_protobuf.encode([span(2)])
    connection.request("POST", PATH, iter([body[:7], body[7:]]), {"content-type": PROTOBUF}, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, ExportTraceServiceResponse.FromString(response.read())) == (
        200,
        ExportTraceServiceResponse(),
    )
    connection.close()
    assert [one.name for one in read_spans(running.path)] == ["Notes", "work", "work"]


def test_a_span_that_comes_again_is_written_once(running: Running) -> None:
    """A client that repeats a request after a lost answer leaves no second record."""
    for _ in range(2):
        assert running.post(otlp_json.encode([span(1), span(2)]))[0] == 200
    assert len(list(read_spans(running.path))) == 2


def test_a_span_that_cannot_be_read_is_told(running: Running) -> None:
    """The answer is a partial success that counts it, and the others are kept."""
    odd = span(3)
    odd.attributes = {"openinference.span.kind": "CHAIN", "tag.tags": [77]}
    request = otlp_json.encode([span(1), odd]).replace(b'"77"', b'"123456789012345678901234567890"')
    status, body = running.post(request)
    assert status == 200
    assert orjson.loads(body)["partialSuccess"]["rejectedSpans"] == "1"
    assert len(list(read_spans(running.path))) == 1


def test_a_span_without_a_whole_id_is_told_in_protobuf_too(running: Running) -> None:
    """It is counted as rejected, and its neighbour in the same request is kept."""
    request = ExportTraceServiceRequest.FromString(otlp_protobuf.encode([span(1), span(2)]))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    status, body = running.post(request.SerializeToString(), kind=PROTOBUF)
    assert status == 200
    assert ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans == 1
    assert len(list(read_spans(running.path))) == 1


def inside(number: int, data: bytes) -> bytes:
    """A field of a protobuf message, with its length in five bytes."""
    size = len(data)
    return bytes((number << 3 | 2, *(size >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)), size >> 28)) + data


IDS = inside(1, bytes([1] * 16)) + inside(2, bytes([1] * 8))
NOTHING = {"resources": 1, "scopes": 2, "spans": 2, "events": 11, "links": 13}
"""What can be said to be there in two bytes, and the number of its field."""


@pytest.mark.parametrize("what", NOTHING)
def test_a_request_of_nothing_often_is_refused(running: Running, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Two bytes a span that become a hundred in memory: 20 MB of them, 20 kB when packed, took gigabytes."""
    monkeypatch.setattr(request_parts, "MOST", 5_000)
    request = bytes((NOTHING[what] << 3 | 2, 0)) * 6_000
    for place in {"resources": (), "scopes": (1,), "spans": (2, 1)}.get(what, (2, 2, 1)):
        request = inside(place, (IDS if request.startswith((b"\x5a", b"\x6a")) else b"") + request)
    status, body = running.post(request, kind=PROTOBUF)
    assert status == 400
    assert b"more than 5,000 spans, events and links in one request" in body
    # What stands around them, a number of each wire type and a span with something in it, hides none.
    others = b"\x78\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4)
    whole = inside(1, inside(2, inside(2, IDS) + others)) + others
    request = whole + request + whole
    assert running.post(request, kind=PROTOBUF) == (status, body)
    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 6_000 + b"{}]}]}]}"
    assert running.post(many)[0] == 400
    assert not running.path.exists() or not running.path.read_bytes()


@pytest.mark.parametrize("request_", [b"\xff" * 5_000_000, b"\x0a" + b"\xff" * 5_000_000, b"\x0a", b"\x0a\xff"])
def test_a_number_without_an_end_is_broken(request_: bytes) -> None:
    """It is refused at once, as what else is no protobuf."""
    with pytest.raises(UnreadableError, match="not an OTLP request in protobuf"):
        otlp_protobuf.decode(request_)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"resourceSpans":null}',
        b'{"resourceSpans":[]}',
        b'{"resourceSpans":[{"resource":null,"scopeSpans":null}]}',
        b'{"resourceSpans":[{"scopeSpans":[{}]}]}',
    ],
)
def test_a_request_without_spans_is_taken(running: Running, body: bytes) -> None:
    """What is empty may be left out: it is no fault, and nothing is written."""
    assert running.post(body) == (200, b"{}")
    assert running.post(b"", kind=PROTOBUF) == (200, b"")
    assert not running.path.exists()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"body": b"nonsense"}, 400),
        ({"body": b'{"resourceMetrics":[{}]}'}, 400),
        ({"body": b"\xff\xff\xff", "kind": PROTOBUF}, 400),
        ({"body": b"{}", "path": "/v1/metrics"}, 404),
        ({"body": b"{}", "kind": "text/plain"}, 415),
        ({"body": b"{}", "content_encoding": "br"}, 415),
        ({"body": b"{}", "content_encoding": "gzip"}, 400),
        ({"body": gzip.compress(b"x" * 1000)[:-9], "content_encoding": "gzip"}, 400),
        ({"body": gzip.compress(b"{}") + gzip.compress(b"{}"), "content_encoding": "gzip"}, 400),
        ({"body": b"x" * 100_001}, 413),
        ({"body": gzip.compress(b"x" * 100_001), "content_encoding": "gzip"}, 413),
        ({"body": b"{}", "host": "evil.example:4318"}, 403),
        ({"body": b"{}", "host": "[::1]evil.example"}, 403),
        ({"body": b"{}", "host": "localhost:evil.example"}, 403),
        ({"body": b"{}", "content_length": "-5"}, 411),
    ],
)
def test_what_is_not_taken_is_refused_clearly(running: Running, request_: dict[str, Any], status: int) -> None:
    """Wrong paths, types, encodings, sizes and hosts have their own status, and nothing is written."""
    answer, body = running.post(**request_)
    assert answer == status
    assert body
    assert not running.path.exists()
    assert running.post(otlp_json.encode([span()]))[0] == 200, "it goes on"


def test_a_get_says_what_this_is(running: Running) -> None:
    """A browser that looks in gets a sentence."""
    connection = http.client.HTTPConnection("127.0.0.1", running.collector.server_address[1], timeout=5)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 405
    assert b"POST OTLP traces to /v1/traces" in response.read()
    connection.close()


def test_a_record_that_is_none_is_told_and_its_neighbours_are_kept(running: Running) -> None:
    """A span that says it carries our record, and carries something else, is one rejected span."""
    odd = span(2)
    odd.attributes = {own.RECORD: '{"type":7}'}
    status, body = running.post(otlp_json.encode([span(1), odd, span(3)]))
    assert (status, orjson.loads(body)["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert [one.run_id for one in read_spans(running.path)] == [(1).to_bytes(8).hex(), (3).to_bytes(8).hex()]


def test_the_newest_spans_are_the_ones_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came before, a request that is repeated at once leaves no second record."""
    monkeypatch.setattr(collector, "_REMEMBERED", 2)
    lines: list[bytes] = []

    def write(line: bytes) -> bool:
        lines.append(line)
        return True

    intake = collector.Intake(write, lambda size: None)
    for number in (1, 2, 3, 3, 2, 1):
        assert intake.take([span(number)]) == []
    assert intake.spans == 4
    written = [Span.from_json(line).run_id for line in lines]
    assert written == [number.to_bytes(8).hex() for number in (1, 2, 3, 1)], "the first alone was forgotten"


@pytest.mark.parametrize("packed", [False, True])
def test_the_limit_is_what_it_says(running: Running, packed: bool) -> None:
    """A request of just as many bytes is taken, one of a byte more is not."""
    body = otlp_json.encode([span(1)])
    for more, status in ((0, 200), (1, 413)):
        sent = body + b" " * (100_000 - len(body) + more)
        headers = {"content_encoding": "gzip"} if packed else {}
        assert running.post(gzip.compress(sent) if packed else sent, **headers)[0] == status


def test_what_cannot_be_written_is_asked_for_again(tmp_path: Path) -> None:
    """The answer is 503, which clients try again; what came again is no loss, what never did is one at the end."""
    running = Running(tmp_path / "spans.jsonl")
    running.path.mkdir()  # no file can be written here, as on a full disk
    for _ in range(2):
        assert running.post(otlp_json.encode([span(1), span(2)]))[0] == 503
    assert running.post(otlp_json.encode([span(3), span(4)]))[0] == 503
    running.path.rmdir()
    assert running.post(otlp_json.encode([span(1), span(2)])) == (200, b"{}")
    assert running.post(otlp_json.encode([span(4)])) == (200, b"{}")
    assert losses(running.path) == 0
    running.close()
    assert losses(running.path) == 1
    assert sum(one.name == "work" for one in read_spans(running.path)) == 3


@pytest.mark.parametrize(("limit", "value", "lost"), [("_COMES_AGAIN_S", 0.0, 2), ("_REMEMBERED", 1, 1)])
def test_what_does_not_come_again_is_given_up(
    running: Running, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, lost: int
) -> None:
    """After some time, or behind very many others, it is lost, and the next span that is written says so."""
    running.path.mkdir()
    assert running.post(otlp_json.encode([span(1), span(2)]))[0] == 503
    running.path.rmdir()
    monkeypatch.setattr(collector, limit, value)
    for number in (3, 4):
        assert running.post(otlp_json.encode([span(number)]))[0] == 200
    assert losses(running.path) == lost


def test_a_port_in_use_is_a_sentence(running: Running) -> None:
    """Two collectors cannot share a port."""
    with pytest.raises(UsageError, match="cannot listen on"):
        Collector(lambda line: True, lambda size: None, port=running.collector.server_address[1])


def test_an_address_of_ipv6_is_listened_on(tmp_path: Path) -> None:
    """Loopback has two addresses; the URL to send to is right for both."""
    try:
        running = Running(tmp_path / "spans.jsonl", host="::1")
    except UsageError:
        pytest.skip("this machine has no IPv6")
    port = running.collector.server_address[1]
    assert running.collector.url == f"http://[::1]:{port}"
    assert running.post(otlp_json.encode([span()]), host=f"[::1]:{port}")[0] == 200
    running.close()


def test_a_command_that_cannot_listen_leaves_no_file(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty span file would be the newest one, which every command opens that is given none."""
    out = tmp_path / "new.jsonl"
    port = running.collector.server_address[1]
    assert main(["collect", "--port", str(port), "-o", str(out)]) == 2
    assert "Address already in use" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_collects_until_it_is_stopped(tmp_path: Path) -> None:
    """It says where to send to, appends what comes, and ends well with Ctrl-C."""
    out = tmp_path / "spans.jsonl"
    program = "import sys; from flightlog_viewer.cli.app import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "collect", "--port", "0", "-o", str(out)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        match = re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT=http://127\.0\.0\.1:(\d+);", said)
        assert match is not None, said
        connection = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=5)
        connection.request("POST", PATH, otlp_json.encode([span()]), {"content-type": JSON})
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == f"flightlog: 1 span in {out}\n"
    finally:
        process.kill()
        process.communicate()
    assert [one.name for one in read_spans(out)] == ["work"]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_collected_into(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """A pipe would be waited for, and a device keeps nothing."""
    out = tmp_path / "pipe" if kind == "pipe" else Path("/dev/null")
    if kind == "pipe":
        os.mkfifo(out)
    assert main(["collect", "--port", "0", "-o", str(out)]) == 2
    assert capsys.readouterr().err == f"flightlog: {out} is not a regular file: name another one\n"
