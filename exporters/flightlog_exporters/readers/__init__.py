"""Other people's traces -> span records: one module a format, behind one seam.

A format is recognised by what is in the file, never by its name. A new one is a module with the three parts of
``Reader`` and a place in ``READERS``.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from flightlog.span import Span
from flightlog_exporters.line_file import Line, LineFile
from flightlog_exporters.readers import otlp_lines

Reject = Callable[[int, str], None]
"""Told the byte offset of a line that cannot be read, and the reason."""


class Reader(Protocol):
    """How to read one format."""

    NAME: str
    """What messages call the format."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins so is of this format."""

    def read(self, lines: Iterable[Line], reject: Reject) -> Iterator[Span]:
        """The spans of the lines of a file; what cannot be read goes to ``reject`` and never ends the reading."""


READERS: Final[tuple[Reader, ...]] = (otlp_lines,)


def recognise(head: bytes) -> Reader | None:
    """The reader for a file by its first line, or by as much of it as is at hand; None when nobody knows it."""
    return next((reader for reader in READERS if reader.recognises(head)), None)


def first_line(file: LineFile) -> bytes:
    """The first line that is not blank, as far as it is there; empty when it is too long, or there is none."""
    return next((line.data for line in file.lines() if not line.data.isspace()), b"")


def reader_of(file: LineFile) -> Reader | None:
    """The reader for a file, blank lines at its head or not; None for a span file, and for what nobody knows."""
    return recognise(first_line(file))
