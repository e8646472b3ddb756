"""Data that tries to drive the terminal, break the layout, or kill the viewer."""

from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Interrupt

from flightlog.span import Span
from tests.viewer.tui.recordings import span, write
from tests.viewer.tui.threads import Writer

MARK = "aGFja2Vk"
"""Stands in every sequence that must not come out."""
EVIL = (
    f"\x1b]52;c;{MARK}\x07\x1b]8;;https://{MARK}.invalid\x1b\\link\x1b]8;;\x1b\\\x1b]0;{MARK}\x07"
    f"\x1b[2J\x1b[31;1m\x1bP{MARK}\x1b\\\x9b31m\x9d52;c;{MARK}\x9c\x85\x00\x08\x7f"
    "\u202eevil\u2066\u200bzero\u200dwidth\ufeff\u2028"
    "[@click=app.quit]click[/] [/ [bold] \\[ {x} 宽宽 e\u0301 👩‍👩‍👧 \U000e0041"
)


def hostile_spans(depth: int = 10_000) -> list[Span]:
    """Traces whose every text field is evil; one is ``depth`` deep; one has a line of 5 MB and a base64 bomb."""
    fields: dict[str, Any] = {
        "thread_id": f"thread{EVIL}", "node": f"node{EVIL}", "tags": [EVIL], "service": EVIL, "checkpoint_ns": EVIL,
    }  # fmt: skip
    payload: Any = {
        "messages": [{"type": "human", "content": EVIL}, {"type": EVIL, "content": [EVIL, {"text": EVIL}]}],
        EVIL: EVIL,
    }
    answer: Any = {"type": "ai", "content": EVIL, "tool_calls": [{"id": EVIL, "name": EVIL, "args": {EVIL: EVIL}}]}
    error: Any = {"type": EVIL, "message": EVIL, "stacktrace": f"{EVIL}\n{EVIL}"}
    usage: Any = {"input_tokens": 10**15, "output_tokens": 1, "total_tokens": 10**15 + 1}
    spans = [
        span(EVIL, "e1", trace="e1", at_ms=90_000, took_ms=5, status="error", error=error, kind="graph", inputs=payload,
             output=EVIL, **fields),
        span(EVIL, "e2", parent="e1", trace="e1", at_ms=90_001, took_ms=3, type="llm", model=EVIL, provider=EVIL,
             token_usage=usage, inputs=payload, output=answer, **fields),
        span(EVIL, "e3", parent="e1", trace="e1", at_ms=90_002, took_ms=1, type="tool", tool_call_id=EVIL, inputs=EVIL,
             output=payload, interrupts=[{"id": EVIL, "value": payload}], status="interrupted", **fields),
        span("e4", "e4", parent="gone", trace="e1", at_ms=90_002, took_ms=1, metadata={EVIL: EVIL}, **fields),
        span("loop", "e5", parent="e6", trace="e1", at_ms=90_003, took_ms=1),
        span("loop", "e6", parent="e5", trace="e1", at_ms=90_003, took_ms=1),
        span("large", "l1", trace="l1", at_ms=80_000, took_ms=1e12, inputs="x" * 5_000_000 + EVIL,
             output={"image": "data:image/png;base64," + "iVBORw0KGgo7" * 200_000}),
    ]  # fmt: skip
    spans += [
        span("d", f"d{i}", parent=f"d{i - 1}" if i else None, trace="d0", at_ms=70_000 + i / 1000, took_ms=1)
        for i in range(depth)
    ]
    return spans


def hostile_file(path: Path, depth: int = 10_000) -> Path:
    """The spans, and lines that are none."""
    write(path, hostile_spans(depth))
    with path.open("ab") as file:
        file.write(b"\x1b]52;c;x\x07\n{\n" + b"[" * 5000 + b"\n\xff\xfe\n")
    return path


def hostile_database(path: Path) -> Path:
    """A thread whose id, channels, values and question are evil."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        saver.setup()
        writer = Writer(saver)
        thread = f"thread{EVIL.replace(chr(0), '')}"
        first = writer.put(thread, -1, {EVIL: EVIL}, parent=None, due="a", source="input")
        second = writer.put(thread, 0, {EVIL: [EVIL, {EVIL: EVIL}], "n": "宽" * 500}, parent=first, due=EVIL)
        question = {"action": EVIL, "args": {EVIL: EVIL}, "allowed": [EVIL, "accept"], "notes": EVIL}
        writer.write(thread, second, "t1", [("__interrupt__", (Interrupt(value=question, id=EVIL.replace("\0", "")),))])
    return path
