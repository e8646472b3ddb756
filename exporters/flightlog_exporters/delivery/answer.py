"""What a server's answer to an export request means: our own judgement, because 200 is not enough.

A wrong URL often answers 200 with an HTML page, or a redirect; a server that took only some of the spans answers 200
with a partial success. OpenTelemetry's exporter counts all three as delivered.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

_MAX_SAID: Final = 300
_MAX_WAIT_S: Final = 600.0


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


def judge_partial(rejected: int, said: str) -> Answer:
    """What a partial success means: spans were lost, or it is a mere warning."""
    if rejected:
        return Answer(Verdict.REFUSED, f"the server took the request but rejected {rejected} spans: {said[:_MAX_SAID]}")
    return Answer(Verdict.DELIVERED, warning=said[:_MAX_SAID])


def bounded_wait(seconds: float) -> float:
    """How long a server is left alone that asks for so many seconds: at most ten minutes."""
    return min(max(seconds, 0.0), _MAX_WAIT_S)


class Sender(Protocol):
    """A way to one server."""

    target: str
    """For people: where the spans go."""

    def send(self, request: bytes) -> Answer:
        """Send one ExportTraceServiceRequest and wait for the answer; raises nothing for what networks do."""

    def close(self) -> None:
        """Give the connection back."""
