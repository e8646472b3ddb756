"""OTLP over gRPC."""

from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from flightlog_exporters.delivery.answer import Answer, Verdict, bounded_wait, judge_partial
from flightlog_exporters.delivery.settings import Settings

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRIED: Final = frozenset(
    (
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        # The protocol retries this one only with RetryInfo; a server that is out of something recovers without, too.
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
)
_CHANNEL: Final = [("grpc.max_receive_message_length", 1 << 20), ("grpc.max_send_message_length", -1)]


class GrpcSender:
    """Sends to one host over one channel."""

    def __init__(self, settings: Settings) -> None:
        self.target = f"grpc://{settings.endpoint}"
        compression = grpc.Compression.Gzip if settings.gzip else grpc.Compression.NoCompression
        if settings.secure:
            credentials = grpc.ssl_channel_credentials(
                _read(settings.certificate), _read(settings.client_key), _read(settings.client_certificate)
            )
            self._channel = grpc.secure_channel(settings.endpoint, credentials, _CHANNEL, compression)
        else:
            self._channel = grpc.insecure_channel(settings.endpoint, _CHANNEL, compression)
        self._export = self._channel.unary_unary(_METHOD, _same, _same)
        self._timeout_s = settings.timeout_s
        self._metadata = list(settings.headers.items())

    def send(self, request: bytes) -> Answer:
        """Send one request and judge the answer."""
        try:
            body = self._export(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return _judge_failure(error)
        try:
            partial = ExportTraceServiceResponse.FromString(body).partial_success
        except DecodeError:
            return Answer(Verdict.REFUSED, "the server answered with something that is not an OTLP response")
        return judge_partial(partial.rejected_spans, partial.error_message)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _judge_failure(error: Any) -> Answer:
    code, details = error.code(), str(error.details() or "")[:300]
    reason = f"the server answered {code.name}: {details}"
    if code in _RETRIED:
        too_large = code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details
        return Answer(Verdict.TOO_LARGE if too_large else Verdict.RETRY, reason, _retry_delay(error))
    return Answer(Verdict.REFUSED, reason)


def _retry_delay(error: Any) -> float | None:
    """Seconds out of the RetryInfo in the status details, if there is one."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        try:
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return bounded_wait(info.retry_delay.ToMilliseconds() / 1000)
        except DecodeError:
            return None
    return None


def _same(data: bytes) -> bytes:
    return data


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
