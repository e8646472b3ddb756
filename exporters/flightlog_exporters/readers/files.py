"""Foreign files -> span files: ``flightlog import``."""

import contextlib
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters.line_file import LineFile
from flightlog_exporters.new_file import new_file
from flightlog_exporters.readers import READERS, Reject, first_line, otlp_document, reader_of

_KEPT_REJECTS: Final = 100


class Rejected(NamedTuple):
    """A line, or a span of it, that could not be read."""

    file: str
    offset: int
    """Byte offset of the line in the unpacked file."""
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of the files."""

    spans: int = 0
    rejected: int = 0
    rejects: list[Rejected] = field(default_factory=list)
    """The first hundred of them."""


def read_file(path: str | os.PathLike[str], reject: Reject) -> Iterator[Span]:
    """The spans of a file of any known format, compressed or not.

    Raises UnreadableError when the file cannot be read or nobody knows its format.
    """
    with LineFile(path) as file:
        head = first_line(file)
        if not head and not any(not line.data.isspace() for line in file.lines()):
            raise UnreadableError(f"{file.name} is empty")
        reader = reader_of(file)
        if reader is None and otlp_document.recognises(head):
            # Only here: elsewhere a file may be a span file whose first line is torn.
            reader = otlp_document
        if reader is None:
            raise UnreadableError(f"{file.name} {_unknown(head)}")
        yield from reader.read(file.lines(), reject)


def may_be_document(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like OTLP that is one JSON document, which nothing but an import reads."""
    with LineFile(path) as file:
        return reader_of(file) is None and otlp_document.recognises(first_line(file))


def _unknown(line: bytes) -> str:
    """What is to be said of a file that begins with such a line."""
    if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "is UTF-16 text: convert it to UTF-8"
    with contextlib.suppress(UnreadableError):
        Span.from_json(line)
        return "is a span file already: there is nothing to import"
    return f"is of no format that can be imported ({', '.join(reader.NAME for reader in (*READERS, otlp_document))})"


def import_files(paths: Iterable[str | os.PathLike[str]], out: BinaryIO) -> Imported:
    """Write the spans of the files as span records, a line each. Raises UnreadableError."""
    result = Imported()
    for path in paths:

        def reject(offset: int, reason: str, name: str = os.fspath(path)) -> None:
            result.rejected += 1
            if len(result.rejects) < _KEPT_REJECTS:
                result.rejects.append(Rejected(name, offset, reason))

        for span in read_file(path, reject):
            out.write(span.to_json() + b"\n")
            result.spans += 1
    return result


def import_to(paths: Iterable[str | os.PathLike[str]], target: Path, *, overwrite: bool = False) -> Imported:
    """The same into a new file, which is there whole or not at all.

    Raises UnreadableError, and UsageError when the target is there already or cannot be written.
    """
    with new_file(target, overwrite=overwrite) as out:
        return import_files(paths, out)
