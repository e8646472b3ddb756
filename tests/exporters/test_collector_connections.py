"""What a collector does with connections: half a request, many of them, slow ones."""

import contextlib
import http.client
import select
import socket
import threading
import time

import orjson
import pytest
from google.rpc.status_pb2 import Status

from flightlog import read_spans
from flightlog_exporters import collector, otlp_json, otlp_protobuf
from flightlog_exporters.collector import JSON, PATH, PROTOBUF
from tests.exporters.collecting import Running, raw, span


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


def test_chunks_are_bounded_as_a_whole(running: Running) -> None:
    """A body that says no length is refused as soon as its chunks are more than one that says it may be."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (60_000, b" " * 60_000)
    assert b" 413 " in raw(running, head.encode() + chunk, chunk)
    assert b" 413 " in raw(running, head.encode() + b"-5\r\n")
    assert b" 200 " in raw(running, head.encode() + chunk + b"2\r\n{}\r\n0\r\n\r\n")


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
        time.sleep(0.01)
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
