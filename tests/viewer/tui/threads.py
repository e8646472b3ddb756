"""A checkpoint database with fixed ids and times, written through LangGraph's own saver."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Interrupt

NOON = datetime(2025, 11, 20, 12, 4, tzinfo=UTC)


class Writer:
    """Puts checkpoints one after another; ids and times follow from a counter."""

    def __init__(self, saver: SqliteSaver) -> None:
        self.saver = saver
        self.number = 0

    def put(self, thread: str, step: int, values: dict[str, Any], *, parent: str | None, due: str | None, ns: str = "",
            source: str = "loop") -> str:  # fmt: skip
        """One checkpoint after ``parent``; ``due`` is the node that is next. Its id."""
        self.number += 1
        checkpoint_id = f"1f0c6000-0000-6000-8000-{self.number:012d}"
        versions: dict[str, Any] = dict.fromkeys(values, self.number)
        if due:
            versions[f"branch:to:{due}"] = self.number
        checkpoint: Any = {
            "v": 4,
            "id": checkpoint_id,
            "ts": (NOON + timedelta(seconds=self.number)).isoformat(),
            "channel_values": {**values, **({f"branch:to:{due}": None} if due else {})},
            "channel_versions": versions,
            "versions_seen": {},
            "updated_channels": list(values),
        }
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": parent}}
        metadata: Any = {"source": source, "step": step, "parents": {}}
        self.saver.put(config, checkpoint, metadata, versions)
        return checkpoint_id

    def write(self, thread: str, at: str, task: str, writes: list[tuple[str, Any]], ns: str = "") -> None:
        """What a task wrote after a checkpoint."""
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": at}}
        self.saver.put_writes(config, writes, task)


def checkpoint_file(path: Path) -> Path:
    """Thread t-0 has finished after a fork, t-1 waits for an approval, t-2 is short."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        saver.setup()
        writer = Writer(saver)
        _forked(writer)
        _waiting(writer)
        writer.put("t-2", -1, {"topic": "greeting"}, parent=None, due=None, source="input")
    os.utime(path, (NOON.timestamp() + 60,) * 2)
    return path


def _forked(writer: Writer) -> None:
    first = writer.put("t-0", -1, {"cart": {"total": 0}}, parent=None, due="agent", source="input")
    second = writer.put("t-0", 0, {"cart": {"total": 40}, "messages": ["hi"]}, parent=first, due="tools")
    writer.write("t-0", second, "task-a", [("messages", "hi")])
    third = writer.put("t-0", 1, {"cart": {"total": 55}, "messages": ["hi", "yes"]}, parent=second, due=None)
    writer.put("t-0", 2, {"cart": {"total": 55}, "messages": ["hi", "yes", "bye"]}, parent=third, due=None)
    writer.put("t-0", 1, {"cart": {"total": 12}, "messages": ["hi", "no"]}, parent=second, due=None, source="fork")


def _waiting(writer: Writer) -> None:
    first = writer.put("t-1", -1, {"order": 9}, parent=None, due="plan", source="input")
    second = writer.put("t-1", 0, {"order": 9, "amount": 40, "temp": "x"}, parent=first, due="approve")
    question = {"action": "refund_order", "order": 9, "amount": 40, "allowed": ["accept", "edit", "respond"]}
    writer.write("t-1", second, "task-b", [("__interrupt__", (Interrupt(value=question, id="int-1"),))])
    inner = writer.put("t-1", -1, {"query": "policy"}, parent=None, due="look", ns="billing:task-c", source="input")
    writer.put("t-1", 0, {"query": "policy", "found": 3}, parent=inner, due=None, ns="billing:task-c")
