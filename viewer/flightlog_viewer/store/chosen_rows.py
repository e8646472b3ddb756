"""The first rows of an order are chosen before their payloads are read.

DuckDB works out what a query selects and sorts that, so ``FROM spans ORDER BY duration_ms DESC LIMIT 10`` would read
every line of every file again. Such a query becomes one over the ten rows that the same query without payloads gives.
"""

import re
from copy import deepcopy
from typing import Any, Final

import duckdb
import orjson

_TABLES: Final = ("spans", "llm_calls", "tool_calls", "nodes", "errors")
_MAY_BE: Final = re.compile(
    r"(?=.*\bORDER\s+BY\b)(?=.*\bLIMIT\b).*(\*|^\s*FROM\b|inputs|output|raw|payload_gone|metadata)",
    re.IGNORECASE | re.DOTALL,
)
_OTHER_KINDS: Final = ("WINDOW", "SUBQUERY", "PARAMETER")
"""Expressions that look at more than their own row."""
_EVER_ANOTHER: Final = ("random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval", "unnest")
_MODIFIERS: Final = ["ORDER_MODIFIER", "LIMIT_MODIFIER"]
_ROW: Final = "chosen_row"


def of_chosen_rows(cursor: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """The query over the rows that it chooses; None when it is not of that form.

    An aggregate is of that form too: the answer cannot be bound then.
    """
    if not _MAY_BE.match(query):
        return None
    try:
        document = _parsed(cursor, query)
        (statement,) = document["statements"]
        node = statement["node"]
        if not _is_plain(node):
            return None
        inner = deepcopy(document)
        inner["statements"][0]["node"]["select_list"] += _parsed(cursor, f"SELECT row_id AS {_ROW}")["statements"][0][
            "node"
        ]["select_list"]
        among = f"SELECT 1 WHERE row_id IN (SELECT {_ROW} FROM ({_text(cursor, inner)}))"
        node["where_clause"] = _parsed(cursor, among)["statements"][0]["node"]["where_clause"]
        return _text(cursor, document)
    except (duckdb.Error, KeyError, IndexError, ValueError, TypeError):  # another DuckDB writes another tree
        return None


def _is_plain(node: dict[str, Any]) -> bool:
    """Whether each row of the answer is made of one row of one table, in an order of which the first are asked for."""
    table = node["from_table"]
    modifiers = node["modifiers"]
    return (
        node["type"] == "SELECT_NODE"
        and [modifier["type"] for modifier in modifiers] == _MODIFIERS
        and modifiers[1]["offset"] is None
        and modifiers[1]["limit_type"] == "ROW_COUNT"
        and not any(order["expression"]["class"] == "STAR" for order in modifiers[0]["orders"])
        and (table["type"], table["schema_name"], table["sample"]) == ("BASE_TABLE", "", None)
        and table["table_name"].lower() in _TABLES
        and not table["column_name_alias"]
        and not node["cte_map"]["map"]
        and not any(node[part] for part in ("group_expressions", "group_sets", "having", "qualify", "sample"))
        and _of_one_row([node["select_list"], modifiers])
    )


def _of_one_row(tree: Any) -> bool:
    parts = [tree]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            if part.get("class") in _OTHER_KINDS or part.get("function_name") in _EVER_ANOTHER:
                return False
            parts += part.values()
    return True


def _parsed(cursor: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    ((text,),) = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    document: dict[str, Any] = orjson.loads(text)
    return document


def _text(cursor: duckdb.DuckDBPyConnection, document: dict[str, Any]) -> str:
    # A place in the text that is not known is the largest unsigned number, which Python's JSON keeps as it is.
    ((text,),) = cursor.execute("SELECT json_deserialize_sql(?::JSON)", [orjson.dumps(document).decode()]).fetchall()
    return str(text)
