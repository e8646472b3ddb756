import contextlib
import gzip
import http.client
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from flightlog import JsonlTracer, read_spans
from flightlog.errors import UsageError
from flightlog.span import Span
from flightlog.writing.span_file import SpanFile
from flightlog_exporters import OTelBridge, collector, otlp_json, otlp_protobuf
from flightlog_exporters.collector import JSON, PATH, PROTOBUF, Collector
from flightlog_exporters.otel_span import OtelSpan
from flightlog_exporters.semconv import own
from flightlog_viewer.cli.app import main
from tests.exporters.agent import run_agent

FIXTURE = Path(__file__).parent / "fixtures" / "openinference.jsonl"


class Running:
    """A collector that is answering, and its span file."""

    def __init__(self, path: Path, host: str = "127.0.0.1") -> None:
        self.path = path
        self.file = SpanFile(path)
        self.collector = Collector(self.file.write, host=host, port=0, max_body_bytes=100_000)
        self.thread = threading.Thread(target=self.collector.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def post(self, body: bytes, kind: str = JSON, path: str = PATH, **headers: str) -> tuple[int, bytes]:
        """Send one request and answer the status and body of its answer."""
        address, port = self.collector.server_address[:2]
        connection = http.client.HTTPConnection(str(address), port, timeout=5)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"content-type": kind, **named})
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A collector on a free port of 127.0.0.1."""
    made = Running(tmp_path / "spans.jsonl")
    yield made
    made.collector.shutdown()
    made.collector.server_close()
    made.thread.join()
    made.file.close()


def span(number: int = 1) -> OtelSpan:
    """A span of somebody."""
    return OtelSpan("work", b"t" * 16, number.to_bytes(8), b"", 1, 1_000_000, 2_000_000)


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


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"body": b"nonsense"}, 400),
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

    intake = collector.Intake(write)
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


def raw(running: Running, *parts: bytes) -> bytes:
    """All that is answered to these bytes, with the sending side closed behind them."""
    with socket.create_connection(("127.0.0.1", running.collector.server_address[1]), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while data := connection.recv(65536):
            answer += data
        return bytes(answer)


@pytest.mark.parametrize("chunked", [False, True])
def test_half_a_request_is_no_request(running: Running, chunked: bool) -> None:
    """A body that was cut off where one span ends and the next begins writes neither: its client sends it again."""
    first, second = (otlp_protobuf.encode([span(number)]) for number in (1, 2))
    size = len(first) + len(second)
    length = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTOBUF}\r\n{length}\r\n\r\n".encode()
    chunk = f"{size:x}\r\n".encode() if chunked else b""
    assert b" 400 " in raw(running, head + chunk + first)
    assert not running.path.exists()
    assert b" 200 " in raw(running, head + chunk + first + second + (b"\r\n0\r\n\r\n" if chunked else b""))
    assert len(list(read_spans(running.path))) == 2


def test_what_follows_a_refusal_is_not_read(running: Running) -> None:
    """The body of a request that was refused is never taken for another request."""
    body = otlp_json.encode([span()])
    inner = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ncontent-length: {len(body)}\r\n\r\n"
    outer = f"POST /elsewhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(inner) + len(body)}\r\n\r\n"
    answer = raw(running, outer.encode() + inner.encode() + body)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not running.path.exists()


def test_a_refusal_is_in_the_clients_own_words(running: Running) -> None:
    """Protobuf is answered in protobuf, JSON in JSON, anything else in text."""
    said = "only traces are collected: POST them to /v1/traces"
    assert orjson.loads(running.post(b"", path="/v1/logs")[1]) == {"message": said}
    assert Status.FromString(running.post(b"", kind=PROTOBUF, path="/v1/logs")[1]).message == said
    assert running.post(b"", kind="text/plain", path="/v1/logs")[1] == f"{said}\n".encode()


def test_connections_that_have_ended_take_no_room(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any number of clients one at a time, none of those that are there is in the way of another."""
    monkeypatch.setattr(collector, "_MAX_CONNECTIONS", 3)
    for number in range(6):
        assert running.post(otlp_json.encode([span(number)]))[0] == 200
    address = ("127.0.0.1", running.collector.server_address[1])
    with socket.create_connection(address, timeout=5) as patient:
        assert running.post(otlp_json.encode([span(7)]))[0] == 200
        assert not select.select([patient], [], [], 0)[0]


def test_who_has_been_answered_makes_room_and_who_waits_for_an_answer_does_not(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all connections are in use, one at rest is closed, and never one whose spans are being written."""
    monkeypatch.setattr(collector, "_MAX_CONNECTIONS", 2)
    writing, go_on = threading.Event(), threading.Event()
    write = running.collector.intake._write

    def slow_write(line: bytes) -> bool:
        if not writing.is_set():
            writing.set()
            assert go_on.wait(10)
        return write(line)

    monkeypatch.setattr(running.collector.intake, "_write", slow_write)
    statuses: list[int] = []
    sender = threading.Thread(target=lambda: statuses.append(running.post(otlp_json.encode([span(1)]))[0]))
    sender.start()
    assert writing.wait(10)
    resting = http.client.HTTPConnection("127.0.0.1", running.collector.server_address[1], timeout=5)
    resting.request("POST", PATH, otlp_json.encode([]), {"content-type": JSON})
    assert resting.getresponse().read() == b"{}"
    assert not select.select([resting.sock], [], [], 0)[0]
    answers: list[int] = []
    for _ in range(100):  # its own answer may have come a moment before it counts as at rest
        with contextlib.suppress(ConnectionError):
            answers.append(running.post(otlp_json.encode([]))[0])
            break
    go_on.set()
    sender.join()
    assert answers == [200]
    assert select.select([resting.sock], [], [], 5)[0], "it was closed"
    assert statuses == [200]
    resting.close()


def test_slow_connections_do_not_keep_others_out(running: Running) -> None:
    """When there are as many as can be answered, the one waited for longest makes room for the next."""
    address = ("127.0.0.1", running.collector.server_address[1])
    slow = [socket.create_connection(address, timeout=5) for _ in range(100)]
    for each in slow[-30:]:
        each.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Le")
    for number in range(3):
        assert running.post(otlp_json.encode([span(number)]))[0] == 200
    closed = set(select.select(slow, [], [], 0)[0])
    assert slow[0] in closed
    assert slow[-1] not in closed
    assert len(closed) < 50
    for each in slow:
        each.close()


def test_a_request_that_trickles_in_has_an_end(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a byte of it comes; a client that is at rest between its requests loses nothing."""
    monkeypatch.setattr(collector, "_WHOLE_REQUEST_S", 0.5)
    address = ("127.0.0.1", running.collector.server_address[1])
    honest = http.client.HTTPConnection(*address, timeout=5)
    with socket.create_connection(address, timeout=5) as trickling:
        head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ncontent-length: 1000\r\n\r\n"
        trickling.sendall(head.encode())
        number = 0
        while not select.select([trickling], [], [], 0.1)[0]:
            number += 1
            assert number < 300
            with contextlib.suppress(ConnectionError):
                trickling.sendall(b" ")
            honest.request("POST", PATH, otlp_json.encode([span(number)]), {"content-type": JSON})
            assert honest.getresponse().read() == b"{}"
    honest.close()
    assert len(list(read_spans(running.path))) == number > 2


def test_a_full_disk_is_the_clients_turn_to_wait(tmp_path: Path) -> None:
    """When the span file cannot be written, the answer is 503, which clients try again."""
    running = Running(tmp_path / "spans.jsonl")
    running.collector.intake = type(running.collector.intake)(lambda line: False)
    assert running.post(otlp_json.encode([span()]))[0] == 503
    running.collector.shutdown()
    running.collector.server_close()
    running.thread.join()


def test_a_port_in_use_is_a_sentence(running: Running) -> None:
    """Two collectors cannot share a port."""
    with pytest.raises(UsageError, match="cannot listen on"):
        Collector(lambda line: True, port=running.collector.server_address[1])


def test_an_address_of_ipv6_is_listened_on(tmp_path: Path) -> None:
    """Loopback has two addresses; the URL to send to is right for both."""
    try:
        running = Running(tmp_path / "spans.jsonl", host="::1")
    except UsageError:
        pytest.skip("this machine has no IPv6")
    port = running.collector.server_address[1]
    assert running.collector.url == f"http://[::1]:{port}"
    assert running.post(otlp_json.encode([span()]), host=f"[::1]:{port}")[0] == 200
    running.collector.shutdown()
    running.collector.server_close()
    running.thread.join()


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
