"""Span files written for a test, through the record itself."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flightlog.span import Span

NOON_NS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1_000_000_000
"""2026-11-20 12:00 UTC."""


class SpanLines:
    """Collects the lines of one writer, numbered in order."""

    def __init__(self, writer_id: str = "w1") -> None:
        self.writer_id = writer_id
        self.lines: list[bytes] = []
        self._trace = ""

    def add(
        self, run_id: str, parent: str | None, start_ms: float, duration_ms: float = 1.0, **fields: Any
    ) -> "SpanLines":
        """One span, ``start_ms`` after noon; ``trace_id`` defaults to that of the line before, or to the root."""
        trace_id = fields.pop("trace_id", None) or (self._trace if parent is not None else run_id)
        self._trace = trace_id
        start_ns = NOON_NS + round(start_ms * 1e6)
        span = Span(
            **({"type": "chain", "name": run_id, "status": "ok"} | fields),
            run_id=run_id,
            parent_run_id=parent,
            trace_id=trace_id,
            start_ns=start_ns,
            duration_ms=duration_ms,
            writer_id=self.writer_id,
            seq=len(self.lines) + 1,
        )
        self.lines.append(span.to_json())
        return self

    def write(self, path: Path, extra: Iterable[bytes] = ()) -> Path:
        """The file, with lines that are not spans at its end."""
        path.write_bytes(b"".join(line + b"\n" for line in (*self.lines, *extra)))
        return path


def usage(given: int, answered: int) -> dict[str, int]:
    """A token usage."""
    return {"input_tokens": given, "output_tokens": answered, "total_tokens": given + answered}


def story() -> SpanLines:
    """Two runs: one with a retried tool node, one that waits for a human and whose model reports no usage."""
    node = {"kind": "node", "thread_id": "t-19"}
    lost = {"type": "ValueError", "message": "=cmd()\x1b[2J"}
    return (
        SpanLines()
        .add("aroot", None, 0, 8400, name="support", kind="graph", thread_id="t-19", service="desk")
        .add("n1", "aroot", 10, 2200, name="agent", node="agent", step=1, task_id="k1", **node)
        .add(
            "l1", "n1", 20, 2100, type="llm", name="ChatOpenAI", model="gpt-4o-mini", provider="openai", node="agent",
            token_usage=usage(100, 20), inputs={"messages": [{"type": "human", "content": "hi\x1b[2J"}]}, output="yes",
        )
        .add("n2", "aroot", 2300, 30, name="tools", node="tools", step=2, task_id="k2", attempt=1, status="error",
             error=lost, **node)
        .add("o1", "n2", 2301, 28, type="tool", name="search", node="tools", status="error", error=lost)
        .add("n3", "aroot", 2400, 40, name="tools", node="tools", step=2, task_id="k2", attempt=2, **node)
        .add("o2", "n3", 2402, 38, type="tool", name="search", node="tools")
        .add("broot", None, 60_000, 500, name="support", kind="graph", thread_id="t-20", service="desk")
        .add("n4", "broot", 60_010, 20, name="approve", kind="node", node="approve", thread_id="t-20", task_id="k3",
             status="interrupted", interrupts=[{"id": "i1", "value": "refund?"}])
        .add("l2", "n4", 60_011, 5, type="llm", name="ChatX", model="nobody-knows", node="approve")
    )  # fmt: skip
