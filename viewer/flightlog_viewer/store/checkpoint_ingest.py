"""Checkpoint databases as tables: threads at once, history only when a query asks for it.

State is kept as its changes, so that a message stands here once however many checkpoints repeat it; the whole state of
a step is what `replay` shows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from flightlog_viewer.analysis.json_forms import refusal_form
from flightlog_viewer.approvals.approval import Approval, parse_time
from flightlog_viewer.approvals.databases import Picture
from flightlog_viewer.checkpoints import Step, open_source
from flightlog_viewer.checkpoints.inert import closed
from flightlog_viewer.checkpoints.kept import KnownSummaries
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.checkpoints.opened import time_of_id
from flightlog_viewer.checkpoints.source import CheckpointSource
from flightlog_viewer.checkpoints.state_diff import Change
from flightlog_viewer.store.checkpoint_tables import HISTORY, TABLES

BATCH: Final = 5000
"""Rows that are handed to DuckDB at a time."""
BATCH_TEXT: Final = 4_000_000
"""Characters, likewise: whoever draws while a large database is read waits for one batch to be copied."""

_ARROW: Final = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP": pa.timestamp("us"),
    "BOOLEAN": pa.bool_(),
}


def ingest_threads(connection: duckdb.DuckDBPyConnection, target: str, known: KnownSummaries) -> list[str]:
    """Fill `thread_states` from one database, in place of what it held of it before; what could not be read.

    Threads that are `known` and have not changed since are not read.

    Raises what `open_source` raises; the table is then as it was.
    """
    with open_source(target) as source, _replacing(connection, source.name, ("thread_states",)) as writers:
        for row in _thread_rows(source, known):
            writers["thread_states"].add(row)
    return source.problems


def ingest_history(connection: duckdb.DuckDBPyConnection, target: str) -> list[str]:
    """Fill the tables of the history from one database: every checkpoint of every thread is decoded."""
    with open_source(target) as source, _replacing(connection, source.name, sorted(HISTORY)) as writers:
        for thread_id in dict.fromkeys(head.key.thread_id for head in source.rows.heads()):
            for step in source.history(thread_id).steps:
                _add_step(source.name, step, writers)
    return source.problems


def ingest_interrupts(connection: duckdb.DuckDBPyConnection, picture: Picture) -> None:
    """Fill `interrupts`, in place of what it held before."""
    with _replacing(connection, None, ("interrupts",)) as writers:
        for approval in picture.approvals:
            database = picture.databases.get(approval.interrupt_id)
            writers["interrupts"].add(_interrupt_row(database, approval))


@contextmanager
def _replacing(
    connection: duckdb.DuckDBPyConnection, database: str | None, tables: Iterable[str]
) -> Iterator[dict[str, "_Writer"]]:
    """Writers for tables whose rows of a database (None: all rows) are replaced, all at once or not at all."""
    writers = {name: _Writer(connection, name) for name in tables}
    connection.execute("BEGIN")
    try:
        for name in writers:
            where = "" if database is None else "WHERE database = ?"
            connection.execute(f"DELETE FROM {name} {where}", [] if database is None else [database])
        yield writers
        for writer in writers.values():
            writer.flush()
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class _Writer:
    """Hands rows to DuckDB in batches."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._size += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(self._rows) >= BATCH or self._size >= BATCH_TEXT:
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
        self._size = 0


def _add_step(database: str, step: Step, writers: Mapping[str, _Writer]) -> None:
    place = {
        "database": database,
        "thread_id": step.thread_id,
        "checkpoint_ns": step.checkpoint_ns,
        "checkpoint_id": step.checkpoint_id,
    }
    writers["checkpoints"].add(place | _checkpoint_row(step))
    for task in step.tasks:
        named = place | {"task_id": task.task_id, "node": task.node, "kind": task.kind, "status": task.status}
        for channel, value in task.writes.items():
            writers["writes"].add(named | {"channel": channel, "value": _json(value)})
    for change in step.changes or ():
        writers["state_changes"].add(place | _change_row(change) | {"step": step.step, "ts": _time(step.ts)})


def _thread_rows(source: CheckpointSource, known: KnownSummaries) -> Iterator[dict[str, Any]]:
    for thread in known.threads(source):
        yield {
            "database": source.name,
            "thread_id": thread.thread_id,
            "status": thread.status,
            "inferred": thread.inferred,
            "checkpoints": thread.checkpoints,
            "steps": thread.steps,
            "created_at": _time(time_of_id(thread.first_checkpoint_id or "")),
            "updated_at": _time(thread.updated_at),
            "source": thread.source,
            "next": list(thread.next),
            "pending": _json([{"id": p.id, "node": p.node, "value": normal_form(p.value)} for p in thread.pending]),
            "error": None if thread.error is None else closed(thread.error) or str(thread.error),
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


def _interrupt_row(database: str | None, approval: Approval) -> dict[str, Any]:
    return {
        "database": database,
        "interrupt_id": approval.interrupt_id,
        "thread_id": approval.thread_id,
        "trace_id": approval.trace_id,
        "node": approval.node,
        "agent": approval.agent,
        "checkpoint_ns": approval.checkpoint_ns,
        "checkpoint_id": approval.checkpoint_id,
        "status": approval.status,
        "question": _json(approval.question) if approval.question_recorded else None,
        "response_schema": None if approval.response_schema is None else _json(approval.response_schema),
        "refused": None if approval.refused is None else _json(refusal_form(approval.refused)),
        "proposed": _json(approval.proposed) if approval.proposed else None,
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
        "origin": approval.origin,
        "breakpoint": approval.breakpoint,
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
