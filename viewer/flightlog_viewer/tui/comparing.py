"""Two traces side by side: one is marked, another is put beside it."""

from typing import TYPE_CHECKING

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.tui.screens.view import View

if TYPE_CHECKING:
    from flightlog_viewer.tui.questions.spans import OpenTrace


class Comparison:
    """Remembers the first of the two for a view."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._first: TraceRow | None = None

    def take(self, trace: TraceRow) -> None:
        """Mark a trace, or show the marked one beside it."""
        first, view, session = self._first, self._view, self._view.session
        if first is None or first.trace_id == trace.trace_id:
            self._first = trace
            when = units.clock(trace.start_us, view.zone)
            view.notify(f"A is {trace.name} of {when}; c on another trace compares", markup=False)
            return
        self._first = None
        until = round(view.viewer.now().timestamp() * 1e6)

        def work() -> "tuple[OpenTrace, OpenTrace]":
            return session.spans.open_trace(first.trace_id, until), session.spans.open_trace(trace.trace_id, until)

        view.ask("compare", work, lambda sides: self._show((first, trace), sides))

    def _show(self, traces: tuple[TraceRow, TraceRow], sides: "tuple[OpenTrace, OpenTrace]") -> None:
        from flightlog_viewer.tui.screens.compare import CompareScreen

        zone, viewer = self._view.zone, self._view.viewer
        a, b = (f"{row.name} {units.clock(row.start_us, zone)} {units.duration(row.duration_ms)}" for row in traces)
        viewer.clear_notifications()  # they would lie over what differs
        ids = (traces[0].trace_id, traces[1].trace_id)
        viewer.push_screen(CompareScreen((a, b), ids, sides, self._view.glyphs))
