"""Threads copied from a Postgres checkpoint database into a SQLite one, to be read when the server is gone."""

from collections.abc import Iterable
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres import PostgresSaver

from flightlog_samples.recording import sqlite_saver
from flightlog_samples.support_desk.review_queue import Pool


def copy_threads(saver: PostgresSaver, pool: Pool, threads: Iterable[str], path: Path) -> None:
    """Copy every checkpoint and write of the threads; both savers store values the same way."""
    target = sqlite_saver(path)
    try:
        for thread in threads:
            for saved in reversed(list(saver.list({"configurable": {"thread_id": thread}}))):
                # `put` wants the parent's address; a first checkpoint has none.
                first: RunnableConfig = {"configurable": {**saved.config["configurable"], "checkpoint_id": None}}
                place = saved.parent_config or first
                target.put(place, saved.checkpoint, saved.metadata, {})
            with pool.connection() as connection:
                rows = connection.execute(
                    "SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob "
                    "FROM checkpoint_writes WHERE thread_id = %s",
                    (thread,),
                ).fetchall()
            with target.cursor() as cursor:
                # By hand, because `put_writes` numbers the writes anew.
                cursor.executemany(
                    "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, "
                    "type, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [tuple(row.values()) for row in rows],
                )
    finally:
        target.conn.close()
