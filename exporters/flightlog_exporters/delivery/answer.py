"""What a server's answer to an export request means: our own judgement, because 200 is not enough.

A wrong URL often answers 200 with an HTML page, or a redirect; a server that took only some of the spans answers 200
with a partial success. OpenTelemetry's exporter counts all three as delivered.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Verdict(Enum):
    """What to do next."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """The server is busy, slow or away."""
    TOO_LARGE = "too large"
    """Send less at once."""
    REFUSED = "refused"
    """Sending it again will not help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    verdict: Verdict
    reason: str = ""
    """For people; empty when delivered."""
    retry_after_s: float | None = None
    """How long the server asked to be left alone, in seconds."""
    warning: str = ""
    """What the server said although it took everything."""


class Sender(Protocol):
    """A way to one server."""

    target: str
    """For people: where the spans go."""

    def send(self, request: bytes) -> Answer:
        """Send one ExportTraceServiceRequest and wait for the answer; raises nothing for what networks do."""

    def close(self) -> None:
        """Give the connection back."""
