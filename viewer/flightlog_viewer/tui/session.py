"""What the screens ask: the store and the checkpoint databases, from threads, without a widget in sight.

Nothing heavy is imported before the first paint: DuckDB, numpy and the decoder come with the first question.
"""

import glob
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flightlog.errors import FlightlogError, UnreadableError
from flightlog_viewer.analysis.excerpt import TraceRow, excerpt
from flightlog_viewer.analysis.messages import ToolSpan
from flightlog_viewer.analysis.tree import SpanRow
from flightlog_viewer.store import screen_queries

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from flightlog_viewer.analysis.approvals import Approval
    from flightlog_viewer.analysis.filter import Filter
    from flightlog_viewer.analysis.join import Link
    from flightlog_viewer.checkpoints import Step, ThreadSummary
    from flightlog_viewer.store.store import Store

Progress = Callable[[int, int, int], bool]
"""Bytes done, bytes in all, rows so far; False stops the load."""

TRACE_SORTS: dict[str, str] = {
    "start": "start_time",
    "duration": "duration_ms",
    "spans": "span_count",
    "tokens": "total_tokens",
    "cost": "cost_usd",
    "name": "name",
    "status": "status",
    "thread": "thread_id",
}
_COST = "CASE WHEN unknown_costs = 0 THEN coalesce(cost_usd, 0) END"
_TOKENS = "CASE WHEN llm_count = 0 THEN 0 ELSE total_tokens END"
_TRACE_FIELDS = (
    "row_id, trace_id, name, status, epoch_us(start_time), duration_ms, span_count, error_count, "
    f"{_TOKENS}, {_COST}, thread_id"
)
_SPAN_FIELDS = (
    "row_id, run_id, parent_run_id, type, kind, name, status, epoch_us(start_time), duration_ms, node, step, "
    "token_usage.total_tokens, cost_usd"
)


class ThreadEntry(NamedTuple):
    """A thread and the database it is in."""

    target: str
    summary: "ThreadSummary"


class ThreadSteps(NamedTuple):
    """All steps of a thread, and its runs in the span files."""

    thread_id: str
    steps: "list[Step]"
    runs: list[TraceRow]
    links: "list[Link]"
    """Which span ran from which checkpoint, and how sure that is."""


def _refined(summary: "ThreadSummary", runs: Mapping[str, str]) -> "ThreadSummary":
    from flightlog_viewer.analysis.thread_status import refine

    status, inferred = refine(summary.status, summary.next, runs.get(summary.thread_id))
    return replace(summary, status=cast(Any, status), inferred=inferred)


class Session:
    """One set of span files and checkpoint databases."""

    def __init__(self, paths: Sequence[str] = (), checkpoints: Sequence[str] = (), *, cache: bool = True) -> None:
        self.paths = list(paths)
        self.checkpoints = list(checkpoints)
        self.cache = cache
        self.problems: list[str] = []
        """What a damaged database could not give, as sentences."""
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._store: Store | None = None
        self._asked: dict[str, duckdb.DuckDBPyConnection] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def loaded(self) -> bool:
        return self._store is not None

    @property
    def store(self) -> "Store":
        """The loaded store. Raises RuntimeError before ``load`` has ended."""
        if self._store is None:
            raise RuntimeError("the files are still being loaded")
        return self._store

    def files(self) -> list[Path]:
        """The span files meant; none only beside checkpoint databases. Raises UnreadableError otherwise."""
        from flightlog_viewer.store.sources import resolve

        try:
            return resolve(self.paths)
        except UnreadableError:
            if self.paths or not self.checkpoints:
                raise
            return []

    def check_checkpoints(self) -> None:
        """Raises UnreadableError for a database file that is missing or none, without opening it."""
        for target in self.checkpoints:
            if "://" in target:
                continue
            try:
                with open(target, "rb") as file:
                    head = file.read(16)
            except OSError as error:
                raise UnreadableError(f"{target} cannot be read: {error.strerror}") from None
            if head and head != b"SQLite format 3\0":
                raise UnreadableError(f"{target} is no SQLite database")

    def excerpt(self) -> list[TraceRow]:
        """The newest traces, without the store."""
        return excerpt(self.files())

    def load(self, progress: Progress) -> None:
        """Load everything; raises FlightlogError when a file or database cannot be read."""
        from flightlog_viewer import open_store
        from flightlog_viewer.checkpoints import open_source

        readable = []
        for target in self.checkpoints:
            try:
                open_source(target).close()
                readable.append(target)
            except FlightlogError as error:
                # The traces are worth seeing without it.
                self.problems.append(str(error))
        self.checkpoints = readable
        self._store = open_store(
            self.paths,
            checkpoints=self.checkpoints,
            cache=self.cache,
            progress=progress,
            allow_empty=True,
            threads=max(1, (os.cpu_count() or 2) - 1),  # one core is left to the keys
        )

    def refresh(self) -> int:
        """Read what has been appended; how many rows are new."""
        return self.store.refresh()

    @property
    def span_count(self) -> int:
        """Spans loaded."""
        return self.store.span_count

    @property
    def reject_count(self) -> int:
        """Lines that are no spans."""
        return int(self.rows("SELECT count(*) FROM rejects")[0][0])

    def rejects(self) -> list[tuple[Any, ...]]:
        """Path, byte offset and reason of lines that are no spans, the first thousand."""
        return self.rows("SELECT file, byte_offset, reason FROM rejects ORDER BY file, byte_offset LIMIT 1000")

    def watched(self) -> list[Path]:
        """The files and folders whose change is worth a look: spans, what is in flight, checkpoint databases."""
        files = [source.path for source in self.store.sources]
        sidecars = [found for path in files for found in path.parent.glob(f"{glob.escape(path.name)}.*.open")]
        local = [Path(target + tail) for target in self.checkpoints if "://" not in target for tail in ("", "-wal")]
        return [*files, *{path.parent for path in files}, *sidecars, *local]

    def close(self) -> None:
        """Let go of files and threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        store, self._store = self._store, None
        if store is not None:
            for cursor in list(self._asked.values()):
                with suppress(Exception):  # closing: a cursor that is already gone is fine
                    cursor.interrupt()
            store.close()

    @contextmanager
    def topic(self, name: str) -> Iterator[None]:
        """Questions of this thread in the block belong to a topic and can be interrupted by its name."""
        self._local.topic = name
        try:
            yield
        finally:
            self._local.topic = self._local.cursor = None
            with self._lock:
                self._asked.pop(name, None)

    def interrupt(self, topic: str) -> None:
        """Stop the question of a topic, if one is running."""
        with self._lock:
            cursor = self._asked.get(topic)
        if cursor is not None:
            cursor.interrupt()

    def rows(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one of the program's own queries."""
        return self._execute(query, params).fetchall()

    def trace_ids(self, where: "Filter | None", sort: str, descending: bool) -> "NDArray[np.int64]":
        """Row ids of the traces that pass, sorted; unknown values last."""
        condition, params = (where.where, where.params) if where is not None else ("true", [])
        order = f"{TRACE_SORTS[sort]} {'DESC' if descending else 'ASC'} NULLS LAST, row_id"
        found = self._execute(f"SELECT row_id FROM traces WHERE {condition} ORDER BY {order}", params)
        ids: NDArray[np.int64] = found.fetchnumpy()["row_id"]
        return ids

    def trace_page(self, ids: Sequence[int]) -> dict[int, TraceRow]:
        """Light fields of some traces by the row id of their root."""
        # One list is bound twice as fast as a hundred values.
        query = f"SELECT {_TRACE_FIELDS} FROM traces WHERE row_id IN (SELECT unnest(?::BIGINT[]))"
        rows = self.rows(query, [list(ids)])
        return {row[0]: TraceRow._make(row[1:]) for row in rows}

    def trace_summary(self, where: "Filter | None") -> dict[str, Any]:
        """Sums over the traces that pass: count, errors, p95_ms, tokens, cost (None: some price is unknown)."""
        condition, params = (where.where, where.params) if where is not None else ("true", [])
        row = self.rows(
            "SELECT count(*), count(*) FILTER (status = 'error'), "
            "quantile_cont(duration_ms, 0.95) FILTER (status IN ('ok', 'error')), sum(total_tokens), "
            "CASE WHEN sum(unknown_costs) = 0 THEN coalesce(sum(cost_usd), 0) END "
            f"FROM traces WHERE {condition}",
            params,
        )[0]
        return dict(zip(("traces", "errors", "p95_ms", "tokens", "cost"), row, strict=True))

    def find_trace(self, trace_id: str) -> TraceRow | None:
        """A trace by its id."""
        rows = self.rows(f"SELECT {_TRACE_FIELDS} FROM traces WHERE trace_id = ?", [trace_id])
        return TraceRow._make(rows[0][1:]) if rows else None

    def spans_of(self, trace_id: str) -> list[SpanRow]:
        """Every span of a trace."""
        return [
            SpanRow._make(row) for row in self.rows(f"SELECT {_SPAN_FIELDS} FROM spans WHERE trace_id = ?", [trace_id])
        ]

    def matching_spans(self, trace_id: str, where: "Filter") -> set[int]:
        """Row ids of the spans of a trace that pass."""
        query = f"SELECT row_id FROM spans WHERE trace_id = ? AND ({where.where})"
        return {row[0] for row in self.rows(query, [trace_id, *where.params])}

    def span(self, row_id: int) -> dict[str, Any]:
        """The light fields of one span by name; of a model call the prices and kinds of tokens as well."""
        found = self._row(screen_queries.span_columns(), "spans", row_id)
        if found.get("type") == "llm":
            found |= self._row("* EXCLUDE (row_id, cost_usd)", "llm_costs", row_id)
        return found

    def _row(self, columns: str, table: str, row_id: int) -> dict[str, Any]:
        cursor = self._execute(f"SELECT {columns} FROM {table} WHERE row_id = ?", [row_id])
        names = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone()
        return {} if row is None else dict(zip(names, row, strict=True))

    def payload(self, row_id: int) -> dict[str, Any]:
        """``inputs``, ``output``, ``metadata``, ``raw`` of one span as far as they are known."""
        return self.store.payload(row_id)

    def tool_spans(self, trace_id: str) -> dict[str, ToolSpan]:
        """The tool runs of a trace by the id of the call."""
        query = (
            "SELECT tool_call_id, row_id, name, status, duration_ms FROM spans "
            "WHERE trace_id = ? AND tool_call_id IS NOT NULL"
        )
        return {row[0]: ToolSpan._make(row[1:]) for row in self.rows(query, [trace_id])}

    def threads(self) -> list[ThreadEntry]:
        """The threads of every database, newest first; the newest run of each says more of its status."""
        from flightlog_viewer.checkpoints import open_source

        found: list[ThreadEntry] = []
        runs = {row["thread_id"]: row["status"] for row in self.store.query("newest_runs")} if self.loaded else {}
        for target in self.checkpoints:
            with open_source(target) as source:
                found.extend(ThreadEntry(target, _refined(summary, runs)) for summary in source.threads())
                self.problems = list(dict.fromkeys([*self.problems, *source.problems]))
        return sorted(found, key=lambda entry: entry.summary.updated_at or "", reverse=True)

    def steps(self, thread_id: str) -> ThreadSteps:
        """Every step of a thread, oldest first, with its runs. An unknown thread has no steps."""
        from flightlog_viewer.analysis.join import join, span_refs
        from flightlog_viewer.checkpoints import open_source

        steps: list[Step] = []
        for target in self.checkpoints:
            with open_source(target) as source:
                if source.has_thread(thread_id):
                    steps = list(source.history(thread_id).steps)
                    break
        if not self.loaded:
            return ThreadSteps(thread_id, steps, [], [])
        links = join(steps, span_refs(self.store.query("thread_spans", thread_id=thread_id)))
        return ThreadSteps(thread_id, steps, self.runs_of(thread_id), links)

    def runs_of(self, thread_id: str) -> list[TraceRow]:
        """The traces of a thread, oldest first."""
        query = f"SELECT {_TRACE_FIELDS} FROM traces WHERE thread_id = ? ORDER BY start_time LIMIT 1000"
        return [TraceRow._make(row[1:]) for row in self.rows(query, [thread_id])]

    def approvals(self) -> tuple[list["Approval"], datetime | None]:
        """Every question of databases and spans with what became of it, and when a database was last written."""
        from flightlog_viewer.analysis.approvals import merge
        from flightlog_viewer.analysis.span_approvals import span_answers, span_pauses, span_questions
        from flightlog_viewer.checkpoints import open_source
        from flightlog_viewer.checkpoints.approvals import database_approvals

        names = ("questions", "answers", "pauses")
        asked, answers, paused = (self.store.query(name) if self.loaded else [] for name in names)
        pauses = list(span_pauses(paused))
        stops: dict[str, set[str]] = {}
        for pause in pauses:
            stops.setdefault(pause.thread_id, set()).add(pause.checkpoint_id)
        recorded: list[Approval] = []
        for target in self.checkpoints:
            with open_source(target) as source:
                recorded.extend(approval for approval, _ in database_approvals(source, pauses=stops))
        return merge(recorded, span_questions(asked), span_answers(answers), pauses), self._last_written()

    def approval_figures(self, now: datetime, ttl_seconds: float) -> list[dict[str, Any]]:
        """How approvals went, by node and in all: lag percentiles in ms, agreement from 0 to 1, what waits."""
        from flightlog_viewer.analysis.approval_metrics import measure

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

    def _last_written(self) -> datetime | None:
        files = [Path(target + tail) for target in self.checkpoints if "://" not in target for tail in ("", "-wal")]
        # Merely reading can leave an empty log beside the database: that is no write.
        times = [found.st_mtime for path in files if path.exists() and (found := path.stat()).st_size]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def groups(self, by: str) -> list[dict[str, Any]]:
        """The figures of the commands' ``summary`` by a key."""
        return self.store.query("summary", by=by)

    def latency_bins(self, kind: str) -> list[tuple[Any, ...]]:
        """Calls of a type by duration (``screen_queries.latency_bins``)."""
        return self.rows(*screen_queries.latency_bins(kind))

    def token_bins(self, count: int) -> list[tuple[Any, ...]]:
        """Tokens over time (``screen_queries.token_bins``)."""
        return self.rows(*screen_queries.token_bins(count))

    def tables(self) -> dict[str, list[tuple[str, str]]]:
        """Columns and types of every table that SQL can name."""
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in self.rows(*screen_queries.tables()):
            found.setdefault(table, []).append((column, kind))
        return found

    def sql(self, query: str, most: int | None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """A query of the user's in the locked session: columns and at most ``most`` rows. Raises UsageError."""
        from flightlog_viewer.store.session import run

        self.store.prepare(query)
        with closing(run(self._cursor(), query)) as result:
            self._local.cursor = None  # the result owns it now; by its topic it can still be interrupted
            rows = result.fetchall() if most is None else result.fetchmany(most)
            return list(result.columns), rows

    def find_span(self, column: str, value: Any) -> tuple[str, int] | None:
        """Trace id and row id of the span with a ``run_id``, ``parent_run_id`` (the parent itself) or ``row_id``."""
        name = "row_id" if column == "row_id" else "run_id"
        rows = self.rows(f"SELECT trace_id, row_id FROM spans WHERE {name} = ? LIMIT 1", [value])
        return (rows[0][0], rows[0][1]) if rows else None

    def _execute(self, query: str, params: Sequence[Any]) -> "duckdb.DuckDBPyConnection":
        self.store.prepare(query)
        return self._cursor().execute(query, list(params))

    def _cursor(self) -> "duckdb.DuckDBPyConnection":
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self.store.cursor()
        topic = getattr(self._local, "topic", None)
        if topic is not None:
            with self._lock:
                self._asked[topic] = cursor
        return cursor
