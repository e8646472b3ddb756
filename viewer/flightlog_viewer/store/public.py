"""The tables and views that docs/sql.md promises, and those of the user's own, among all that the store keeps."""

import re
from difflib import get_close_matches
from typing import Final

import duckdb

PUBLIC: Final = (
    *("spans", "traces", "llm_calls", "tool_calls", "nodes", "errors", "threads", "checkpoints", "writes"),
    *("state_changes", "interrupts", "rejects"),
)

_LISTING: Final = re.compile(r"\s*(SHOW|DESC|DESCRIBE)(\s+(?P<all>ALL\s+)?(?P<tables>TABLES))?\s*;?\s*", re.IGNORECASE)
OWN: Final = "flightlog: a table of the user"
"""The comment on those that the user has added."""
_SHOWN: Final = (
    f"({list(PUBLIC)} || coalesce((SELECT list(table_name ORDER BY table_oid) FROM duckdb_tables() "
    f"WHERE comment = '{OWN}'), []))"
)
_NAMES: Final = f"SELECT unnest({_SHOWN}) AS name"
_COLUMNS: Final = (
    "SELECT table_name AS name, list(column_name ORDER BY ordinal_position) AS column_names, "
    "list(data_type ORDER BY ordinal_position) AS column_types FROM information_schema.columns "
    f"WHERE table_schema = 'main' AND list_contains({_SHOWN}, table_name) GROUP BY 1 "
    f"ORDER BY list_position({_SHOWN}, table_name)"
)
_MISSING: Final = re.compile(r"(Catalog Error: Table with name (.+) does not exist!).*")


def listing(query: str) -> str | None:
    """The query that answers ``SHOW TABLES`` or ``DESCRIBE`` with these tables alone; None for any other query."""
    found = _LISTING.fullmatch(query)
    if found is None:
        return None
    return _NAMES if found["tables"] and not found["all"] else _COLUMNS


def say_which(connection: duckdb.DuckDBPyConnection, sentence: str) -> str:
    """DuckDB's sentence about a missing table, with a proposal of these alone: it knows others that nobody promised."""
    found = _MISSING.fullmatch(sentence)
    if found is None:
        return sentence
    names = [name for (name,) in connection.execute(_NAMES).fetchall()]
    meant = get_close_matches(found[2].lower(), names, 1)
    return f'{found[1]} Did you mean "{meant[0]}"?' if meant else f"{found[1]} SHOW TABLES lists those that do."
