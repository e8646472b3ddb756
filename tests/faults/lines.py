"""Span lines that carry a number of their own, and what a span file holds of them."""

from collections import defaultdict
from pathlib import Path

from flightlog import read_spans
from flightlog.span import Span
from flightlog.writing.span_file import LOSS_NAME


def line(seq: int, *, writer: str = "w", size: int = 0) -> bytes:
    """One span line, about ``size`` bytes over the smallest."""
    return Span(
        type="tool",
        name="n",
        run_id=f"{writer}-{seq}",
        trace_id="t",
        writer_id=writer,
        seq=seq,
        start_ns=1_763_600_000_000_000_000 + seq,
        duration_ms=1.0,
        status="ok",
        inputs="x" * size if size else None,
    ).to_json()


def numbers(path: Path, writer: str = "w") -> list[int]:
    """The numbers of one writer's lines, in the order of the files."""
    return [span.seq for span in read_spans(path) if span.writer_id == writer and span.seq is not None]


def numbers_by_writer(path: Path) -> dict[str, list[int]]:
    """The numbers of every writer's lines, in the order of the files."""
    found: dict[str, list[int]] = defaultdict(list)
    for span in read_spans(path):
        if span.seq is not None:
            found[span.writer_id or ""].append(span.seq)
    return found


def losses(path: Path) -> int:
    """How many spans the loss records of a file speak of."""
    return sum(span.metadata["lost"] for span in read_spans(path) if span.name == LOSS_NAME)


def broken(path: Path) -> list[bytes]:
    """The lines that are not spans."""
    return [one for one in path.read_bytes().split(b"\n") if one and not _is_span(one)]


def _is_span(text: bytes) -> bool:
    try:
        Span.from_json(text)
    except Exception:
        return False
    return True
