"""Where the agent's emails go: a table in which each call has one place, so that none is sent twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    thread_id TEXT NOT NULL,
    tool_call_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (thread_id, tool_call_id)
)
"""


class Outbox:
    """The emails of one database; safe for many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._open()) as connection:
            connection.execute(_SCHEMA)

    def send(self, thread_id: str, tool_call_id: str, recipient: str, subject: str) -> None:
        """Send, unless this call has sent already."""
        with closing(self._open()) as connection:
            connection.execute(
                "INSERT INTO outbox (thread_id, tool_call_id, recipient, subject) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET attempts = attempts + 1",
                (thread_id, tool_call_id, recipient, subject),
            )

    def sent(self) -> list[tuple[str, str, str, int]]:
        """Thread, recipient and subject of every email, and how often its call was run (more than once: a fault)."""
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT thread_id, recipient, subject, attempts FROM outbox ORDER BY rowid")
            return [(str(a), str(b), str(c), int(d)) for a, b, c, d in rows.fetchall()]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30, isolation_level=None)
