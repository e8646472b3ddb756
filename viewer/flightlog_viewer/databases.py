"""Which of the things that a user names are checkpoint databases, whatever they are called."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from flightlog.errors import UnreadableError
from flightlog_viewer.file_head import head_of

SQLITE: Final = b"SQLite format 3\0"
"""How every SQLite file begins."""


def is_url(path: str) -> bool:
    """Whether a path is none, but an address."""
    return "://" in path and not os.path.lexists(path)


def is_database(path: str) -> bool:
    """Whether a path means a checkpoint database and no span file: a URL, or what SQLite has written."""
    if is_url(path):
        return True
    if not os.path.isfile(path):  # a pipe would be waited for, and lose what is read here
        return False
    try:
        return head_of(path, len(SQLITE)) == SQLITE
    except OSError:
        return False


def not_spans(path: str) -> str:
    """The sentence about a database that is given as a span file. A URL may hold a password, so it is not repeated."""
    if is_url(path):
        return "a URL is not a span file: `flightlog view` and `flightlog threads` open those of Postgres databases"
    return f"{path} is not a span file but a database: `flightlog view` and `flightlog threads` open it"


def told_apart(paths: Sequence[str] | None, checkpoints: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Span files and checkpoint databases. Whoever names a database among the files means it: as a span file it would
    be nothing but bad lines.
    """
    databases = [path for path in paths or () if is_database(path)]
    return [path for path in paths or () if path not in databases], [*(checkpoints or ()), *databases]


@contextmanager
def neither_is_told() -> Iterator[None]:
    """Where a database would have been taken as well, what is no span file either is told so.

    Raises UnreadableError, with both in its sentence.
    """
    try:
        yield
    except UnreadableError as error:
        said = str(error).replace(" is not a span file: ", " is neither a checkpoint database nor a span file: ", 1)
        if said.startswith("no span file "):
            said += ": a checkpoint database has to be named itself"
        raise UnreadableError(said) from None
