"""Span files to send, and one export of them."""

from pathlib import Path

from flightlog.span import Span
from flightlog_exporters.delivery.open_sender import open_sender
from flightlog_exporters.delivery.settings import resolve
from flightlog_exporters.ids import span_id
from flightlog_exporters.ship_state import locked
from flightlog_exporters.shipper import Shipped, Shipper

MS = 1_000_000


def tool_span(number: int, **fields: object) -> Span:
    """One of many."""
    given = {"type": "tool", "name": "t", "run_id": f"run-{number}", "trace_id": "root", "start_ns": number * MS}
    return Span(**{**given, "duration_ms": 1.0, "status": "ok", **fields})  # type: ignore[arg-type]


def write_spans(path: Path, count: int, start: int = 0) -> list[bytes]:
    """Append spans to a file and answer their ids."""
    with path.open("ab") as file:
        for number in range(start, start + count):
            file.write(tool_span(number).to_json() + b"\n")
    return [span_id(f"run-{number}") for number in range(start, start + count)]


def ship(url: str, *files: Path, timeout_s: float = 5.0, **options: object) -> Shipped:
    """One export over HTTP."""
    environment = {"OTEL_EXPORTER_OTLP_TIMEOUT": str(timeout_s)}
    sender = open_sender(resolve(url, environment=environment))
    state = files[0].parent / ".state.json"
    with locked(state) as offsets:
        result = Shipper(sender, offsets, first_wait_s=0.01, **options).ship(files)  # type: ignore[arg-type]
    sender.close()
    return result
