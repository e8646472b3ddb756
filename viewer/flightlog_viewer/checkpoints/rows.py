"""Rows of a checkpoint database, as a source hands them over: bytes still closed, nothing interpreted."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

BATCH = 32
"""Checkpoints read in one transaction, at the most."""
BATCH_BYTES = 16 * 1024 * 1024
"""Of large checkpoints fewer are read at once."""
_FIRST_BATCH = 4


class Key(NamedTuple):
    """What names a checkpoint."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str


class Head(NamedTuple):
    """One namespace of one thread: its newest checkpoint, how many it has, and the oldest."""

    key: Key
    checkpoints: int
    oldest_id: str


class WriteRow(NamedTuple):
    """One row of what a task wrote; the type tag tells how `value` is packed."""

    task_id: str
    task_path: str
    idx: int
    channel: str
    type: str | None
    value: bytes | None
    order: int | None = None
    """Grows with every row written or replaced, where the database keeps such a number (SQLite's rowid)."""
    committed_at: str | None = None


class CheckpointRow(NamedTuple):
    """One checkpoint. SQLite keeps all of it in `blob`; Postgres most of it in `document`, large values in `blobs`."""

    key: Key
    parent_checkpoint_id: str | None
    metadata: bytes | str | None
    """JSON text."""
    type: str | None = None
    blob: bytes | None = None
    document: str | None = None
    """JSON text."""
    blobs: Sequence[tuple[str, str, bytes | None]] = ()
    """Channel, type tag, packed value."""
    committed_at: str | None = None
    damage: str | None = None
    """Why the row could not be read, when it could not."""
    writes_damage: str | None = None
    """Why the rows of its tasks could not be read."""
    writes: Sequence[WriteRow] = ()
    """The rows of the tasks that start from this checkpoint, in the order in which LangGraph applies them."""

    @property
    def size(self) -> int:
        """Bytes of the packed state."""
        size = len(self.blob or b"") + len(self.document or "")
        for _, _, blob in self.blobs:
            size += len(blob or b"")
        return size


class Rows(Protocol):
    """A place that rows come from. Every method reads in transactions short enough to hold nobody up."""

    name: str
    """For messages: a path or a URL without its password."""
    problems: list[str]
    """What could not be read and was left out, a sentence each."""

    def heads(self) -> Iterator[Head]:
        """Every namespace of every thread; a thread's namespaces follow one another."""
        ...

    def keys(self, thread_id: str) -> list[Key]:
        """The checkpoints of a thread, oldest first."""
        ...

    def versions(self, thread_id: str | None = None) -> Mapping[str, Hashable]:
        """For each thread, or one, what is another value once a row of it was written, replaced or deleted.

        A thread without rows is missing; so are all where the database cannot tell.
        """
        ...

    def stamp(self) -> Hashable | None:
        """What is another value a moment after any row was written, found out without reading rows.

        None where that has to be seen from the files.
        """
        ...

    def asking_threads(self, among: Collection[str] | None = None) -> list[str]:
        """Threads (of a few, or of all) with rows of questions, answers or updates, in order."""
        ...

    def fetch(self, keys: Sequence[Key]) -> list[CheckpointRow]:
        """The checkpoints with these keys and their writes, in that order; keys that have gone are left out."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def batches(rows: Rows, keys: Sequence[Key]) -> Iterator[list[CheckpointRow]]:
    """The checkpoints with these keys, some at a time: fewer, the larger those before were."""
    start, count = 0, _FIRST_BATCH
    while start < len(keys):
        found = rows.fetch(keys[start : start + count])
        start += count
        size = max(1, sum(row.size for row in found) // max(1, len(found)))
        count = max(1, min(BATCH, BATCH_BYTES // size))
        yield found
