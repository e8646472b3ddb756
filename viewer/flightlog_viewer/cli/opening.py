"""Opens the store for a command: progress on stderr, what was rejected said, the filter and the zone understood."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flightlog.errors import UnreadableError
from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.filter import EVERYTHING, Filter, Table, compile_filter
from flightlog_viewer.analysis.times import point, zone
from flightlog_viewer.cli.output import note, printed
from flightlog_viewer.cli.progress import Progress
from flightlog_viewer.cli.starting_over import StartOverError
from flightlog_viewer.safe_text import name_text

if TYPE_CHECKING:
    from flightlog_viewer import Store
    from flightlog_viewer.store.store import Gaps


_SAID: Final = 3
"""Damaged files, or others that could not be read, that are named."""
_DAMAGED: Final = "the index cache of these files was damaged and has been removed"


@dataclass(frozen=True, slots=True)
class Selection:
    """What ``--filter``, ``--since``, ``--until`` and their like leave over, for spans or for traces."""

    text: str | None = None
    since: str | None = None
    tz: str | None = None
    until: str | None = None
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
        if self.until is not None:
            parts.append(Filter("start_time < ?", [point(self.until, tz=self.zone)]))
        parts = [part for part in parts if part != EVERYTHING]
        if not parts:
            return EVERYTHING
        return Filter(" AND ".join(f"({p.where})" for p in parts), [value for p in parts for value in p.params])


@contextmanager
def opened(
    paths: Sequence[str] | None,
    *,
    checkpoints: Sequence[str] | None = None,
    tables: Mapping[str, str] | None = None,
    cache: bool = True,
    allow_empty: bool = False,
    quiet: bool = False,
) -> Iterator["Store"]:
    """The store over PATHS, closed at the end. Says on stderr what is missing in them: files that may not
    be read, and unless ``quiet`` lines that are not spans, spans that could not be written, spans of a later version.

    Raises StartOverError when the index cache turns out to be damaged before anything was printed.
    """
    from flightlog_viewer import open_store

    with Progress() as progress:
        store = open_store(
            paths or (),
            checkpoints=checkpoints or (),
            tables=tables,
            cache=cache,
            progress=progress,
            allow_empty=allow_empty,
        )
    with store:
        say_left_out(paths or [str(source.path) for source in store.sources[-1:]])
        rejected = 0 if quiet else store.reject_count
        damaged = store.damaged_files if rejected else []
        for sentence in damaged[:_SAID]:
            note(sentence)
        if len(damaged) > _SAID:
            note(f"{len(damaged) - _SAID:,} more compressed files lack their end")
        rejected -= len(damaged)
        if rejected:
            lines = "1 line is not a span and was" if rejected == 1 else f"{rejected:,} lines are not spans and were"
            note(f"{lines} left out (`flightlog doctor` says why)")
        if not quiet:
            _say_gaps(store.gaps)
        if store.cache_was_damaged:
            note(_DAMAGED)
        before = printed()
        try:
            yield store
        except Exception as error:
            if not store.drop_damaged_cache(error):
                raise
            if printed() > before:
                raise UnreadableError(f"{_DAMAGED}: give the command again") from None
            note(_DAMAGED)
            raise StartOverError from None


def say_left_out(paths: Sequence[str]) -> None:
    """Name the files that are meant by ``paths`` and cannot be read."""
    from flightlog_viewer.store.files.sources import left_out

    files = left_out(Path(path).expanduser() for path in paths)
    for path, why in [*files.items()][:_SAID]:
        note(f"{name_text(path)} is left out: {why}")
    if len(files) > _SAID:
        note(f"{len(files) - _SAID:,} more files are left out")


def _say_gaps(gaps: "Gaps") -> None:
    if gaps.lost:
        note(f"{units.plural(gaps.lost, 'span')} could not be written (`flightlog doctor` says when and why)")
    if gaps.newer:
        spans = units.plural(gaps.newer, "span was", "spans were")
        note(f"{spans} written by a later flightlog than this one, which may not know all of it")
