"""Payloads on demand: the line of a row, read again from the file that was held open."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flightlog.errors import UnreadableError
from flightlog.reader import MAX_LINE_BYTES
from flightlog.span_line import decode
from flightlog_viewer.store.columns import KNOWN
from flightlog_viewer.store.loading.sieve import encode
from flightlog_viewer.store.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa


class PayloadReader:
    """Reads lines by row id, by ``pread`` on descriptors held open, so that rotation and deletion do not matter."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def line(self, row_id: int) -> bytes:
        """The bytes of a row's line; empty when there is no such row or the file was cut short."""
        places = self._rows.locations
        if not 0 <= row_id < len(places):
            return b""
        size = min(int(places.sizes[row_id]), MAX_LINE_BYTES)
        try:
            with self._rows.sources[int(places.file_ids[row_id])].reading() as descriptor:
                return os.pread(descriptor, size, int(places.starts[row_id]))
        except OSError:
            return b""

    def record(self, row_id: int, run_id: str | None = None) -> dict[str, Any] | None:
        """The whole record of a row; None when its line is no longer that of ``run_id``."""
        record = self._started(row_id) if row_id < 0 else self._finished(row_id)
        if not isinstance(record, dict) or not isinstance(record.get("run_id"), str):
            return None
        return record if run_id is None or record["run_id"] == run_id else None

    def _started(self, row_id: int) -> Any:
        started = self._rows.started
        return started[-1 - row_id].record() if -row_id <= len(started) else None

    def _finished(self, row_id: int) -> Any:
        line = self.line(row_id)
        try:
            return decode(line) if line else None
        except UnreadableError:
            return None

    def payload(self, row_id: int, run_id: str) -> dict[str, Any]:
        """``{"inputs", "output", "metadata", "raw"}`` of a row, or ``{"payload_gone": True}``.

        ``raw`` holds the fields that this version does not know. A payload the line does not have is left out.
        """
        record = self.record(row_id, run_id)
        if record is None:
            return {"payload_gone": True}
        found = {name: record[name] for name in ("inputs", "output", "metadata") if name in record}
        raw = unknown_fields(record)
        return found | ({"raw": raw} if raw else {})

    def sql_function(self) -> "Callable[[pa.Array, pa.Array, pa.Array], pa.Array]":
        """``payload_json(row_id, run_id, field) -> JSON text``, for DuckDB."""

        # DuckDB evaluates the annotations, so they must not name what is not imported yet.
        def payload_json(row_ids: Any, run_ids: Any, fields: Any) -> Any:
            import pyarrow as pa

            texts = [
                self._text(*arguments)
                for arguments in zip(row_ids.to_pylist(), run_ids.to_pylist(), fields.to_pylist(), strict=True)
            ]
            return pa.array(texts, pa.string())

        return payload_json

    def _text(self, row_id: int | None, run_id: str | None, field: str | None) -> str | None:
        if row_id is None or run_id is None or field is None:
            return None
        record = self.record(row_id, run_id)
        if record is None:
            return "true" if field == "payload_gone" else None
        if field == "payload_gone":
            return "false"
        value = unknown_fields(record) or None if field == "raw" else record.get(field)
        return None if value is None else encode(value).decode()


def unknown_fields(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record that version 1 does not have."""
    return {name: value for name, value in record.items() if name not in KNOWN}
