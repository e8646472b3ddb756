"""What the screens ask about traces and their spans.

What is needed for one trace only is imported with the first one: the list of traces is to be there at once.
"""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.store.queries import screens as screen_queries
from flightlog_viewer.tui.background import uncollected
from flightlog_viewer.tui.questions.cursors import Cursors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flightlog_viewer.analysis.filter import Filter
    from flightlog_viewer.analysis.folding import Folding, Key
    from flightlog_viewer.analysis.messages import ToolSpan
    from flightlog_viewer.analysis.timeline import Spread
    from flightlog_viewer.analysis.tree import SpanRow

TRACE_SORTS: dict[str, str] = {
    "start": "start_time",
    "duration": "duration_ms",
    "spans": "span_count",
    "tokens": "total_tokens",
    "cost": "cost_usd",
    "name": "name",
    "status": "status",
    "thread": "thread_id",
    "service": "service",
}
_COST = "CASE WHEN unknown_costs = 0 THEN coalesce(cost_usd, 0) ELSE cost_usd END"
_TOKENS = "CASE WHEN llm_count = 0 THEN 0 ELSE total_tokens END"
_TRACE_FIELDS = (
    "row_id, trace_id, name, status, epoch_us(start_time), duration_ms, span_count, error_count, "
    f"{_TOKENS}, {_COST}, thread_id, service, unknown_costs"
)
_SPAN_FIELDS = (
    "row_id, run_id, parent_run_id, type, kind, name, status, epoch_us(start_time), duration_ms, node, step, "
    "CASE WHEN counted THEN token_usage.total_tokens END, cost_usd, attempt"
)


_MOST_SPANS = 5000
"""Of one thread, in the list beside its steps."""
_LARGE = 10_000
"""Spans; below that nothing is worth a thought about memory."""


def trace_order(sort: str, descending: bool) -> str:
    """The order of the list of traces as SQL; unknown values last."""
    return f"{TRACE_SORTS[sort]} {'DESC' if descending else 'ASC'} NULLS LAST"


class RunSpan(NamedTuple):
    """A span in the list of a thread's runs."""

    row_id: int
    trace_id: str
    name: str
    type: str
    kind: str | None
    status: str
    start_us: int
    duration_ms: float | None
    is_root: bool
    step: int | None
    attempt: int | None


class OpenTrace(NamedTuple):
    """All that the screen of one trace shows at once."""

    folding: "Folding"
    spread: "Spread"
    tools: "dict[str, ToolSpan]"
    """The tool runs by the id of the call."""


class SpanQuestions:
    """Answers come from the store, in whichever thread asks."""

    def __init__(self, cursors: Cursors) -> None:
        self._cursors = cursors

    def trace_ids(self, where: "Filter | None", sort: str, descending: bool) -> "NDArray[np.int64]":
        """Row ids of the traces that pass, sorted; unknown values last."""
        condition, params = (where.where, where.params) if where is not None else ("true", [])
        order = trace_order(sort, descending)
        found = self._cursors.execute(f"SELECT row_id FROM traces WHERE {condition} ORDER BY {order}, row_id", params)
        ids: NDArray[np.int64] = found.fetchnumpy()["row_id"]
        return ids

    def trace_page(self, ids: Sequence[int]) -> dict[int, TraceRow]:
        """Light fields of some traces by the row id of their root."""
        # One list is bound twice as fast as a hundred values.
        query = f"SELECT {_TRACE_FIELDS} FROM traces WHERE row_id IN (SELECT unnest(?::BIGINT[]))"
        rows = self._cursors.rows(query, [list(ids)])
        return {row[0]: TraceRow._make(row[1:]) for row in rows}

    def trace_summary(self, where: "Filter | None") -> dict[str, Any]:
        """Sums over the traces that pass: count, errors, died, p95_ms, tokens, cost, unknown_costs.

        Of all traces: ``total``, and whether there are several ``services``.
        """
        condition, params = (where.where, where.params) if where is not None else ("true", [])
        row = self._cursors.rows(
            "SELECT count(*), count(*) FILTER (status = 'error'), count(*) FILTER (status = 'unfinished'), "
            "quantile_cont(duration_ms, 0.95) FILTER (status <> 'interrupted'), "
            "CASE WHEN coalesce(sum(llm_count), 0) = 0 THEN 0 ELSE sum(total_tokens) END, "
            "CASE WHEN sum(unknown_costs) = 0 THEN coalesce(sum(cost_usd), 0) ELSE sum(cost_usd) END, "
            "coalesce(sum(unknown_costs), 0), "
            "(SELECT count(*) FROM traces), (SELECT count(DISTINCT service) > 1 FROM traces) "
            f"FROM traces WHERE {condition}",
            params,
        )[0]
        return dict(
            zip(
                ("traces", "errors", "died", "p95_ms", "tokens", "cost", "unknown_costs", "total", "services"),
                row,
                strict=True,
            )
        )

    def failed_rows(self, ids: "NDArray[np.int64]") -> list[int]:
        """Where in a list of traces, given by the row ids of their roots, those stand that failed or died."""
        import numpy as np

        failed = self._cursors.rows("SELECT row_id FROM traces WHERE status IN ('error', 'unfinished')")
        found: list[int] = np.flatnonzero(np.isin(ids, [row[0] for row in failed])).tolist()
        return found

    def find_trace(self, trace_id: str) -> TraceRow | None:
        """A trace by its id."""
        rows = self._cursors.rows(f"SELECT {_TRACE_FIELDS} FROM traces WHERE trace_id = ?", [trace_id])
        return TraceRow._make(rows[0][1:]) if rows else None

    def spans_of(self, trace_id: str) -> "list[SpanRow]":
        """Every span of a trace."""
        from flightlog_viewer.analysis.tree import SpanRow

        found = self._cursors.rows(f"SELECT {_SPAN_FIELDS} FROM spans WHERE trace_id = ?", [trace_id])
        with uncollected(len(found) > _LARGE):
            return list(map(SpanRow._make, found))

    def open_trace(
        self, trace_id: str, until_us: int, folded: "Container[Key]" = (), found_by: "Filter | None" = None
    ) -> OpenTrace:
        """A trace ready to be drawn: unended spans run ``until_us`` then, and ``folded`` is closed.

        ``found_by`` is a filter over spans: what the list that it was found in was filtered by.
        """
        from flightlog_viewer.analysis.folding import Folding
        from flightlog_viewer.analysis.timeline import measure
        from flightlog_viewer.analysis.tree import build

        rows = self.spans_of(trace_id)
        with uncollected(len(rows) > _LARGE):
            folding = Folding(build(rows), folded)
            spread = measure(folding.outline, until_us)
        if found_by is not None:
            folding.lead(self.matching_spans(trace_id, found_by))
        return OpenTrace(folding, spread, self.tool_spans(trace_id))

    def matching_spans(self, trace_id: str, where: "Filter") -> set[int]:
        """Row ids of the spans of a trace that pass."""
        query = f"SELECT row_id FROM spans WHERE trace_id = ? AND ({where.where})"
        return {row[0] for row in self._cursors.rows(query, [trace_id, *where.params])}

    def span(self, row_id: int) -> dict[str, Any]:
        """The light fields of one span by name; of a model call the prices and kinds of tokens as well."""
        found = self._cursors.row(screen_queries.span_columns(), "spans", row_id)
        if found.get("type") == "llm":
            found |= self._cursors.row("* EXCLUDE (row_id, cost_usd)", "llm_costs", row_id)
        return found

    def payload(self, row_id: int) -> dict[str, Any]:
        """``inputs``, ``output``, ``metadata``, ``raw`` of one span as far as they are known."""
        return self._cursors.store.payload(row_id)

    def tool_spans(self, trace_id: str) -> "dict[str, ToolSpan]":
        """The tool runs of a trace by the id of the call."""
        from flightlog_viewer.analysis.messages import ToolSpan

        query = (
            "SELECT tool_call_id, row_id, name, status, duration_ms FROM spans "
            "WHERE trace_id = ? AND tool_call_id IS NOT NULL"
        )
        return {row[0]: ToolSpan._make(row[1:]) for row in self._cursors.rows(query, [trace_id])}

    def run_spans(self, thread_id: str) -> list[RunSpan]:
        """The spans of every run of a thread, run by run, without the routing and plumbing between the nodes."""
        query = (
            "SELECT row_id, trace_id, name, type, kind, status, epoch_us(start_time), duration_ms, "
            "parent_run_id IS NULL OR (kind = 'graph' AND node IS NULL), step, attempt FROM spans WHERE thread_id = ? "
            "AND (parent_run_id IS NULL OR kind IS NULL OR kind NOT IN ('edge', 'runnable')) "
            f"ORDER BY min(start_time) OVER (PARTITION BY trace_id), trace_id, start_time, row_id LIMIT {_MOST_SPANS}"
        )
        return [RunSpan._make(row) for row in self._cursors.rows(query, [thread_id])]

    def runs_of(self, thread_id: str) -> list[TraceRow]:
        """The traces of a thread, oldest first."""
        query = f"SELECT {_TRACE_FIELDS} FROM traces WHERE thread_id = ? ORDER BY start_time LIMIT 1000"
        return [TraceRow._make(row[1:]) for row in self._cursors.rows(query, [thread_id])]

    def find_span(self, column: str, value: Any) -> tuple[str, int] | None:
        """Trace id and row id of the span with a ``run_id``, ``parent_run_id`` (the parent itself) or ``row_id``."""
        name = "row_id" if column == "row_id" else "run_id"
        rows = self._cursors.rows(f"SELECT trace_id, row_id FROM spans WHERE {name} = ? LIMIT 1", [value])
        return (rows[0][0], rows[0][1]) if rows else None

    def unended(self) -> list[tuple[str, str]]:
        """Run id and status of what has started and not ended."""
        rows = self._cursors.rows("SELECT run_id, status FROM spans WHERE row_id < 0 ORDER BY row_id DESC")
        return [(row[0], row[1]) for row in rows]

    def reject_count(self) -> int:
        """Lines that are not spans."""
        return int(self._cursors.rows("SELECT count(*) FROM rejects")[0][0])

    def losses(self) -> list[tuple[Any, ...]]:
        """Time and sentence of each time that spans could not be written, the first thousand."""
        return self._cursors.rows(
            "SELECT epoch_us(start_time), concat_ws(': ', host, error.message) FROM spans "
            "WHERE type = 'event' AND name = 'flightlog.loss' ORDER BY start_time LIMIT 1000"
        )

    def rejects(self) -> list[tuple[Any, ...]]:
        """Path, byte offset and reason of lines that are not spans, the first thousand."""
        return self._cursors.rows("SELECT file, byte_offset, reason FROM rejects ORDER BY file, byte_offset LIMIT 1000")
