"""The lines that are no spans: file, byte offset and reason."""

from typing import TYPE_CHECKING, Final

import duckdb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE: Final = "CREATE TABLE reject_rows (file_id INTEGER, byte_offset BIGINT, reason VARCHAR)"


class Rejects:
    """Collected in columns, because a hostile file has millions."""

    def __init__(self) -> None:
        self._file_ids: list[int] = []
        self._offsets: list[int] = []
        self._reasons: list[str] = []
        self._alike: list[tuple[NDArray[np.int32], NDArray[np.int64], str]] = []

    def add(self, file_id: int, byte_offset: int, reason: str) -> None:
        """One line."""
        self._file_ids.append(file_id)
        self._offsets.append(byte_offset)
        self._reasons.append(reason)

    def add_alike(self, file_ids: "NDArray[np.int32]", byte_offsets: "NDArray[np.int64]", reason: str) -> None:
        """Lines that are none for the same reason."""
        self._alike.append((file_ids, byte_offsets, reason))

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Append them to the table."""
        if self._file_ids:
            # Only now: most files have none, and a store from the cache does without it.
            import pyarrow as pa

            table = pa.table(
                {
                    "file_id": pa.array(self._file_ids, pa.int32()),
                    "byte_offset": pa.array(self._offsets, pa.int64()),
                    "reason": pa.array(self._reasons, pa.string()),
                }
            )
            with connection.cursor() as cursor:
                cursor.register("new_rejects", table)
                cursor.execute("INSERT INTO reject_rows FROM new_rejects")
                cursor.unregister("new_rejects")
        for file_ids, byte_offsets, reason in self._alike:
            with connection.cursor() as cursor:
                cursor.register("new_rejects", {"file_id": file_ids, "byte_offset": byte_offsets})
                cursor.execute("INSERT INTO reject_rows SELECT file_id, byte_offset, ? FROM new_rejects", [reason])
                cursor.unregister("new_rejects")
