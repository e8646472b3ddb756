"""The tables and views that docs/sql.md promises, and those of the user's own, among all that the store keeps."""

import re
from typing import Final

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


def listing(query: str) -> str | None:
    """The query that answers ``SHOW TABLES`` or ``DESCRIBE`` with these tables alone; None for any other query."""
    found = _LISTING.fullmatch(query)
    if found is None:
        return None
    return _NAMES if found["tables"] and not found["all"] else _COLUMNS
