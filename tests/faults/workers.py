"""What a worker process of ``multiprocessing`` does; importable, so that it can be spawned."""

from flightlog.writing.span_file import SpanFile
from tests.faults.lines import line


def work(path: str, n: int) -> None:
    """Write twenty spans, each with a start, and leave without closing."""
    file = SpanFile(path)
    for seq in range(20):
        file.open_span(seq, line(seq, writer=f"w{n}"))
        if not file.write(line(seq, writer=f"w{n}")):
            raise SystemExit(1)
        file.close_span(seq)
    # Kept alive until the process ends: being collected would close it.
    globals()["file"] = file
