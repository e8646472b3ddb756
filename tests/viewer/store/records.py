"""Span lines for the tests of the store."""

from pathlib import Path
from typing import Any

import orjson


def span(run_id: str, parent: str | None = None, trace: str = "r", **fields: Any) -> dict[str, Any]:
    """A valid record; the root of trace ``r`` is the span ``r``."""
    record: dict[str, Any] = {
        "v": 1,
        "type": "chain",
        "name": run_id,
        "run_id": run_id,
        "trace_id": trace,
        "start_time": "2026-11-20T12:01:07.000001Z",
        "duration_ms": 100.0,
        "status": "ok",
    }
    if parent is not None:
        record["parent_run_id"] = parent
    return record | fields


def llm(run_id: str, parent: str | None = None, tokens: tuple[int, int] = (10, 5), **fields: Any) -> dict[str, Any]:
    """A valid record of an LLM call."""
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    return span(run_id, parent, type="llm", **({"name": "gpt-4o", "model": "gpt-4o", "token_usage": usage} | fields))


def write(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """Write records, and lines given as bytes as they are, one a line."""
    path.write_bytes(b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines))
    return path
