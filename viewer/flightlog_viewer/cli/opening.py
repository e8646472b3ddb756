"""Opens the store for a command: progress on stderr, what was rejected said, the filter and the zone understood."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING

from flightlog_viewer.analysis.filter import Filter, Table, compile_filter
from flightlog_viewer.analysis.times import point, zone
from flightlog_viewer.cli.output import note
from flightlog_viewer.cli.progress import Progress

if TYPE_CHECKING:
    from flightlog_viewer import Store


@dataclass(frozen=True, slots=True)
class Selection:
    """What ``--filter``, ``--since`` and their like leave over, for spans or for traces."""

    text: str | None = None
    since: str | None = None
    tz: str | None = None
    more: list[Filter] = field(default_factory=list)
    """Further conditions, over columns that both tables have."""

    @property
    def zone(self) -> tzinfo:
        """The zone of ``--tz``; UTC without it. Raises UsageError."""
        return zone(self.tz)

    def over(self, table: Table) -> Filter:
        """The condition for rows of ``table``. Raises UsageError with the place of a mistake."""
        parts = [compile_filter(self.text or "", table, tz=self.zone), *self.more]
        if self.since is not None:
            parts.append(Filter("start_time >= ?", [point(self.since, tz=self.zone)]))
        parts = [part for part in parts if part.where != "true"]
        if not parts:
            return Filter("true", [])
        return Filter(" AND ".join(f"({p.where})" for p in parts), [value for p in parts for value in p.params])


@contextmanager
def opened(
    paths: Sequence[str] | None,
    *,
    checkpoints: Sequence[str] | None = None,
    cache: bool = True,
    allow_empty: bool = False,
    quiet: bool = False,
) -> Iterator["Store"]:
    """The store over PATHS, closed at the end. Says on stderr how many lines are no spans, unless ``quiet``."""
    from flightlog_viewer import open_store

    with Progress() as progress:
        store = open_store(
            paths or (), checkpoints=checkpoints or (), cache=cache, progress=progress, allow_empty=allow_empty
        )
    with store:
        rejected = 0 if quiet else store.reject_count
        if rejected:
            lines = "1 line is no span and was" if rejected == 1 else f"{rejected:,} lines are no spans and were"
            note(f"{lines} left out (`flightlog doctor` says why)")
        yield store
