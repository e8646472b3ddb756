"""The answer to a query as a Parquet file."""

import io
from typing import IO, TYPE_CHECKING, Any, Final

from flightlog.errors import UsageError
from flightlog_viewer.analysis.cell_text import unique_names

if TYPE_CHECKING:
    import pyarrow as pa

    from flightlog_viewer.store.session import Result

_DAYS_A_MONTH: Final = 30
"""As DuckDB counts where Python is given an interval."""


def write_parquet(result: "Result", file: IO[bytes]) -> None:
    """Write all rows of ``result``; intervals are seconds, as in the other forms.

    Raises UsageError for what Parquet has no form for.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    answer = result.arrow()
    answer = answer.rename_columns(unique_names(answer.column_names))
    for place, column in enumerate(answer.schema):
        if pa.types.is_interval(column.type):
            answer = answer.set_column(place, column.name, _seconds(answer.column(place)))
    if odd := [
        f"{column.name} ({kind})" for column, kind in zip(answer.schema, result.types, strict=True) if not _fits(column)
    ]:
        raise UsageError(f"Parquet cannot hold {', '.join(odd)}: cast it to VARCHAR, or ask for JSON")
    parquet.write_table(answer, file, compression="zstd")


def _fits(column: "pa.Field[Any]") -> bool:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        parquet.write_table(pa.schema([column]).empty_table(), io.BytesIO())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return False
    return True


def _seconds(intervals: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    import pyarrow as pa

    def seconds(months: int, days: int, nanoseconds: int) -> float:
        return (months * _DAYS_A_MONTH + days) * 86_400 + nanoseconds / 1e9

    return pa.chunked_array(
        [[None if value is None else seconds(*value) for value in chunk.to_pylist()] for chunk in intervals.chunks],
        pa.float64(),
    )
