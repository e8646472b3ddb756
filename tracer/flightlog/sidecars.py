"""What was in flight: the sidecars beside a span file, as the spans that started and did not end."""

import os
import stat
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from flightlog.errors import UnreadableError
from flightlog.file_lock import is_locked
from flightlog.reader import Key, read_spans, split_lines
from flightlog.span import Span
from flightlog.system_calls import absolute, names_in

FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a sidecar is opened: no link is followed, and a pipe in its place is not waited for."""


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """A span that has started and not ended; its ``status`` and ``duration_ms`` are None."""

    span: Span
    state: Literal["running", "unfinished"]
    """``running`` while the writer lives, ``unfinished`` when it died."""
    sidecar: Path


def sidecars(path: str | os.PathLike[str]) -> list[Path]:
    """The in-flight sidecars beside a span file."""
    return beside(path, ".open")


def beside(path: str | os.PathLike[str], *endings: str) -> list[Path]:
    """``PATH.*ENDING``. Without glob, which compiles a regular expression for each path."""
    folder, name = os.path.split(absolute(os.fspath(path)))
    start, least = f"{name}.", len(name) + min(map(len, endings)) + 1
    try:
        names = names_in(folder)
    except OSError:
        return []
    return sorted(Path(folder, n) for n in names if n.endswith(endings) and n.startswith(start) and len(n) >= least)


def read_open_spans(path: str | os.PathLike[str], finished: Container[Key] | None = None) -> list[OpenSpan]:
    """What the sidecars beside a span file say is in flight and the span file does not have, by start time.

    ``finished``: the keys that the span file has, read after the sidecars, so that a span which ends in between is
    found in one of them; None: look through the span file and its rotated files. Never raises for what it finds.
    """
    path = os.path.expanduser(path)
    found = [one for sidecar in sidecars(path) for one in read_sidecar(sidecar)]
    if finished is None:
        finished = _keys(path) if found else ()
    found = [one for one in found if (one.span.writer_id, one.span.seq) not in finished]
    return sorted(found, key=lambda one: one.span.start_ns)


def _keys(path: str | os.PathLike[str]) -> set[Key]:
    try:
        return {(span.writer_id, span.seq) for span in read_spans(path)}
    except UnreadableError:
        return set()


def read_sidecar(sidecar: Path, reject: Callable[[str], None] = lambda reason: None) -> list[OpenSpan]:
    """What one sidecar holds, ended or not; why something of it cannot be read goes to ``reject``."""
    try:
        fd = os.open(sidecar, FLAGS)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):  # its process has ended
            reject(error.strerror or str(error))
        return []
    spans: dict[int, Span] = {}
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        reject("it is not a regular file")
        return []
    with open(fd, "rb") as file:
        alive = is_locked(fd)
        for line in split_lines(file):
            start, nul, _ = line.partition(b"\0")
            if start and not start.startswith(b"#"):
                try:
                    span = open_span_from(orjson.loads(start))
                    spans[span.seq or 0] = span
                except (orjson.JSONDecodeError, UnreadableError):
                    if not alive:  # whoever lives may be writing it
                        reject("a start in it cannot be read")
            if nul:
                break  # what is behind it was in flight once
    return [OpenSpan(span, "running" if alive else "unfinished", sidecar) for span in spans.values()]


def open_span_from(record: Any) -> Span:
    """Read the JSON object of a start. Raises UnreadableError."""
    if not isinstance(record, dict):
        raise UnreadableError("not a JSON object")
    span = Span.from_record({**record, "status": "ok", "duration_ms": 0})
    span.status = span.duration_ms = None
    return span
