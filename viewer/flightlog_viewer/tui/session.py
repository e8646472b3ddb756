"""What is open: span files and checkpoint databases, from the first look until the end.

Nothing heavy is imported before the first paint: DuckDB, numpy and the decoder come with the first question.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flightlog.errors import UnreadableError
from flightlog_viewer.analysis.excerpt import excerpt
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.databases import SQLITE, is_url
from flightlog_viewer.tui.questions.cursors import Cursors
from flightlog_viewer.tui.questions.groups import GroupQuestions
from flightlog_viewer.tui.questions.spans import SpanQuestions
from flightlog_viewer.tui.questions.threads import ThreadQuestions

Progress = Callable[[int, int, int], bool]
"""Bytes done, bytes in all, rows so far; False stops the load."""


class Session:
    """One set of span files and checkpoint databases."""

    def __init__(self, paths: Sequence[str] = (), checkpoints: Sequence[str] = (), *, cache: bool = True) -> None:
        self.paths = list(paths)
        self.cache = cache
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self.cursors = Cursors()
        self.spans = SpanQuestions(self.cursors)
        self.groups = GroupQuestions(self.cursors)
        self.threads = ThreadQuestions(list(checkpoints), self.cursors, self.spans)
        self.left_out: dict[Path, str] = {}
        """Files that are meant by `paths` and cannot be read, and why."""
        self.reject_count = 0
        """Lines that are not spans."""
        self.lost = 0
        """Spans that a tracer could not write."""
        self.newer = 0
        """Spans of a later version of the record."""
        self._unended: list[tuple[str, str]] = []

    @property
    def checkpoints(self) -> list[str]:
        """The databases."""
        return self.threads.checkpoints

    @property
    def loaded(self) -> bool:
        """Whether the store is there."""
        return self.cursors.ready

    def drop_damaged_cache(self, error: Exception) -> bool:
        """Delete the index cache of the files if ``error`` says that it is damaged; whether it does."""
        return self.loaded and self.cursors.store.drop_damaged_cache(error)

    def files(self) -> list[Path]:
        """The span files meant; none only beside checkpoint databases. Raises UnreadableError otherwise."""
        from flightlog_viewer.store.files.sources import resolve

        try:
            return resolve(self.paths)
        except UnreadableError:
            if self.paths or not self.checkpoints:
                raise
            return []

    def check_checkpoints(self) -> None:
        """Raises UnreadableError for a database file that is missing or none, without opening it."""
        for target in self.checkpoints:
            if is_url(target):
                continue
            try:
                with open(target, "rb") as file:
                    head = file.read(len(SQLITE))
            except OSError as error:
                raise UnreadableError(f"{target} cannot be read: {error.strerror}") from None
            if head and head != SQLITE:
                raise UnreadableError(f"{target} is not a SQLite database")

    def excerpt(self) -> list[TraceRow]:
        """The newest traces, without the store."""
        return excerpt(self.files())

    def load(self, progress: Progress) -> None:
        """Load everything; raises FlightlogError when a file or database cannot be read."""
        from flightlog_viewer import open_store
        from flightlog_viewer.store.files.sources import left_out

        self.threads.keep_readable()
        self.threads.forget()
        store = open_store(
            self.paths,
            checkpoints=self.checkpoints,
            cache=self.cache,
            progress=progress,
            allow_empty=True,
            threads=max(1, (os.cpu_count() or 2) - 1),  # one core is left to the keys
        )
        self.cursors.open(store)
        self.left_out = left_out(Path(path).expanduser() for path in self.paths)
        self._look()

    def refresh(self) -> bool:
        """Read what has been appended, and who has died; whether that changes anything."""
        before = self._unended
        new = self.cursors.store.refresh()
        self._look()
        return bool(new) or self._unended != before

    def _look(self) -> None:
        self.reject_count = self.spans.reject_count()
        self.lost, self.newer = self.cursors.store.gaps
        self._unended = self.spans.unended() if self.cursors.store.in_flight else []

    @property
    def in_flight(self) -> bool:
        """Whether a span has started and not ended in a process that was there when it was last looked at."""
        return any(status == "running" for _, status in self._unended)

    @property
    def span_count(self) -> int:
        """Spans loaded."""
        return self.cursors.store.span_count

    def is_behind(self) -> bool:
        """Whether a file has changed that can be read anew in a while only."""
        return self.cursors.store.is_behind()

    def watched(self) -> list[Path]:
        """The files and folders whose change is worth a look: spans, what is in flight, checkpoint databases."""
        from flightlog_viewer.store.loading.in_flight import files_with_sidecars

        sources = self.cursors.store.sources
        files = [source.path for source in sources if source.followed]
        sidecars = [sidecar for beside in files_with_sidecars(files).values() for sidecar in beside]
        return [*files, *{source.path.parent for source in sources}, *sidecars, *self.threads.files()]

    def close(self) -> None:
        """Let go of files and threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.cursors.close()
