"""``flightlog schema``: the record, the tables, and a DuckDB call for those who query span files on their own."""

from typing import Annotated, Any

import typer

from flightlog_viewer.cli.options import Json
from flightlog_viewer.cli.output import grid, json_value, line, lines
from flightlog_viewer.cli.record_fields import RECORD, json_schema


def schema(
    duckdb: Annotated[
        str | None, typer.Option("--duckdb", metavar="FILE", help="Print only the DuckDB query over this file or glob.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the span record, the tables of `flightlog sql`, and a DuckDB query over span files.

    \b
    Example:
      flightlog schema
      flightlog schema --duckdb 'flightlog-demo/spans.jsonl' | duckdb
    """
    if duckdb is not None:
        lines(read_json_query(duckdb))
        return
    found = tables()
    if json:
        json_value({"record": json_schema(), "tables": found, "duckdb": read_json_query("spans.jsonl")})
        return
    line("The span record, version 1: one JSON object a line, fields that are not known are absent.")
    line()
    rows = [[field.name, field.type, "required" if field.required else "", field.meaning] for field in RECORD]
    grid(["field", "type", "", "meaning"], rows, right=[False] * 4)
    line()
    line("The tables of `flightlog sql`:")
    spans = found["spans"]
    for name, columns in found.items():
        line()
        is_wider = columns is not spans and columns.items() >= spans.items()
        line(f"{name}: the columns of spans{', and' if len(columns) > len(spans) else ''}" if is_wider else name)
        own = [[f"  {column}", kind] for column, kind in columns.items() if not is_wider or column not in spans]
        if own:
            grid(["  column", "type"], own, right=[False, False])
    line()
    line("With your own DuckDB:")
    line()
    lines(read_json_query("spans.jsonl"))


def tables() -> dict[str, dict[str, str]]:
    """Columns and their types of every table and view, by name."""
    from flightlog_viewer.store.store import empty_store

    found: dict[str, dict[str, str]] = {}
    with empty_store() as store:
        result: list[dict[str, Any]] = store.query("columns")
    for row in result:
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
    return found


def read_json_query(file: str) -> str:
    """A DuckDB query over a span file or glob, with every light column typed and the payloads as JSON.

    Explicit columns, because one odd line makes detection of types fail for the whole file; ``ignore_errors`` makes a
    broken line a row of NULLs, which the condition leaves out.
    """
    from flightlog_viewer.store.columns import LIGHT, PAYLOADS

    columns = {column.name: column.type for column in LIGHT} | dict.fromkeys(PAYLOADS, "JSON")
    typed = ",\n".join(f"    {name}: '{kind}'" for name, kind in columns.items())
    quoted = file.replace("'", "''")
    return (
        f"SELECT * FROM read_json('{quoted}', format = 'newline_delimited', ignore_errors = true, "
        f"maximum_object_size = 33554432,\n  columns = {{\n{typed}\n  }})\nWHERE run_id IS NOT NULL;"
    )
