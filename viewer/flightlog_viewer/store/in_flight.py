"""What has started and not ended: the sidecars of writers, as rows without a duration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightlog.reader import OpenSpan, read_open_spans
from flightlog_viewer.store.columns import LIGHT_NAMES
from flightlog_viewer.store.sieve import clean


@dataclass(frozen=True, slots=True)
class Started:
    """One start, and the file its writer writes to."""

    file_id: int
    open_span: OpenSpan

    @property
    def writer_id(self) -> str | None:
        """Of the record, as ``seq``."""
        return self.open_span.span.writer_id

    @property
    def seq(self) -> int | None:
        """The writer's counter: with ``writer_id`` the key of the record."""
        return self.open_span.span.seq

    @property
    def key(self) -> tuple[str | None, int | None, str, str]:
        """What tells a change from one look at the sidecars to the next."""
        span = self.open_span.span
        return span.writer_id, span.seq, span.run_id, self.open_span.state

    def record(self) -> dict[str, Any]:
        """The record so far; its status says whether the writer lives."""
        return self.open_span.span.to_record() | {"status": self.open_span.state}

    def light_record(self) -> dict[str, Any]:
        """The light fields of usable value."""
        record = self.record()
        return clean({name: record[name] for name in LIGHT_NAMES & record.keys()})[0]


def read_started(files: list[tuple[int, Path]]) -> list[Started]:
    """The starts in the sidecars beside each file. Read them before the file: a span that ends meanwhile is in both."""
    return [Started(file_id, found) for file_id, path in files for found in read_open_spans(path, ())]
