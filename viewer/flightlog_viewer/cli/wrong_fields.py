"""Which optional fields of which lines have unusable values: a careful look at the lines themselves."""

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from flightlog_viewer.cli.progress import Progress
from flightlog_viewer.store.sieve import look
from flightlog_viewer.store.sources import compression

EXAMPLES = 3


def wrong_fields(paths: Sequence[Path], progress: Progress) -> tuple[Counter[str], list[str]]:
    """How often each optional field is unusable, and where the first are.

    Reads every line: the store turns such values into NULL as it loads, without a trace.
    """
    counts: Counter[str] = Counter()
    examples: list[str] = []
    total = sum(path.stat().st_size for path in paths)
    done = 0
    for path in paths:
        offset = 0
        with _open(path) as file:
            for number, line in enumerate(file):
                for name in look(line.rstrip(b"\n")).dropped:
                    counts[name] += 1
                    if len(examples) < EXAMPLES:
                        examples.append(f"{path} at byte {offset:,}: {name}")
                offset += len(line)
                if number % 10_000 == 0:
                    progress(done + offset, total, number)
        done += path.stat().st_size
    return counts, examples


def _open(path: Path) -> BinaryIO:
    kind = compression(path)
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if kind == "zstd":
        import zstandard

        return cast(BinaryIO, zstandard.open(path, "rb"))
    return path.open("rb")
