"""The light columns of a span line: how DuckDB reads each and how the store keeps it.

Everything of a record but its payloads is light. ``read_json`` is always given these columns, because detection of
types fails a whole file for one odd line.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flightlog.span import STATUSES, TYPES
from flightlog.span_line import HUGE

if TYPE_CHECKING:
    import duckdb

_DETAILS: Final = "MAP(VARCHAR, BIGINT)"
TOKEN_USAGE: Final = (
    "STRUCT(input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, "
    f"input_token_details {_DETAILS}, output_token_details {_DETAILS})"
)
METADATA_LIMIT: Final = 1024
"""Bytes of ``metadata`` up to which it is kept in the row; more is read from the file when it is asked for."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the line."""

    name: str
    type: str
    """As the column of ``spans``."""
    read_as: str = ""
    """The type given to ``read_json`` where it differs."""
    keep_as: str = ""
    """The SQL expression over the value read, where it is not simply that."""


# `v` and `duration_ms` are read as JSON text, because a cast would take the string "1" for the number 1.
# `start_time` is read with its zone, because a plain TIMESTAMP would drop an offset without applying it.
LIGHT: Final[tuple[Column, ...]] = (
    Column(
        "v",
        "SMALLINT",
        "JSON",
        "CASE WHEN v::VARCHAR = '1' THEN 1::SMALLINT "
        "WHEN regexp_full_match(v::VARCHAR, '[1-9][0-9]{0,3}') THEN v::VARCHAR::SMALLINT END",
    ),
    Column("type", "VARCHAR"),
    Column("kind", "VARCHAR"),
    Column("name", "VARCHAR"),
    Column("run_id", "VARCHAR"),
    Column("parent_run_id", "VARCHAR"),
    Column("trace_id", "VARCHAR"),
    Column("writer_id", "VARCHAR"),
    Column("seq", "BIGINT"),
    Column("start_time", "TIMESTAMP", "TIMESTAMPTZ", "make_timestamp(epoch_us(start_time))"),
    Column("duration_ms", "DOUBLE", "JSON", "TRY_CAST(duration_ms::VARCHAR AS DOUBLE)"),
    Column("status", "VARCHAR"),
    Column("error", "STRUCT(type VARCHAR, message VARCHAR, stacktrace VARCHAR)"),
    Column("interrupts", "JSON"),
    Column("resumes", "JSON"),
    Column("model", "VARCHAR"),
    Column("request_model", "VARCHAR"),
    Column("provider", "VARCHAR"),
    Column("model_params", "JSON"),
    Column("service_tier", "VARCHAR"),
    Column("finish_reason", "VARCHAR"),
    Column("response_id", "VARCHAR"),
    Column("message_id", "VARCHAR"),
    Column("token_usage", TOKEN_USAGE),
    Column("cache_hit", "BOOLEAN"),
    Column("time_to_first_token_ms", "DOUBLE"),
    Column("chunks", "BIGINT"),
    Column("tool_call_id", "VARCHAR"),
    Column("document_count", "BIGINT"),
    Column("thread_id", "VARCHAR"),
    Column("node", "VARCHAR"),
    Column("step", "BIGINT"),
    Column("checkpoint_ns", "VARCHAR"),
    Column("task_id", "VARCHAR"),
    Column("checkpoint_id", "VARCHAR"),
    Column("attempt", "BIGINT"),
    Column("tags", "VARCHAR[]"),
    Column("truncated", "JSON"),
    Column("service", "VARCHAR"),
    Column("service_version", "VARCHAR"),
    Column("environment", "VARCHAR"),
    Column("host", "VARCHAR"),
    Column("pid", "BIGINT"),
    Column("otel", "STRUCT(trace_id VARCHAR, span_id VARCHAR)"),
    Column("metadata", "JSON", "", f"CASE WHEN strlen(metadata) <= {METADATA_LIMIT} THEN metadata END"),
)
LIGHT_NAMES: Final = frozenset(column.name for column in LIGHT)
PAYLOADS: Final = ("metadata", "inputs", "output")
KNOWN: Final = LIGHT_NAMES | frozenset(PAYLOADS)
"""Every field of record version 1; others are kept in ``raw``."""


TOKEN_LIMIT: Final = 10**15
"""More tokens than that are no count, and would make sums overflow."""
REQUIRED: Final = ("v", "type", "name", "run_id", "trace_id", "start_time", "duration_ms", "status")


def read_columns() -> str:
    """The ``columns`` argument of ``read_json``."""
    return "{" + ", ".join(f"'{c.name}': '{c.read_as or c.type}'" for c in LIGHT) + "}"


def kept_columns() -> str:
    """The select list that turns what was read into what is kept."""
    kept = ", ".join(f"{c.keep_as} AS {c.name}" if c.keep_as else c.name for c in LIGHT)
    return f"{kept}, coalesce(strlen(metadata) > {METADATA_LIMIT}, false) AS metadata_in_file"


def table_columns() -> str:
    """The column definitions of a table of kept rows."""
    return ", ".join(f"{c.name} {c.type}" for c in LIGHT) + ", metadata_in_file BOOLEAN, file_id INTEGER"


def suspicious_kinds() -> str:
    """A condition that is true for each row whose line may have a required value or a text of another JSON type.

    True when a required value is missing or not allowed, and when a text may have been made from a JSON value that
    was none (`name: 5` becomes the text 5, `model: {}` the text {}). Written for speed, it runs over every row:
    plain comparisons come before patterns, and an id shaped like a UUID is not tried as a number.
    """
    conditions = [
        *(f"{name} IS NULL" for name in REQUIRED),
        f"type NOT IN ({_listed(TYPES)})",
        f"status NOT IN ({_listed(STATUSES)})",
        f"NOT (duration_ms >= 0 AND duration_ms < {HUGE})",
    ]
    for name in ("name", "run_id", "trace_id"):
        conditions.append(
            f"({name} < ':' AND {name} NOT LIKE '________-____-%' "
            f"AND regexp_full_match({name}, '-?[0-9.]+([eE][-+]?[0-9]+)?'))"
        )
        conditions.append(f"{name} IN ('true', 'false', 'NaN', 'Infinity', '-Infinity')")
    # A text that begins with a bracket or brace, as a range so that it is a plain comparison.
    for column in LIGHT:
        if column.type == "VARCHAR" and column.name not in ("type", "status"):
            conditions.append(f"({column.name} >= '[' AND {column.name} < chr(92))")
            conditions.append(f"({column.name} >= '{{' AND {column.name} < '|')")
    return " OR ".join(conditions)


def suspicious_values() -> str:
    """A condition that is true, else NULL or false, for each row with a value that the record may not have."""
    conditions = [
        *(f"{name} IS NULL" for name in REQUIRED),
        "start_time NOT BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
        f"NOT duration_ms < {HUGE}",
        "NOT isfinite(time_to_first_token_ms)",
        *(  # abs() fails on the least integer
            f"token_usage.{name} NOT BETWEEN -{TOKEN_LIMIT} AND {TOKEN_LIMIT}"
            for name in ("input_tokens", "output_tokens", "total_tokens")
        ),
    ]
    return " OR ".join(conditions)


def _listed(words: Collection[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


def create_table(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    """Create an empty table of kept rows."""
    connection.execute(f"CREATE TABLE {name} ({table_columns()})")
