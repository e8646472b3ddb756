"""What the screens ask about threads: checkpoint databases, and what the spans add to them."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flightlog.errors import FlightlogError
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.databases import is_url
from flightlog_viewer.tui.questions.cursors import Cursors
from flightlog_viewer.tui.questions.spans import RunSpan, SpanQuestions

if TYPE_CHECKING:
    from flightlog_viewer.analysis.join import Link
    from flightlog_viewer.approvals.approval import Approval
    from flightlog_viewer.checkpoints import CheckpointSource, Step, ThreadSummary
    from flightlog_viewer.tui.questions.known_threads import KnownThreads


T = TypeVar("T")


class ThreadEntry(NamedTuple):
    """A thread and the database it is in."""

    target: str
    summary: "ThreadSummary"


class ThreadSteps(NamedTuple):
    """All steps of a thread, and its runs in the span files."""

    thread_id: str
    steps: "list[Step]"
    runs: list[TraceRow]
    spans: list[RunSpan]
    """What those runs did."""
    links: "list[Link]"
    """Which span ran from which checkpoint, and how sure that is."""


class ThreadQuestions:
    """Databases are opened anew for every question: who writes them is never kept waiting.

    Of what was read before only threads with new rows are read again.
    """

    def __init__(self, checkpoints: list[str], cursors: Cursors, spans: SpanQuestions) -> None:
        self.checkpoints = checkpoints
        self.problems: list[str] = []
        """What a damaged database could not give, as sentences."""
        self._unreadable: dict[str, str] = {}
        """Databases that could not be read the last time, and why."""
        self._told: set[str] = set()
        self._stamps: dict[str, Hashable] = {}
        """What servers said when they were last asked for news."""
        self.took_s = 0.0
        """How long all databases took to answer the last question."""
        self._before: dict[tuple[str, str], list[Any]] = {}
        """What each database gave to a question the last time."""
        self._known: dict[str, KnownThreads] = {}
        self._cursors = cursors
        self._spans = spans

    def keep_readable(self) -> None:
        """Leave out what cannot be opened, and say so in ``problems``: the traces are worth seeing without it."""
        from flightlog_viewer.checkpoints import open_source

        for target in list(self.checkpoints):
            try:
                open_source(target).close()
            except FlightlogError as error:
                self.problems.append(str(error))
                self.checkpoints.remove(target)
        self.have_servers_news()  # counts from now on

    def news(self) -> list[str]:
        """Problems that have not been told yet, as sentences."""
        problems = [*self.problems, *self._unreadable.values()]
        found = [problem for problem in problems if problem not in self._told]
        self._told = set(problems)
        return found

    def forget(self) -> None:
        """Read everything anew the next time."""
        self._known.clear()

    def files(self) -> list[Path]:
        """The files of local databases, whether they are there or not."""
        return [Path(target + tail) for target in self.checkpoints if not is_url(target) for tail in ("", "-wal")]

    def servers(self) -> list[str]:
        """The databases whose files are elsewhere."""
        return [target for target in self.checkpoints if is_url(target)]

    def have_servers_news(self) -> bool:
        """Whether rows of a server have changed since this was last asked, or it has gone or come back."""
        from flightlog_viewer.checkpoints import open_source

        before = dict(self._stamps)
        for target in self.servers():
            self._stamps[target] = None
            with suppress(FlightlogError), open_source(target) as source:
                self._stamps[target] = source.rows.stamp()
        return self._stamps != before

    def listed(self) -> list[ThreadEntry]:
        """The threads of every database, newest first; the newest run of each says more of its status."""
        from flightlog_viewer.analysis.thread_status import newest_runs, refined

        runs = newest_runs(self._cursors.store.query("newest_runs") if self._cursors.ready else ())

        def read(target: str, source: "CheckpointSource") -> list[ThreadEntry]:
            summaries = self._known_of(target).threads(source)
            self.problems = list(dict.fromkeys([*self.problems, *source.problems]))
            return [ThreadEntry(target, refined(summary, runs.get(summary.thread_id))) for summary in summaries]

        return sorted(self._of_all("threads", read), key=lambda entry: entry.summary.updated_at or "", reverse=True)

    def steps(self, thread_id: str) -> ThreadSteps:
        """Every step of a thread, oldest first, with its runs. An unknown thread has no steps."""
        from flightlog_viewer.analysis.join import join, span_refs
        from flightlog_viewer.checkpoints import open_source

        steps: list[Step] = []
        for target in self.checkpoints:
            try:
                with open_source(target) as source:
                    if source.has_thread(thread_id):
                        steps = self._known_of(target).steps(source, thread_id)
                        break
            except FlightlogError:
                entries: list[ThreadEntry] = self._before.get(("threads", target), [])
                if len(self.checkpoints) == 1 or any(entry.summary.thread_id == thread_id for entry in entries):
                    raise
        if not self._cursors.ready:
            return ThreadSteps(thread_id, steps, [], [], [])
        links = join(steps, span_refs(self._cursors.store.query("thread_spans", thread_id=thread_id)))
        spans = self._spans
        return ThreadSteps(thread_id, steps, spans.runs_of(thread_id), spans.run_spans(thread_id), links)

    def approvals(self) -> tuple[list["Approval"], datetime | None]:
        """Every question of databases and spans with what became of it, and when a database was last written."""
        from flightlog_viewer.approvals.merge import merge
        from flightlog_viewer.approvals.span_side import SpanSide, span_side

        spans = span_side(self._cursors.store.query) if self._cursors.ready else SpanSide()
        recorded = self._of_all(
            "approvals", lambda target, source: self._known_of(target).approvals(source, spans.paused)
        )
        return merge(recorded, spans), self._last_written()

    def approval_figures(self, now: datetime, ttl_seconds: float) -> list[dict[str, Any]]:
        """How approvals went, by node and in all: lag percentiles in ms, agreement from 0 to 1, what waits."""
        from flightlog_viewer.approvals.metrics import measure

        approvals, _ = self.approvals()
        nodes = sorted({approval.node for approval in approvals})
        groups = {"all": approvals} | {node: [a for a in approvals if a.node == node] for node in nodes}
        found = []
        for name, members in groups.items():
            figures = measure(members, now, timedelta(seconds=ttl_seconds))
            lag = figures.exact_lag if figures.exact_lag.n else figures.window_lag_max
            found.append(
                {
                    "node": name,
                    "count": figures.questions,
                    "p50_ms": lag.p50_ms,
                    "p95_ms": lag.p95_ms,
                    "agreement": figures.overall.rate,
                    "pending": figures.waiting.count,
                    "past_ttl": figures.waiting.past_ttl,
                }
            )
        return found

    def _of_all(self, question: str, read: "Callable[[str, CheckpointSource], list[T]]") -> list[T]:
        """What every database gives; of one that cannot be read now what it gave before, and ``news`` says so.

        Raises the error of the first when none can be read and none ever was.
        """
        from flightlog_viewer.checkpoints import open_source

        found: list[T] = []
        errors = []
        began = monotonic()
        for target in self.checkpoints:
            try:
                with open_source(target) as source:
                    self._before[question, target] = read(target, source)
                self._unreadable.pop(target, None)
            except FlightlogError as error:
                errors.append(error)
                self._unreadable[target] = f"{error}; what was read of it before is shown"
            found += self._before.get((question, target), [])
        self.took_s = monotonic() - began
        if errors and len(errors) == len(self.checkpoints) and not found:
            raise errors[0]
        return found

    def _known_of(self, target: str) -> "KnownThreads":
        from flightlog_viewer.tui.questions.known_threads import KnownThreads

        return self._known.setdefault(target, KnownThreads())

    def _last_written(self) -> datetime | None:
        # Merely reading can leave an empty log beside the database: that is no write.
        times = [found.st_mtime for path in self.files() if path.exists() and (found := path.stat()).st_size]
        return datetime.fromtimestamp(max(times), UTC) if times else None
