"""Opens a checkpoint database, whatever kind it is."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Self

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints.history import HistoryReader
from flightlog_viewer.checkpoints.model import ThreadHistory, ThreadSummary
from flightlog_viewer.checkpoints.postgres import PostgresRows
from flightlog_viewer.checkpoints.rows import Rows
from flightlog_viewer.checkpoints.sqlite import SqliteRows
from flightlog_viewer.checkpoints.threads import summaries
from flightlog_viewer.safe_text import is_text

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_POSTGRES = ("postgresql", "postgres")
_SECRET = re.compile(r"\bpassword\s*=", re.IGNORECASE)


def open_source(target: str | Path) -> "CheckpointSource":
    """The checkpoint database at a path or a `postgresql://` URL, read-only.

    Raises UnreadableError, with a sentence that says what is wrong, for anything that is none, and MissingExtraError
    for a URL when psycopg is not installed.
    """
    if isinstance(target, str) and not os.path.lexists(target):
        # What is not a file may hold a password, so no sentence repeats it.
        if url := _URL.fullmatch(target):
            scheme, rest = url.groups()
            # SQLAlchemy's URLs name a driver too: postgresql+psycopg://
            if scheme.lower().partition("+")[0] in _POSTGRES:
                return CheckpointSource(PostgresRows(f"postgresql://{rest}"))
            raise UnreadableError(f"a URL of {scheme}:// cannot be read: give a SQLite file or a postgresql:// URL")
        if _SECRET.search(target):
            raise UnreadableError("key=value pairs cannot be read: give a SQLite file or a postgresql:// URL")
    if not is_text(str(target)):
        raise UnreadableError(f"the name {repr(os.fsencode(target))[1:]} is not UTF-8: rename it, or link to it")
    return CheckpointSource(SqliteRows(Path(target)))


class CheckpointSource:
    """A checkpoint database, open for reading; a context manager. Not for use by two threads at once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    @property
    def name(self) -> str:
        """Where the rows come from, without a password."""
        return self.rows.name

    @property
    def problems(self) -> list[str]:
        """What could not be read so far and was left out, a sentence each."""
        return self.rows.problems

    def threads(self) -> Iterator[ThreadSummary]:
        """Every thread with its status, by thread id."""
        return summaries(self.rows)

    def history(self, thread_id: str, *, checkpoint_ns: str | None = None) -> ThreadHistory:
        """The steps of a thread: all namespaces, or one. A thread that is not there has no steps."""
        return ThreadHistory(thread_id, lambda: iter(HistoryReader(self.rows, thread_id, checkpoint_ns=checkpoint_ns)))

    def has_thread(self, thread_id: str) -> bool:
        """Whether the database has a checkpoint of the thread."""
        return bool(self.rows.keys(thread_id))

    def namespaces(self, thread_id: str) -> list[str]:
        """The namespaces of a thread: '' for the root graph, and those of its subgraphs."""
        return sorted({key.checkpoint_ns for key in self.rows.keys(thread_id)})

    def threads_starting(self, prefix: str) -> list[str]:
        """Ids of threads that begin so; a handful is enough to see that the prefix is not."""
        found = dict.fromkeys(
            head.key.thread_id for head in self.rows.heads() if prefix and head.key.thread_id.startswith(prefix)
        )
        return list(islice(found, 10))

    def threads_with_questions(self, *, anywhere: bool = False) -> list[str]:
        """Ids of threads whose rows hold a question, an answer or an update; all threads when a pause can be one."""
        if anywhere:
            return list(dict.fromkeys(head.key.thread_id for head in self.rows.heads()))
        return self.rows.asking_threads()

    def close(self) -> None:
        """Let go of the database."""
        self.rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
