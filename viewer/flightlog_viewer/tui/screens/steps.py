"""One thread step by step: where it stands, what branches there are, and the step itself as a document."""

import re
from datetime import UTC, tzinfo
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from flightlog_viewer.analysis import step_document
from flightlog_viewer.analysis.document import Block, Document
from flightlog_viewer.analysis.step_document import TABS
from flightlog_viewer.analysis.times import shown
from flightlog_viewer.analysis.trace_row import TraceRow
from flightlog_viewer.checkpoints.state_diff import Change
from flightlog_viewer.tui.glyphs import UNICODE, Glyphs
from flightlog_viewer.tui.stepping import Stepper
from flightlog_viewer.tui.text import Part, content
from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.lines import TabBar

Against = Literal["parent", "mark", "none"]
_IDS = re.compile(r"(:[0-9a-f]{8})-[0-9a-f-]{27}")
"""The ids of tasks in the name of a namespace; their beginning tells them apart."""
_RIBBON_TONES = {"here": "bold reverse", "wait": "bold $warning", "fork": "dim"}


class StepsPane(Vertical):
    """Shows the step on which a stepper stands."""

    def __init__(self) -> None:
        super().__init__(id="steps")
        self.glyphs: Glyphs = UNICODE
        self._stepper = Stepper(())
        self._runs: list[TraceRow] = []
        self._against: Against = "parent"
        self._tz: tzinfo = UTC
        self._changes: list[Change] | None = []

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="step-line")
        yield Static("", markup=False, id="ribbon")
        yield Static("", markup=False, id="step-facts")
        yield TabBar(TABS, id="step-tabs")
        yield BodyView(id="step-body")

    @property
    def body(self) -> BodyView:
        return self.query_one("#step-body", BodyView)

    @property
    def tabs(self) -> TabBar:
        return self.query_one("#step-tabs", TabBar)

    def say(self, *lines: str) -> None:
        """There is no step to show, and why."""
        self.add_class("-empty")
        self.body.show_document(Document([Block(line, "dim") for line in lines]))

    def show(self, stepper: Stepper, runs: list[TraceRow], against: Against, tz: tzinfo) -> None:
        """Show a step, with its changes ``against`` the one before it or the marked one."""
        self._stepper, self._runs, self._against, self._tz = stepper, runs, against, tz
        step = stepper.step
        if step is None:
            self.say("this thread has no checkpoint")
            return
        self.remove_class("-empty")
        marked = stepper.marked if against == "mark" else None
        self._changes = step.changes if marked is None else stepper.changes(marked, step)
        place, length = stepper.place
        number = "?" if step.step is None else "in" if step.step < 0 else step.step
        when = shown(step.ts, tz)[:19]
        parts: list[Part] = [
            (f"{step.thread_id} ", "bold"),
            f" < step {number}, {place} of {length} > ",
            f" {step.source or '?'}  {when}",
        ]
        if stepper.branches > 1:
            parts.append((f"  {stepper.branches} branches (f)", "bold $warning"))
        self.query_one("#step-line", Static).update(content(*parts), layout=False)
        self._show_ribbon()
        marks = {task.node: self.glyphs.status.get(task.status, "") for task in step.tasks if task.status != "finished"}
        nodes = ", ".join(marks.get(node, "") + node for node in dict.fromkeys(task.node for task in step.tasks)) or "-"
        namespace = _IDS.sub(r"\1", step.checkpoint_ns) or "root graph"
        others = f" ({len(stepper.namespaces)} namespaces, n)" if len(stepper.namespaces) > 1 else ""
        facts = f"node: {nodes}  ns: {namespace}{others}   {step_document.counts(self._changes)}"
        self.query_one("#step-facts", Static).update(content(facts), layout=False)
        self.show_tab()

    def show_tab(self, index: int | None = None) -> None:
        """Show one of the tabs, or the active one again."""
        if index is not None:
            self.tabs.active = index
        step = self._stepper.step
        if step is not None:
            tab = TABS[self.tabs.active]
            made = step_document.document(
                tab,
                step,
                self._changes,
                self._against,
                self._runs,
                self.glyphs.status,
                self._tz,
                newest=self._stepper.newest,
            )
            self.body.show_document(made)

    def on_resize(self) -> None:
        if self._stepper.step is not None:
            self.call_after_refresh(self._show_ribbon)

    def _show_ribbon(self) -> None:
        parts: list[Part] = []
        for line in self._stepper.ribbon(max(20, self.query_one("#ribbon").size.width)):
            if parts:
                parts.append("\n")
            parts += [(piece.text, _RIBBON_TONES[piece.mark]) if piece.mark else piece.text for piece in line]
        self.query_one("#ribbon", Static).update(content(*parts))
