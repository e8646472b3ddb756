"""Spans out to OpenTelemetry, Parquet and Perfetto, and other people's traces in."""

from typing import TYPE_CHECKING, Any

from flightlog.errors import MissingExtraError

if TYPE_CHECKING:
    from flightlog_exporters.bridge import OTelBridge

__all__ = ["OTelBridge"]


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


def __getattr__(name: str) -> Any:
    """Import the bridge when it is asked for: nothing else here needs OpenTelemetry."""
    if name != "OTelBridge":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from flightlog_exporters.bridge import OTelBridge
    except ImportError:
        raise MissingExtraError("OTelBridge", "otel") from None
    return OTelBridge
