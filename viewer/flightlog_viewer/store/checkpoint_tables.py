"""The tables of checkpoint databases, empty until one is given."""

from typing import Final

import duckdb

_TEXT, _NUMBER, _REAL, _TIME, _FLAG = "VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP", "BOOLEAN"
_TEXTS, _JSON = "VARCHAR[]", "JSON"

TABLES: Final[dict[str, dict[str, str]]] = {
    "thread_states": {
        **dict.fromkeys(("database", "thread_id", "status"), _TEXT),
        "inferred": _FLAG,
        "checkpoints": _NUMBER,
        "steps": _NUMBER,
        "created_at": _TIME,
        "updated_at": _TIME,
        "source": _TEXT,
        "next": _TEXTS,
        "pending": _JSON,
        "error": _TEXT,
    },
    "checkpoints": {
        **dict.fromkeys(("database", "thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id"), _TEXT),
        "step": _NUMBER,
        "source": _TEXT,
        "ts": _TIME,
        "next": _TEXTS,
        "resumed": _FLAG,
        "channels": _TEXTS,
        "notes": _TEXTS,
        "metadata": _JSON,
    },
    "writes": {
        **dict.fromkeys(("database", "thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "node"), _TEXT),
        "kind": _TEXT,
        "status": _TEXT,
        "channel": _TEXT,
        "value": _JSON,
    },
    "state_changes": {
        **dict.fromkeys(("database", "thread_id", "checkpoint_ns", "checkpoint_id"), _TEXT),
        "step": _NUMBER,
        "ts": _TIME,
        **dict.fromkeys(("op", "path"), _TEXT),
        **dict.fromkeys(("before", "after"), _JSON),
        "node": _TEXT,
    },
    "interrupts": {
        **dict.fromkeys(("database", "interrupt_id", "thread_id", "trace_id"), _TEXT),
        **dict.fromkeys(("node", "agent", "checkpoint_ns", "checkpoint_id"), _TEXT),
        "status": _TEXT,
        **dict.fromkeys(("question", "response_schema", "refused", "proposed"), _JSON),
        "decision": _TEXT,
        "answer": _JSON,
        **dict.fromkeys(("decided_by", "notes"), _TEXT),
        "risk_score": _REAL,
        "asked_at": _TIME,
        "answered_at": _TIME,
        "lag_min_ms": _REAL,
        "lag_max_ms": _REAL,
        "exact": _FLAG,
        "origin": _TEXT,
        "breakpoint": _FLAG,
    },
}
"""Table to its columns; `database` is the path or the URL without its password."""

HISTORY: Final = frozenset({"checkpoints", "writes", "state_changes"})
"""The tables that every checkpoint has to be decoded for."""


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables, empty."""
    for table, columns in TABLES.items():
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({listed})")
