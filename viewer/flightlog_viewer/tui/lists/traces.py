"""The rows of the list of traces: those of the excerpt until the store is there, then pages from the store."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui.lists.trace_cells import COLUMNS
from flightlog_viewer.tui.session import Session
from flightlog_viewer.tui.widgets.paged_rows import Page, PagedRows
from flightlog_viewer.tui.widgets.row_list import Cell, RowList, TableRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TraceLister:
    """Makes rows, and knows again which trace a row of a list stands for."""

    def __init__(
        self, session: Session, line: Callable[[TraceRow, float | None], list[Cell]], arrived: Callable[[], None]
    ) -> None:
        self._session = session
        self._line = line
        self._arrived = arrived
        self._traces: dict[Hashable, TraceRow] = {}

    def excerpt(self, traces: Sequence[TraceRow]) -> TableRows:
        """Rows for traces that are known; their keys are the trace ids."""
        self._traces = {trace.trace_id: trace for trace in traces}
        return TableRows([self._line(trace, None) for trace in traces], [trace.trace_id for trace in traces])

    def paged(self, ids: "NDArray[np.int64]", p95_ms: float | None) -> PagedRows:
        """Rows for traces of the store by the row ids of their roots, fetched when they are looked at.

        ``p95_ms`` is the duration that bars compare with.
        """
        return PagedRows(ids, partial(self._page, p95_ms), self._session.pool, self._arrived)

    def at_cursor(self, table: RowList) -> TraceRow | None:
        """The trace under the cursor; None while it is being fetched, and in an empty list."""
        rows = table.rows
        if isinstance(rows, PagedRows):
            name = rows.name(table.cursor) if len(rows) else None
            return None if name is None else self._traces.get(name)
        return None if table.key is None else self._traces.get(table.key)

    def _page(self, p95_ms: float | None, ids: list[int]) -> Page:
        with self._session.cursors.topic("page"):
            found = self._session.spans.trace_page(ids)
        page: list[tuple[Hashable, list[Cell]]] = []
        for row_id in ids:
            trace = found.get(row_id)
            if trace is None:
                page.append((row_id, [Cell("")] * len(COLUMNS)))
                continue
            self._traces[trace.trace_id] = trace
            page.append((trace.trace_id, self._line(trace, p95_ms)))
        return page
