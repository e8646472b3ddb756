"""Checkpoint databases as tables: threads at once, history only when a query asks for it.

State is kept as its changes, so that a message stands here once however many checkpoints repeat it; the whole state of
a step is what `replay` shows.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from flightlog_viewer.analysis.approvals import Approval, parse_time
from flightlog_viewer.analysis.state_diff import Change
from flightlog_viewer.checkpoints import Step, open_source
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.checkpoints.opened import time_of_id
from flightlog_viewer.checkpoints.questions import thread_questions
from flightlog_viewer.checkpoints.source import CheckpointSource
from flightlog_viewer.store.checkpoint_tables import TABLES

BATCH: Final = 5000
"""Rows that are handed to DuckDB at a time."""

_ARROW: Final = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP": pa.timestamp("us"),
    "BOOLEAN": pa.bool_(),
}


def ingest_threads(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Fill `thread_states` from one database. Raises what `open_source` raises."""
    with open_source(target) as source:
        _insert(connection, "thread_states", _thread_rows(source))


def ingest_history(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Fill the other tables from one database: every checkpoint of every thread is decoded."""
    with open_source(target) as source:
        writers = {name: _Writer(connection, name) for name in TABLES if name != "thread_states"}
        for thread_id in dict.fromkeys(head.key.thread_id for head in source.rows.heads()):
            questions = thread_questions(_passed_on(source, thread_id, writers))
            for approval in questions:
                writers["interrupts"].add(_interrupt_row(source.name, approval))
        for writer in writers.values():
            writer.flush()


class _Writer:
    """Hands rows to DuckDB in batches."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if not self._rows:
            return
        schema = pa.schema([(name, _ARROW[kind]) for name, kind in TABLES[self._table].items()])
        try:
            batch = pa.Table.from_pylist(self._rows, schema=schema)
        except UnicodeEncodeError:  # half of a surrogate pair, which old JSON blobs can hold
            batch = pa.Table.from_pylist([_whole_text(row) for row in self._rows], schema=schema)
        name = f"incoming_{self._table}"
        # Registered by hand: the session's lock forbids finding Python objects by their names, not this.
        self._connection.register(name, batch)
        try:
            self._connection.execute(f"INSERT INTO {self._table} SELECT * FROM {name}")
        finally:
            self._connection.unregister(name)
        self._rows.clear()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    writer = _Writer(connection, table)
    for row in rows:
        writer.add(row)
    writer.flush()


def _passed_on(source: CheckpointSource, thread_id: str, writers: dict[str, _Writer]) -> Iterator[Step]:
    """The thread's steps, each put into the tables on its way."""
    for step in source.history(thread_id).steps:
        place = {
            "database": source.name,
            "thread_id": step.thread_id,
            "checkpoint_ns": step.checkpoint_ns,
            "checkpoint_id": step.checkpoint_id,
        }
        writers["checkpoints"].add(place | _checkpoint_row(step))
        for task in step.tasks:
            named = place | {"task_id": task.task_id, "node": task.node, "kind": task.kind, "status": task.status}
            for channel, value in task.writes.items():
                writers["writes"].add(named | {"channel": channel, "value": _json(value)})
        for change in step.changes:
            writers["state_changes"].add(place | _change_row(change) | {"step": step.step, "ts": _time(step.ts)})
        yield step


def _thread_rows(source: CheckpointSource) -> Iterator[dict[str, Any]]:
    for thread in source.threads():
        yield {
            "database": source.name,
            "thread_id": thread.thread_id,
            "status": thread.status,
            "inferred": thread.inferred,
            "checkpoints": thread.checkpoints,
            "steps": thread.steps,
            "created_at": _time(time_of_id(thread.first_checkpoint_id or "")),
            "updated_at": _time(thread.updated_at),
            "next": list(thread.next),
            "pending": _json([{"id": p.id, "node": p.node, "value": normal_form(p.value)} for p in thread.pending]),
            "error": None if thread.error is None else str(thread.error),
        }


def _checkpoint_row(step: Step) -> dict[str, Any]:
    return {
        "parent_checkpoint_id": step.parent_checkpoint_id,
        "step": step.step if step.step is None or abs(step.step) < 2**63 else None,
        "source": step.source,
        "ts": _time(step.ts),
        "next": list(step.next),
        "resumed": step.resumed_from_parent,
        "channels": list(step.values),
        "notes": list(step.notes),
        "metadata": _json(step.metadata),
    }


def _change_row(change: Change) -> dict[str, Any]:
    before = None if change.op == "added" else _json(change.before)
    after = None if change.op == "removed" else _json(change.after)
    return {"op": change.op, "path": change.path, "before": before, "after": after, "node": change.node}


def _interrupt_row(database: str, approval: Approval) -> dict[str, Any]:
    return {
        "database": database,
        "interrupt_id": approval.interrupt_id,
        "thread_id": approval.thread_id,
        "node": approval.node,
        "checkpoint_ns": approval.checkpoint_ns,
        "checkpoint_id": approval.checkpoint_id,
        "status": approval.status,
        "question": _json(approval.question) if approval.question_recorded else None,
        "decision": approval.decision,
        "answer": _json(approval.answer) if approval.answer_recorded else None,
        "decided_by": approval.decided_by,
        "notes": approval.notes,
        "risk_score": approval.risk,
        "asked_at": _naive(approval.asked_at),
        "answered_at": _naive(approval.answered_at),
        "lag_min_ms": approval.lag_min_ms,
        "lag_max_ms": approval.lag_max_ms,
        "exact": approval.exact,
    }


def _whole_text(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _whole(value) for name, value in row.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    form = normal_form(value)
    try:
        return orjson.dumps(form).decode()
    except orjson.JSONEncodeError:  # DuckDB takes integers of any size, but no half of a surrogate pair
        return json.dumps(form, ensure_ascii=False).encode("utf-8", "replace").decode()


def _time(text: str | None) -> datetime | None:
    return _naive(parse_time(text))


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
