"""The savers that scenarios run on, each with the target that our reader opens afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_SET_UP: set[str] = set()
SAVERS = ("sqlite", "sqlite-async", "postgres", "postgres-async")


@asynccontextmanager
async def open_saver(kind: str, folder: Path, postgres: str) -> AsyncIterator[tuple[Any, str]]:
    """An empty saver of a kind, and where its rows are."""
    if kind.startswith("postgres"):
        if postgres not in _SET_UP:
            _SET_UP.add(postgres)
            with PostgresSaver.from_conn_string(postgres) as saver:
                saver.setup()
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
    path = str(folder / "checkpoints.sqlite")
    if kind == "sqlite":
        with SqliteSaver.from_conn_string(path) as sqlite:
            yield sqlite, path
    elif kind == "sqlite-async":
        async with AsyncSqliteSaver.from_conn_string(path) as sqlite_async:
            yield sqlite_async, path
    elif kind == "postgres":
        with PostgresSaver.from_conn_string(postgres) as saver:
            yield saver, postgres
    else:
        async with AsyncPostgresSaver.from_conn_string(postgres) as postgres_async:
            yield postgres_async, postgres
