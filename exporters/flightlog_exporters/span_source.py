"""Spans out of files of any kind we know, in the order of the files: what the exports read."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters.line_file import Line, LineFile, size_of
from flightlog_exporters.readers import reader_of
from flightlog_exporters.repeats import Repeats

Tick = Callable[[int, int, int], None]
"""Told how many bytes are done, how many there are, and how many spans came."""


class SpanSource:
    """The finished spans of span files and of foreign files, each once, with a count of the lines that are none.

    Iterating raises UnreadableError when a file cannot be read.
    """

    def __init__(self, files: Iterable[Path], tick: Tick | None = None) -> None:
        self._files = list(files)
        self._tick = tick
        self.spans = 0
        """How many came so far."""
        self.rejected = 0
        """Lines, and spans of foreign lines, that could not be read."""

    def __iter__(self) -> Iterator[Span]:
        total = sum(map(size_of, self._files))
        done, repeats = 0, Repeats()
        for path in self._files:
            with LineFile(path) as file:
                for span in self._read(file):
                    if repeats.has(span):
                        continue
                    self.spans += 1
                    if self._tick is not None and self.spans % 256 == 0:
                        self._tick(done + file.position(), total, self.spans)
                    yield span
                done += file.stat.st_size

    def _read(self, file: LineFile) -> Iterator[Span]:
        reader = reader_of(file)
        if reader is not None:
            yield from reader.read(file.lines(), self._reject)
            return
        for line in file.lines():
            if (span := self._own(line)) is not None:
                yield span

    def _own(self, line: Line) -> Span | None:
        if line.data.isspace():
            return None
        try:
            return Span.from_json(line.data)
        except UnreadableError:
            self.rejected += 1
            return None

    def _reject(self, offset: int, reason: str) -> None:
        self.rejected += 1
