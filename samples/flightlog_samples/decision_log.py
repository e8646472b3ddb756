"""Every answer of a person, written down once before it is applied.

Two requests that answer the same question, from two servers even, must not both resume the graph: the primary key
lets one of them in. And a server that dies after it took an answer and before the graph had it must not lose it: the
answer is here, marked as not applied, and is applied when the server starts again.
"""

import json
import sqlite3
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions (
    thread_id TEXT NOT NULL,
    pause_id TEXT NOT NULL,
    decision TEXT NOT NULL,
    taken_at REAL NOT NULL,
    applied INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (thread_id, pause_id)
)
"""


@dataclass(frozen=True)
class Decision:
    """One answer, and the pause it answers: the id of the checkpoint at which the thread stood."""

    thread_id: str
    pause_id: str
    decision: dict[str, Any]


class DecisionLog:
    """The log, in a table beside the checkpoints; safe for many threads and processes."""

    def __init__(self, connection: sqlite3.Connection, lock: AbstractContextManager[object] | None = None) -> None:
        """`lock` is the one under which others use the connection; the connection stays theirs to close."""
        self._connection = connection
        self._lock = lock or threading.Lock()
        with self._lock, self._connection:
            self._connection.execute(_SCHEMA)

    def take(self, decision: Decision) -> bool:
        """Write the answer down; False when this pause has its answer already."""
        with self._lock, self._connection:
            cursor = self._connection.execute(
                "INSERT INTO decisions (thread_id, pause_id, decision, taken_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (decision.thread_id, decision.pause_id, json.dumps(decision.decision), time.time()),
            )
            return cursor.rowcount == 1

    def applied(self, decision: Decision) -> None:
        """The graph has the answer and ran on."""
        self._change("UPDATE decisions SET applied = 1 WHERE thread_id = ? AND pause_id = ?", decision)

    def release(self, decision: Decision) -> None:
        """The graph could not take the answer and stands where it stood: the question is open again."""
        self._change("DELETE FROM decisions WHERE thread_id = ? AND pause_id = ?", decision)

    def unapplied(self) -> list[Decision]:
        """What a server that died had taken and not applied, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT thread_id, pause_id, decision FROM decisions WHERE applied = 0 ORDER BY taken_at"
            ).fetchall()
        return [Decision(thread, pause, json.loads(text)) for thread, pause, text in rows]

    def _change(self, statement: str, decision: Decision) -> None:
        with self._lock, self._connection:
            self._connection.execute(statement, (decision.thread_id, decision.pause_id))
