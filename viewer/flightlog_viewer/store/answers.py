"""Answers that are kept in the base beside the rows: those that read every row, and that are asked for most.

An answer is found by the SQL that it answers: what is asked with a filter, or in other words, is worked out as ever.
"""

import hashlib
from typing import Any, Final

import duckdb

from flightlog_viewer.store.queries.by_name import statement

_KEPT: Final = ("overview", "summary")
"""Named queries, as they are asked without parameters."""


def write_answers(connection: duckdb.DuckDBPyConnection) -> None:
    """Answer from the rows of a base that is being built; what is derived from them must be at hand."""
    for name in _KEPT:
        query, values = statement(name, {})
        connection.execute(f"CREATE TABLE base.{_table(query)} AS {query}", values)


def kept_answers(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables of answers that the attached base has."""
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'base' AND starts_with(table_name, 'answer_')"
    )
    return frozenset(name for (name,) in found.fetchall())


def kept_answer(query: str, values: list[Any], kept: frozenset[str]) -> str | None:
    """The SQL that reads the kept answer to ``query``; None when there is none."""
    table = _table(query) if kept and not values else ""
    return f"SELECT * FROM base.{table} ORDER BY rowid" if table in kept else None


def _table(query: str) -> str:
    return f"answer_{hashlib.sha256(query.encode()).hexdigest()[:32]}"
