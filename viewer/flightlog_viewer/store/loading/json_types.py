"""What kind of JSON each field of each line is, by a second pass of DuckDB: how a file full of suspects is judged.

The first pass reads a field as the type that it should have, and takes the number 5 for the text "5". This one reads
the same fields as JSON, where one has quotation marks and the other has none, and gives each line a verdict. It is as
fast as the first, and keeps and refuses the same lines as ``sieve.look``; what it cannot decide is left to that.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb

from flightlog import span_line
from flightlog.span import STATUSES, TYPES
from flightlog_viewer.store.columns import LIGHT
from flightlog_viewer.store.loading.read_json import read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNREAD: Final = 0
"""The verdict on a line of which nothing was read: no JSON, no object, or nothing of a span in it."""
SPAN: Final = 1
"""The verdict on a line whose required fields are of the right kind."""
_TEXTS: Final = ("name", "run_id", "trace_id")
OPTIONAL_TEXTS: Final = tuple(
    column.name for column in LIGHT if column.type == "VARCHAR" and column.name not in (*_TEXTS, "type", "status")
)


def _one_of(name: str, allowed: frozenset[str]) -> str:
    # Not IN: DuckDB makes a join of that, and rows that come through a join come in any order.
    same = " OR ".join(f"{name}::VARCHAR = '\"{value}\"'" for value in sorted(allowed))
    return f"NOT coalesce({same}, false)"


_FAULTS: Final = (
    (span_line.NO_VERSION, "coalesce(NOT regexp_full_match(v::VARCHAR, '[1-9][0-9]{0,3}'), true)"),
    *((span_line.NO_STRING.format(name), f"coalesce(left({name}::VARCHAR, 1) <> '\"', true)") for name in _TEXTS),
    (span_line.UNKNOWN.format("type"), _one_of("type", TYPES)),
    (span_line.UNKNOWN.format("status"), _one_of("status", STATUSES)),
    (
        span_line.NO_DURATION,
        f"NOT coalesce(TRY_CAST(duration_ms::VARCHAR AS DOUBLE) BETWEEN 0 AND {span_line.HUGE}, false)",
    ),
)
"""Reason and condition, in the order in which ``sieve.look`` asks."""
REASONS: Final = {SPAN + 1 + index: reason for index, (reason, _) in enumerate(_FAULTS)}
"""Why a line of that verdict is not a span."""


class JsonTypes(NamedTuple):
    """The verdict on each line, and which optional texts are an object or a list in it."""

    verdicts: "NDArray[np.uint8]"
    containers: "NDArray[np.int64]"
    """Bit n for the n-th of OPTIONAL_TEXTS."""


def selection() -> tuple[str, str]:
    """The columns to read, and the expressions over them that give ``verdict`` and ``containers``."""
    names = ["v", "type", "status", "duration_ms", *_TEXTS, *OPTIONAL_TEXTS]
    columns = "{" + ", ".join(f"'{name}': 'JSON'" for name in names) + "}"
    cases = " ".join(f"WHEN {condition} THEN {SPAN + 1 + index}" for index, (_, condition) in enumerate(_FAULTS))
    verdict = f"CASE WHEN coalesce({', '.join(names)}) IS NULL THEN {UNREAD} {cases} ELSE {SPAN} END::UTINYINT"
    bits = " + ".join(
        f"CASE left({name}::VARCHAR, 1) WHEN '{{' THEN {1 << bit} WHEN '[' THEN {1 << bit} ELSE 0 END::BIGINT"
        for bit, name in enumerate(OPTIONAL_TEXTS)
    )
    return columns, f"{verdict} AS verdict, {bits} AS containers"


def read_types(connection: duckdb.DuckDBPyConnection, path: Path) -> JsonTypes | None:
    """Read the lines of a file; None when DuckDB gives it up for the length of a line."""
    import numpy as np

    # By way of a table: only what is inserted keeps the order of the file, what is selected need not.
    count = read_json(connection, path, *selection(), into="CREATE OR REPLACE TEMP TABLE json_types AS")
    if count is None:
        return None
    found = connection.execute("SELECT rowid AS id, verdict, containers FROM json_types").fetchnumpy()
    connection.execute("DROP TABLE json_types")
    types = JsonTypes(np.zeros(count, np.uint8), np.zeros(count, np.int64))
    rows = np.asarray(found["id"], np.int64)
    types.verdicts[rows] = found["verdict"]
    types.containers[rows] = found["containers"]
    return types
