"""A small OTLP receiver: what any OpenTelemetry-instrumented agent sends becomes a span file.

HTTP only, protobuf and JSON, gzip or not, on loopback unless told otherwise. What comes in is bounded and not trusted:
sizes are checked before and after unpacking, and on loopback a request must say that it means loopback, because a web
page can make a browser send requests to other names that lead here.
"""

import contextlib
import re
import socket
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final

import orjson

from flightlog.errors import MissingExtraError, UnreadableError, UsageError
from flightlog_exporters import otlp_json, otlp_protobuf
from flightlog_exporters.otel_span import OtelSpan
from flightlog_exporters.readers.foreign import to_span

DEFAULT_PORT: Final = 4318
MAX_BODY_BYTES: Final = 20 * 1024 * 1024
"""Of a request, before and after unpacking; the Collector's own default."""
PATH: Final = "/v1/traces"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_MAX_CONNECTIONS: Final = 64
"""When there is one more, the one that has sent nothing whole for longest has to go."""
_SILENCE_S: Final = 30.0
"""Without a byte."""
_WHOLE_REQUEST_S: Final = 60.0
"""From one request to the end of the next, however it trickles in."""
_AT_ONCE: Final = 2
"""Requests that are unpacked and read at the same time, which takes far more memory than receiving them. Reading is no
faster for more of them; a second one does not wait for a slow disk."""
_HOST: Final = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?")
_REMEMBERED: Final = 100_000
_COMES_AGAIN_S: Final = 600.0
"""What could not be written and has not come again by then is lost: clients try for some minutes."""


class _RefusalError(Exception):
    """A request that is not taken, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Intake:
    """Spans of requests -> lines of a span file. A span that comes again, as after a lost answer, is written once.

    ``lose`` is told the bytes of each line that could not be written and did not come again.
    """

    def __init__(self, write: Callable[[bytes], bool], lose: Callable[[int], None]) -> None:
        self._write = write
        self._lose = lose
        self._seen: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()
        self._owed: OrderedDict[tuple[bytes, bytes], tuple[float, int]] = OrderedDict()
        """What could not be written: when it came last, and its bytes."""
        self._lock = threading.Lock()
        self.spans = 0
        """Written so far."""

    def take(self, spans: list[OtelSpan]) -> list[str]:
        """Write the spans; answers why some were not. Raises _RefusalError when the file cannot be written."""
        reasons: list[str] = []
        fits = True
        for span in spans:
            try:
                line = to_span(span).to_json()
            except (UnreadableError, orjson.JSONEncodeError) as error:
                reasons.append(str(error))
                continue
            key = (span.trace_id, span.span_id)
            with self._lock:
                if key in self._seen:
                    continue
                self._owed.pop(key, None)
                self._give_up(_REMEMBERED, time.monotonic() - _COMES_AGAIN_S)
                fits = fits and self._write(line)
                if not fits:
                    self._owed[key] = time.monotonic(), len(line)
                    continue
                self._seen[key] = None
                self.spans += 1
                if len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
        if not fits:
            raise _RefusalError(503, "the span file cannot be written")
        return reasons

    def close(self) -> None:
        """Nothing comes any more."""
        with self._lock:
            self._give_up(0, 0.0)

    def _give_up(self, keep: int, before: float) -> None:
        """Call lost what is owed beyond the newest ``keep``, and what came last ``before``."""
        while self._owed and (len(self._owed) > keep or next(iter(self._owed.values()))[0] < before):
            self._lose(self._owed.popitem(last=False)[1][1])


class Collector(ThreadingHTTPServer):
    """Listens once it is made; ``serve_forever`` answers.

    Raises UsageError when the address cannot be listened on, MissingExtraError when protobuf is not installed.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        write: Callable[[bytes], bool],
        lose: Callable[[int], None],
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        try:
            otlp_protobuf.decode(b"")
        except MissingExtraError:
            raise MissingExtraError("`flightlog collect`", "otel") from None
        self.intake = Intake(write, lose)
        self.max_body_bytes = max_body_bytes
        self.is_loopback = _is_loopback(host)
        self._waiting: dict[Any, float] = {}
        """Connections that owe a request, and since when."""
        self._connections = 0
        self._lock = threading.Lock()
        self.reading = threading.BoundedSemaphore(_AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"cannot listen on {host}:{port}: {reason}; --port names another") from None

    @property
    def url(self) -> str:
        """Where spans are to be sent: the value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def close(self) -> None:
        """Stop listening."""
        self.server_close()
        self.intake.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, while there are not too many."""
        with self._lock:
            full = self._connections >= _MAX_CONNECTIONS
            slowest = min(self._waiting, key=self._waiting.__getitem__, default=None) if full else None
            if not full or slowest is not None:
                self._connections += 1
        if full and slowest is None:
            self.shutdown_request(request)
            return
        if slowest is not None:
            self._hang_up(slowest)
        self.owes(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.sent(request)
            with self._lock:
                self._connections -= 1

    def owes(self, request: Any) -> None:
        """From now on a connection is waited for."""
        with self._lock:
            self._waiting[request] = time.monotonic()

    def sent(self, request: Any) -> None:
        """A request has come whole, or its connection is at its end."""
        with self._lock:
            self._waiting.pop(request, None)

    def service_actions(self) -> None:
        """Twice a second: hang up on those that take too long."""
        late = time.monotonic() - _WHOLE_REQUEST_S
        with self._lock:
            slow = [request for request, since in self._waiting.items() if since < late]
        for request in slow:
            self._hang_up(request)

    def _hang_up(self, request: Any) -> None:
        """End a connection; its thread finds that out when it next reads."""
        self.sent(request)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not worth a word."""


class _Handler(BaseHTTPRequestHandler):
    server: Collector
    protocol_version = "HTTP/1.1"
    server_version = "flightlog"
    sys_version = ""
    timeout = _SILENCE_S

    def do_POST(self) -> None:
        """Take one export request."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            self._check_target(kind)
            packed = self._body()
            self.server.sent(self.request)
            reasons: list[str] = []
            decode = otlp_json.decode if kind == JSON else otlp_protobuf.decode
            with self.server.reading:
                reasons += self.server.intake.take(decode(self._unpacked(packed), reasons.append))
        except _RefusalError as refusal:
            self._refuse(refusal.status, str(refusal), kind)
        except UnreadableError as error:
            self._refuse(400, str(error), kind)
        else:
            self._confirm(reasons, kind)
            self.server.owes(self.request)

    def do_GET(self) -> None:
        """Say what this is."""
        self._refuse(405, f"this is flightlog collect: POST OTLP traces to {PATH}", "text/plain")

    do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what clients send does not belong on a terminal."""

    def _check_target(self, kind: str) -> None:
        if self.path.partition("?")[0] != PATH:
            raise _RefusalError(404, f"only traces are collected: POST them to {PATH}")
        if kind not in (PROTOBUF, JSON):
            raise _RefusalError(415, f"the content type must be {PROTOBUF} or {JSON}")
        if self.server.is_loopback and not _is_loopback(_host_of(self.headers.get("host", ""))):
            raise _RefusalError(403, "the request was meant for another host")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return self._chunks()
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise _RefusalError(411, "the request has no length")
        if len(length) > 18 or int(length) > self.server.max_body_bytes:
            raise self._too_large()
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _RefusalError(400, "the request was cut off")
        return body

    def _chunks(self) -> bytes:
        """A body without a length, as streaming clients send it (RFC 9112, section 7.1)."""
        body = bytearray()
        while True:
            head = self.rfile.readline(1024).partition(b";")[0].strip()
            try:
                size = int(head, 16)
            except ValueError:
                raise _RefusalError(400, "broken chunks") from None
            if size < 0 or len(body) + size > self.server.max_body_bytes:
                raise self._too_large()
            if size == 0:
                while self.rfile.readline(1024).strip():
                    pass
                return bytes(body)
            chunk = self.rfile.read(size)
            if len(chunk) < size:
                raise _RefusalError(400, "the request was cut off")
            body += chunk
            self.rfile.readline(1024)

    def _unpacked(self, body: bytes) -> bytes:
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "identity":
            return body
        if encoding != "gzip":
            raise _RefusalError(415, "the content encoding must be gzip or none")
        unpacking = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacking.decompress(body, self.server.max_body_bytes + 1)
        except zlib.error:
            raise _RefusalError(400, "broken gzip") from None
        if len(unpacked) > self.server.max_body_bytes:
            raise self._too_large()
        if not unpacking.eof:
            raise _RefusalError(400, "the gzip was cut off")
        if unpacking.unused_data:
            # A second member, say: taking the first alone would lose spans without a word.
            raise _RefusalError(400, "something follows the gzip")
        return unpacked

    def _too_large(self) -> _RefusalError:
        return _RefusalError(413, f"more than {self.server.max_body_bytes} bytes in one request")

    def _confirm(self, reasons: list[str], kind: str) -> None:
        message = f"{len(reasons)} spans cannot be read: {reasons[0]}" if reasons else ""
        if kind == JSON:
            partial = {"partialSuccess": {"rejectedSpans": str(len(reasons)), "errorMessage": message}}
            self._answer(200, JSON, orjson.dumps(partial if reasons else {}))
            return
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        response = ExportTraceServiceResponse()
        if reasons:
            response.partial_success.rejected_spans = len(reasons)
            response.partial_success.error_message = message
        self._answer(200, PROTOBUF, response.SerializeToString())

    def _refuse(self, status: int, message: str, kind: str) -> None:
        # What is left of the request would be read as the next one.
        self.close_connection = True
        if kind == PROTOBUF:
            from google.rpc.status_pb2 import Status

            self._answer(status, PROTOBUF, Status(message=message).SerializeToString())
        elif kind == JSON:
            self._answer(status, JSON, orjson.dumps({"message": message}))
        else:
            self._answer(status, "text/plain; charset=utf-8", message.encode() + b"\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _host_of(header: str) -> str:
    """The host of a Host header, without its port and brackets; a header of another form as it is."""
    found = _HOST.fullmatch(header.strip())
    return (found[1] or found[2] or "") if found else header.strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
