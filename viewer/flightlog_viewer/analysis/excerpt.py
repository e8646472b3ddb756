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
            data = file.read(min(size, EXCERPT_BYTES))
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
        found.append(
            TraceRow(
                trace_id,
                root.name,
                root.status or "running",
                root.start_ns // 1000,
                root.duration_ms,
                len(inside),
                sum(span.status == "error" for span in inside),
                _tokens(inside),
                None,
                root.thread_id or _earliest_thread(inside),
                root.service,
            )
        )
    return sorted(found, key=lambda row: row.start_us, reverse=True)


def _tokens(inside: list[Span]) -> int | None:
    """As the column ``total_tokens`` of ``traces``, and 0 without a model call."""
    calls = [span for span in inside if span.type == "llm"]
    around = {call.parent_run_id for call in calls}
    spent = [call.token_usage or {} for call in calls if not call.cache_hit and call.run_id not in around]
    known = [count for usage in spent if isinstance(count := usage.get("total_tokens"), int)]
    return sum(known) if known or not calls else None


def _earliest_thread(inside: list[Span]) -> str | None:
    known = [span for span in inside if span.thread_id]
    return min(known, key=lambda span: (span.start_ns, span.seq or 0)).thread_id if known else None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
