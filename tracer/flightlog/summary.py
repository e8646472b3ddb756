"""Counts and totals of finished spans, by type."""

import contextlib
import threading
from collections import deque
from typing import Any, Final

USAGE_HINT: Final = "usage missing: set stream_usage=True"
"""What to do about streamed LLM calls that reported no token usage."""

_COUNTED: Final = {"error": "errors", "interrupted": "interrupted", "cancelled": "cancelled", "abandoned": "abandoned"}
_TOKENS: Final = ("input_tokens", "output_tokens", "total_tokens")
_TOGETHER: Final = 64
"""Spans that wait to be added up."""


class Summary:
    """Running totals; constant in size.

    Spans are noted one by one and added up a few at a time: taking the lock and looking the totals up costs as much
    for many as for one.
    """

    def __init__(self) -> None:
        self._totals: dict[str, dict[str, Any]] = {}
        self._noted: deque[tuple[str, str, float, dict[str, Any], bool]] = deque()
        # Re-entrant: a signal handler in the middle of a callback may itself call the tracer.
        self._lock = threading.RLock()

    def add(self, type_: str, status: str, duration_ms: float, fields: dict[str, Any], streamed: bool) -> None:
        """Count one finished span; ``fields`` are the ones known at its end."""
        noted = self._noted
        noted.append((type_, status, duration_ms, fields, streamed))
        if len(noted) >= _TOGETHER:
            self._add_up()

    def totals(self) -> dict[str, dict[str, Any]]:
        """``{type: {count, total_ms, errors, ...}}``; llm also has tokens, cache_hits and calls without usage."""
        self._add_up()
        with self._lock:
            return {
                name: {key: round(value, 3) if key == "total_ms" else value for key, value in totals.items()}
                for name, totals in self._totals.items()
            }

    def start_over(self) -> None:
        """In a forked child, whose copy of the lock may be held by a thread that is not there."""
        self._lock = threading.RLock()

    def _add_up(self) -> None:
        with self._lock, contextlib.suppress(IndexError):  # another thread took the last one
            while self._noted:
                type_, status, duration_ms, fields, streamed = self._noted.popleft()
                totals = self._totals.get(type_)
                if totals is None:
                    totals = self._totals[type_] = {"count": 0, "total_ms": 0.0, "errors": 0}
                totals["count"] += 1
                totals["total_ms"] += duration_ms
                if status != "ok" and (name := _COUNTED.get(status)):
                    totals[name] = totals.get(name, 0) + 1
                if type_ == "llm":
                    self._add_usage(totals, status, fields, streamed)

    def _add_usage(self, totals: dict[str, Any], status: str, fields: dict[str, Any], streamed: bool) -> None:
        if fields.get("cache_hit"):
            # The cache answered: nothing was spent.
            totals["cache_hits"] = totals.get("cache_hits", 0) + 1
            return
        usage = fields.get("token_usage")
        if usage is not None:
            for name in _TOKENS:
                if name in usage:
                    totals[name] = totals.get(name, 0) + usage[name]
        elif status == "ok":
            totals["usage_missing"] = totals.get("usage_missing", 0) + 1
            if streamed:
                totals["hint"] = USAGE_HINT
