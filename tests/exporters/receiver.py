"""An OTLP server on loopback whose answers are scripted: busy, slow, broken, lying, and honest."""

import contextlib
import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"

Action = Callable[["Handler"], None]
"""Answers one request, and keeps it first if its spans count as taken."""


class Receiver:
    """What arrived, and how to answer next."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[ExportTraceServiceRequest] = []
        """Of every POST that was confirmed, in order."""
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.tries = 0
        """Every POST, confirmed or not."""
        self.script: Iterator[Action] = iter(())
        """One entry a request. When it ends, everything is taken."""
        self.lock = threading.Lock()

    @property
    def spans(self) -> list[Any]:
        """All spans that arrived, repeats included."""
        return [
            span
            for request in self.requests
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def span_ids(self) -> Counter[bytes]:
        """How often each span arrived."""
        return Counter(span.span_id for span in self.spans)


class Handler(BaseHTTPRequestHandler):
    """Answers as the script says."""

    protocol_version = "HTTP/1.1"
    receiver: Receiver
    body: bytes

    def do_POST(self) -> None:
        """Take the request, and keep it if it is confirmed."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.body = body
        with self.receiver.lock:
            self.receiver.tries += 1
            action = next(self.receiver.script, accept)
        action(self)

    def keep(self) -> None:
        """Count the request as taken."""
        with self.receiver.lock:
            self.receiver.requests.append(ExportTraceServiceRequest.FromString(self.body))
            self.receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.receiver.paths.append(self.path)

    def answer(self, status: int, kind: str, body: bytes = b"", **headers: str) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def accept(handler: Handler) -> None:
    """Take everything."""
    handler.keep()
    handler.answer(200, PROTOBUF, ExportTraceServiceResponse().SerializeToString())


def status(code: int, **headers: str) -> Action:
    """Answer with a status and nothing else."""

    def act(handler: Handler) -> None:
        handler.answer(code, "text/plain", b"", **headers)

    return act


def partial(rejected: int, message: str = "too old") -> Action:
    """Answer 200, with some spans rejected."""

    def act(handler: Handler) -> None:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
        handler.answer(200, PROTOBUF, response.SerializeToString())

    return act


def html(handler: Handler) -> None:
    """Answer 200 with a page, as a wrong address does."""
    handler.answer(200, "text/html; charset=utf-8", b"<html>welcome</html>")


def reset(handler: Handler) -> None:
    """Cut the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def slow(seconds: float) -> Action:
    """Answer too late; the spans are taken nevertheless, as happens."""

    def act(handler: Handler) -> None:
        time.sleep(seconds)
        try:
            accept(handler)
        except OSError:
            handler.close_connection = True

    return act


def drip(head: bytes) -> Action:
    """Send the head at once, then what has no end a byte at a time, for two seconds; each byte comes soon enough."""

    def act(handler: Handler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.wfile.write(head)
            for _ in range(40):
                time.sleep(0.05)
                handler.wfile.write(b"x")

    return act


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()
    handler = type("BoundHandler", (Handler,), {"receiver": receiver})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
