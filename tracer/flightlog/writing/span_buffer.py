"""The finished spans of a tracer without a file: the latest ones, bounded in number and in bytes."""

from collections import deque
from typing import Final

from flightlog.span import Span

MAX_SPANS: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024


class SpanBuffer:
    """Keeps lines, not objects: they are a fraction of the size, and cost nothing until someone looks."""

    def __init__(self) -> None:
        self.dropped = 0
        """Spans that left because the buffer was full."""
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """Keep one finished span, and let the oldest go."""
        lines = self._lines
        lines.append(line)
        self._bytes += len(line)
        while lines and (len(lines) > MAX_SPANS or self._bytes > MAX_BYTES):
            self._bytes -= len(lines.popleft())
            self.dropped += 1

    def spans(self) -> list[Span]:
        """What is kept, in the order in which the spans ended."""
        return [Span.from_json(line) for line in list(self._lines)]
