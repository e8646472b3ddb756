"""The sender for some settings; the packages it needs are imported here and nowhere earlier."""

from flightlog.errors import MissingExtraError
from flightlog_exporters.delivery.answer import Sender
from flightlog_exporters.delivery.settings import Settings


def open_sender(settings: Settings) -> Sender:
    """A sender for HTTP or gRPC. Raises MissingExtraError when its packages are not installed."""
    try:
        if settings.protocol == "grpc":
            from flightlog_exporters.delivery.grpc import GrpcSender

            return GrpcSender(settings)
        from flightlog_exporters.delivery.http import HttpSender

        return HttpSender(settings)
    except ImportError:
        raise MissingExtraError("sending spans over OTLP", "otel") from None
