"""The newest traces of a span file before it is loaded: a few thousand lines read straight from its end."""

import os
from collections.abc import Iterable
from pathlib import Path

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_viewer.analysis.trace_row import TraceRow

EXCERPT_BYTES = 2_000_000
EXCERPT_LINES = 2000


def excerpt(paths: Iterable[Path]) -> list[TraceRow]:
    """The traces whose root stands in the last lines of these files, newest first. What cannot be read is left out."""
    spans: list[Span] = []
    for path in sorted(paths, key=_modified, reverse=True):
        if len(spans) >= EXCERPT_LINES:
            break
        spans.extend(_tail(path, EXCERPT_LINES - len(spans)))
    return _traces(spans)


def _tail(path: Path, most: int) -> list[Span]:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - EXCERPT_BYTES))
            data = file.read(EXCERPT_BYTES)
    except OSError:
        return []
    lines = data.split(b"\n")
    if size > EXCERPT_BYTES:
        del lines[0]
    spans = []
    for line in lines[-most - 1 :]:
        if line:
            try:
                spans.append(Span.from_json(line))
            except (UnreadableError, OverflowError):
                continue
    return spans


def _traces(spans: list[Span]) -> list[TraceRow]:
    members: dict[str, list[Span]] = {}
    for span in spans:
        members.setdefault(span.trace_id, []).append(span)
    found = []
    for trace_id, inside in members.items():
        root = next((span for span in inside if span.parent_run_id is None), None)
        if root is None:
            continue
        tokens = [n for s in inside if s.type == "llm" and s.token_usage and (n := s.token_usage.get("total_tokens"))]
        found.append(
            TraceRow(
                trace_id,
                root.name,
                root.status or "running",
                root.start_ns // 1000,
                root.duration_ms,
                len(inside),
                sum(span.status == "error" for span in inside),
                sum(tokens) if tokens and all(isinstance(n, int) for n in tokens) else None,
                None,
                next((span.thread_id for span in inside if span.thread_id), None),
                root.service,
            )
        )
    return sorted(found, key=lambda row: row.start_us, reverse=True)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
