"""What DuckDB reads at once: a file as it is, or the new ends of several, and many small files, joined in a copy."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightlog_viewer.safe_text import is_text
from flightlog_viewer.store.files.source_file import SourceFile
from flightlog_viewer.store.loading.lines import Lines, find_lines

JOINED_BYTES: Final = 32 << 20
"""What is smaller is joined with its neighbours up to about this: each read costs DuckDB some milliseconds."""
_BLOCK: Final = 1 << 20


class Piece(NamedTuple):
    """A part of a file."""

    source: SourceFile
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes in a file that DuckDB can open, and the pieces of span files they are."""

    path: Path
    pieces: tuple[Piece, ...]
    bases: NDArray[np.int64]
    """Where each piece begins in those bytes."""
    cut_ends: NDArray[np.int64]
    """Where last lines of pieces end that have no newline of their own; known of a copy only."""
    in_place: bool
    """Whether it is the file itself, which may grow meanwhile."""

    @property
    def size(self) -> int:
        """Bytes in all, but for newlines that a copy has in addition."""
        return sum(piece.stop - piece.start for piece in self.pieces)

    @contextmanager
    def reading(self) -> Iterator[int]:
        """A descriptor to read the bytes by. Raises OSError."""
        if self.in_place:
            with self.pieces[0].source.reading() as descriptor:
                yield descriptor
            return
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def lines(self, descriptor: int) -> Lines:
        """Its lines, at their places in the bytes read."""
        return find_lines(descriptor, 0, self.pieces[0].stop if self.in_place else None)

    def places(self, starts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """File ids and byte offsets of what begins at ``starts`` in the bytes read."""
        which = np.searchsorted(self.bases, starts, "right") - 1
        file_ids = np.asarray([piece.source.file_id for piece in self.pieces], np.int32)
        firsts = np.asarray([piece.start for piece in self.pieces], np.int64)
        return file_ids[which], starts - self.bases[which] + firsts[which]

    def place(self, start: int) -> tuple[Piece, int]:
        """The piece of one line and its byte offset in the file."""
        which = int(np.searchsorted(self.bases, start, "right")) - 1
        return self.pieces[which], start - int(self.bases[which]) + self.pieces[which].start

    def unfinished(self, lines: Lines) -> NDArray[np.int64]:
        """Indices of the lines that may still be being written."""
        if self.in_place:
            return np.asarray([len(lines) - 1] if lines.unfinished and len(lines) else [], np.int64)
        return np.flatnonzero(np.isin(lines.starts + lines.sizes, self.cut_ends))


def first_part(pieces: Iterable[Piece], most: int) -> list[Piece]:
    """The first pieces, about ``most`` bytes together: the last of them up to the end of a line, one line at least."""
    part: list[Piece] = []
    for piece in pieces:
        if piece.stop - piece.start > most and (stop := _last_line_end(piece, piece.start + most)):
            return [*part, piece._replace(stop=stop)]
        part.append(piece)
        most -= piece.stop - piece.start
        if most <= 0:
            break
    return part


def _last_line_end(piece: Piece, stop: int) -> int:
    """Where the last whole line before ``stop`` ends; 0 when none does, or nothing can be read."""
    with suppress(OSError), piece.source.reading() as descriptor:
        while stop > piece.start:
            start = max(piece.start, stop - _BLOCK)
            newline = os.pread(descriptor, stop - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            stop = start
    return 0


def stretches(pieces: Iterable[Piece], new_file: Callable[[], Path]) -> Iterator[Stretch]:
    """Every piece in turn, several at once where they are small. Copies are deleted when the next one is asked for."""
    group: list[Piece] = []
    joined = 0
    for piece in pieces:
        size = piece.stop - piece.start
        if group and joined + size > JOINED_BYTES:
            yield from _stretch(group, new_file)
            group, joined = [], 0
        group.append(piece)
        joined += size
    if group:
        yield from _stretch(group, new_file)


def _stretch(group: list[Piece], new_file: Callable[[], Path]) -> Iterator[Stretch]:
    first = group[0]
    if len(group) == 1 and first.start == 0 and 2 * first.stop > first.source.size() and _can_be_opened(first.source):
        none = np.empty(0, np.int64)
        yield Stretch(first.source.read_path, (first,), np.zeros(1, np.int64), none, in_place=True)
        return
    path = new_file()
    bases = np.zeros(len(group), np.int64)
    cut_ends: list[int] = []
    read: list[Piece] = []
    try:
        with path.open("xb") as file:
            for index, piece in enumerate(group):
                bases[index] = file.tell()
                last = _copy(piece, file.write)
                # The rest of one that fails is there to be read the next time.
                read.append(piece._replace(stop=piece.start + file.tell() - int(bases[index])))
                if last not in (b"\n", b""):
                    cut_ends.append(file.tell())
                    file.write(b"\n")
        yield Stretch(path, tuple(read), bases, np.asarray(cut_ends, np.int64), in_place=False)
    finally:
        path.unlink(missing_ok=True)


def _can_be_opened(source: SourceFile) -> bool:
    """Whether DuckDB can open the file by its name; it takes only UTF-8, file systems take any bytes."""
    return is_text(str(source.read_path)) and source.is_at_its_path()


def _copy(piece: Piece, write: Callable[[bytes], object]) -> bytes:
    """Copy a piece as far as it can be read; its last byte."""
    block, at = b"", piece.start
    try:
        with piece.source.reading() as descriptor:
            while at < piece.stop and (read := os.pread(descriptor, min(_BLOCK, piece.stop - at), at)):
                write(read)
                block = read
                at += len(read)
    except OSError:
        # Gone or unreadable since it was opened: its lines are missing, those of the others are not.
        pass
    return block[-1:]
