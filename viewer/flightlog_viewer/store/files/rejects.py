"""The lines that are not spans: file, byte offset and reason."""

from typing import TYPE_CHECKING, Final

import duckdb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE: Final = "CREATE TABLE reject_rows (file_id INTEGER, byte_offset BIGINT, reason VARCHAR)"

LISTED: Final = 1_000_000
"""Of one load; further ones are only counted, so that a file made for it cannot fill the memory."""


class Rejects:
    """Collected in columns, because a hostile file has millions."""

    def __init__(self) -> None:
        self._room = LISTED
        self._unlisted = 0
        self._first_unlisted = (0, 0)
        self._file_ids: list[int] = []
        self._offsets: list[int] = []
        self._reasons: list[str] = []
        self._alike: list[tuple[NDArray[np.int32], NDArray[np.int64], str]] = []

    def __len__(self) -> int:
        return LISTED - self._room

    def add(self, file_id: int, byte_offset: int, reason: str) -> None:
        """One line."""
        if not self._room:
            self._leave_out(file_id, byte_offset, 1)
            return
        self._room -= 1
        self._file_ids.append(file_id)
        self._offsets.append(byte_offset)
        self._reasons.append(reason)

    def add_alike(self, file_ids: "NDArray[np.int32]", byte_offsets: "NDArray[np.int64]", reason: str) -> None:
        """Lines that are none for the same reason."""
        room = self._room
        if len(byte_offsets) > room:
            self._leave_out(int(file_ids[room]), int(byte_offsets[room]), len(byte_offsets) - room)
        self._alike.append((file_ids[:room], byte_offsets[:room], reason))
        self._room -= len(byte_offsets[:room])

    def _leave_out(self, file_id: int, byte_offset: int, count: int) -> None:
        if not self._unlisted:
            self._first_unlisted = (file_id, byte_offset)
        self._unlisted += count

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Append them to the table."""
        if self._unlisted:
            self._file_ids.append(self._first_unlisted[0])
            self._offsets.append(self._first_unlisted[1])
            self._reasons.append(f"{self._unlisted:,} more lines, this one the first, are not spans")
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
