"""Which span files an export takes, and the sentence about what it left out."""

from pathlib import Path
from typing import Final

from flightlog_viewer.analysis.units import plural
from flightlog_viewer.cli.opening import say_left_out

_LOOKED_AT: Final = 1 << 20
"""Bytes of the first line of a file that is none of spans."""


class Listing:
    """The files that are meant, listed anew at each call; while one is being rotated, those of before with their
    rotated parts.
    """

    def __init__(self, paths: list[str], files: list[Path]) -> None:
        self._paths = paths
        self._files = files

    def __call__(self) -> list[Path]:
        from flightlog.errors import UnreadableError
        from flightlog.rotation import rotated_files

        try:
            self._files = span_files(self._paths, waits=True)
        except UnreadableError:
            self._files = list(dict.fromkeys(part for file in self._files for part in (*rotated_files(file), file)))
        return self._files


def span_files(paths: list[str] | None, *, waits: bool = False) -> list[Path]:
    """The files that are meant: each has spans or nothing yet, and one has spans unless the command ``waits``.

    Raises UnreadableError for any other.
    """
    from flightlog.errors import UnreadableError
    from flightlog_exporters.line_file import size_of
    from flightlog_viewer.store.files.sources import is_left_in_flight, looks_like_spans, resolve

    files = resolve(paths or ())
    for file in files:
        if not looks_like_spans(file) and size_of(file):
            raise UnreadableError(f"{file} is not a span file: none of its first lines is a span{_reason(file)}")
    if not waits and not any(map(size_of, files)):
        names = ", ".join(str(file) for file in files)
        raise UnreadableError(f"{names} is empty: no span has been recorded yet")
    if not waits:
        say_left_out(paths or list(map(str, files[-1:])))
        files = [file for file in files if not is_left_in_flight(file)]  # nothing there has ended
    return files


def _reason(file: Path) -> str:
    """Why the first line is none."""
    from flightlog_viewer.store.loading.sieve import look

    with file.open("rb") as stream:
        reason = look(stream.readline(_LOOKED_AT)).reason
    return f" (the first: {reason})" if reason else ""


def left_out(rejected: int) -> str:
    """What is added to the sentence of an export that passed lines over."""
    return f", {plural(rejected, 'line')} could not be read" if rejected else ""
