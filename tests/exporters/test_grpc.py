from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from flightlog.errors import UsageError
from flightlog_exporters import otlp_protobuf
from flightlog_exporters.delivery.answer import Verdict
from flightlog_exporters.delivery.open_sender import open_sender
from flightlog_exporters.delivery.settings import resolve
from flightlog_exporters.otel_span import OtelSpan

REQUEST = otlp_protobuf.encode([OtelSpan("n", b"t" * 16, b"s" * 8, b"", 1, 1, 2)])


class Service(TraceServiceServicer):
    """Answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.rejected = 0
        self.failure: tuple[grpc.StatusCode, bytes] | None = None

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        """Take a request."""
        self.metadata.append(dict(context.invocation_metadata()))
        if self.failure is not None:
            code, details = self.failure
            if details:
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(code, "not now")
        self.requests.append(request)
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected
        return response


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    """A real gRPC server on a free port of 127.0.0.1, and its address."""
    servicer = Service()
    server = grpc.server(ThreadPoolExecutor(1))
    add_TraceServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def test_spans_and_headers_arrive(service: tuple[Service, str]) -> None:
    """One request is delivered with its metadata, packed when the environment asks for it."""
    servicer, url = service
    settings = resolve(url, "grpc", ["x-key=1"], {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    sender = open_sender(settings)
    assert sender.send(REQUEST).verdict is Verdict.DELIVERED
    sender.close()
    assert servicer.requests[0].resource_spans[0].scope_spans[0].spans[0].name == "n"
    assert servicer.metadata[0]["x-key"] == "1"


def test_answers_are_judged(service: tuple[Service, str]) -> None:
    """A partial success is no success, a busy server is retried after what it asks for, a refusal is final."""
    servicer, url = service
    sender = open_sender(resolve(url, "grpc", environment={}))
    servicer.rejected = 2
    answer = sender.send(REQUEST)
    assert (answer.verdict, "rejected 2 spans" in answer.reason) == (Verdict.REFUSED, True)
    wait = AnyMessage()
    wait.Pack(RetryInfo(retry_delay=Duration(seconds=7)))
    servicer.failure = (grpc.StatusCode.UNAVAILABLE, Status(code=14, details=[wait]).SerializeToString())
    answer = sender.send(REQUEST)
    assert (answer.verdict, answer.retry_after_s) == (Verdict.RETRY, 7)
    servicer.failure = (grpc.StatusCode.UNAUTHENTICATED, b"")
    answer = sender.send(REQUEST)
    assert (answer.verdict, answer.reason) == (Verdict.REFUSED, "the server answered UNAUTHENTICATED: not now")
    sender.close()


def test_nobody_there_is_tried_again() -> None:
    """A refused connection is a reason to wait, not to give up."""
    sender = open_sender(resolve("http://127.0.0.1:9", "grpc", environment={}))
    assert sender.send(REQUEST).verdict is Verdict.RETRY
    sender.close()


def test_addresses_without_a_scheme_are_tls() -> None:
    """gRPC is secure by default, as the OpenTelemetry specification says, unless the environment says otherwise."""
    assert resolve("collector:4317", "grpc", environment={}).secure
    assert not resolve("collector:4317", "grpc", environment={"OTEL_EXPORTER_OTLP_INSECURE": "true"}).secure
    assert not resolve("http://collector:4317", "grpc", environment={}).secure
    with pytest.raises(UsageError, match="certificate"):
        open_sender(resolve("h:1", "grpc", environment={"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file"}))


def test_addresses_come_from_the_environment() -> None:
    """The variable for traces goes before the general one and is taken as it is."""
    general = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1/otel/"}
    assert resolve(environment=general).endpoint == "http://a:1/otel/v1/traces"
    traces = {**general, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://b/ingest"}
    assert resolve(environment=traces).endpoint == "https://b/ingest"
    assert resolve("http://c", environment=traces).endpoint == "http://c/v1/traces"
    assert resolve(environment={}).endpoint == "http://localhost:4318/v1/traces"
    with pytest.raises(UsageError, match="seconds above 0"):
        resolve(environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "-1"})
    with pytest.raises(UsageError, match="printable ASCII"):
        resolve(environment={"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0ac: d"})


def test_a_header_written_with_a_colon() -> None:
    """It is refused, although base64 has brought an equals sign; what may be secret is not repeated."""
    with pytest.raises(UsageError, match=r"NAME=VALUE in printable ASCII, not 'authorization'$"):
        resolve(headers=["Authorization: Basic c2VjcmV0OnNlY3JldA=="], environment={})
