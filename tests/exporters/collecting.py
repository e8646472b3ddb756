"""A collector that is answering, for tests."""

import contextlib
import http.client
import socket
import threading
from pathlib import Path

from flightlog.writing.span_file import SpanFile
from flightlog_exporters.collector import JSON, PATH, Collector
from flightlog_exporters.otel_span import OtelSpan


class Running:
    """A collector that is answering, and its span file."""

    def __init__(self, path: Path, host: str = "127.0.0.1") -> None:
        self.path = path
        self.file = SpanFile(path, given_again=True)
        self.collector = Collector(self.file.write, self.file.lose, host=host, port=0, max_body_bytes=100_000)
        self.thread = threading.Thread(target=self.collector.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def post(self, body: bytes, kind: str = JSON, path: str = PATH, **headers: str) -> tuple[int, bytes]:
        """Send one request and answer the status and body of its answer."""
        address, port = self.collector.server_address[:2]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(http.client.HTTPConnection(str(address), port, timeout=5)) as connection:
            connection.request("POST", path, body, {"content-type": kind, **named})
            response = connection.getresponse()
            return response.status, response.read()

    def close(self) -> None:
        """End it."""
        self.collector.shutdown()
        self.collector.close()
        self.thread.join()
        self.file.close()


def span(number: int = 1) -> OtelSpan:
    """A span of somebody."""
    return OtelSpan("work", b"t" * 16, number.to_bytes(8), b"", 1, 1_000_000, 2_000_000)


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
