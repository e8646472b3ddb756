"""Span files for the viewer's tests: small, exact, and one that is as hostile as can be."""

from pathlib import Path
from typing import Any

from flightlog.span import Span, Status

DAY_NS = 1_763_640_000_000_000_000
"""2025-11-20 12:00:00 UTC."""
MS = 1_000_000


def span(
    name: str, run: str, *, parent: str | None = None, trace: str, at_ms: float, took_ms: float, **fields: Any
) -> Span:
    """One span; ``type`` is chain unless given."""
    fields.setdefault("type", "chain")
    status: Status = fields.pop("status", "ok")
    return Span(
        name=name, run_id=run, parent_run_id=parent, trace_id=trace, start_ns=DAY_NS + round(at_ms * MS),
        duration_ms=took_ms, status=status, **fields,
    )  # fmt: skip


def support_trace(number: int, *, failed: bool = False) -> list[Span]:
    """An agent that asks a model, searches four times and refunds."""
    trace, at, thread = f"trace-{number:03d}", number * 10_000.0, f"t-{number % 3}"
    usage: Any = {"input_tokens": 1200, "output_tokens": 80, "total_tokens": 1280}
    ask = {"messages": [{"type": "system", "content": "You help."}, {"type": "human", "content": "Where is my order?"}]}
    call = {"id": "c1", "name": "search", "args": {"q": "order 9"}}
    answer = {"type": "ai", "content": "Let me look.", "tool_calls": [call]}
    common: dict[str, Any] = {"trace": trace, "thread_id": thread}
    status: Status = "error" if failed else "ok"
    error: Any = {"type": "ValueError", "message": "no such order", "stacktrace": "Traceback\n  line 1\n  line 2"}
    broken: dict[str, Any] = {"status": status, "error": error if failed else None}
    spans = [
        span("support", trace, at_ms=at, took_ms=8400, kind="graph", inputs={"messages": ask["messages"]},
             output={"messages": [*ask["messages"], answer]}, **common, **broken),
        span("agent", f"{trace}-a", parent=trace, at_ms=at + 10, took_ms=2200, kind="node", node="agent",
             step=1, **common),
        span("gpt-4o", f"{trace}-l", parent=f"{trace}-a", at_ms=at + 20, took_ms=2100, type="llm", model="gpt-4o",
             provider="openai", token_usage=usage, inputs=ask, output=answer, model_params={"temperature": 0},
             **common),
        span("tools", f"{trace}-t", parent=trace, at_ms=at + 2300, took_ms=3400, kind="node", node="tools",
             step=2, **common),
    ]  # fmt: skip
    spans += [
        span("search", f"{trace}-s{i}", parent=f"{trace}-t", at_ms=at + 2310 + 700 * i, took_ms=650, type="tool",
             tool_call_id=f"c{i + 1}", inputs={"q": f"order {i}"},
             output={"type": "tool", "content": "found it", "tool_call_id": f"c{i + 1}"}, **common)
        for i in range(4)
    ]  # fmt: skip
    spans.append(
        span("refund", f"{trace}-r", parent=f"{trace}-t", at_ms=at + 5300, took_ms=200, type="tool",
             inputs={"order": 9, "note": "x" * 300}, **common, **broken)
    )  # fmt: skip
    return spans


def write(path: Path, spans: list[Span]) -> Path:
    """Write a span file, children before their parents as the tracer does."""
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in reversed(spans)))
    return path


def support_file(path: Path, traces: int = 30, failing: tuple[int, ...] = (7, 21)) -> Path:
    """A file of support traces."""
    return write(path, [s for n in range(traces) for s in reversed(support_trace(n, failed=n in failing))][::-1])
