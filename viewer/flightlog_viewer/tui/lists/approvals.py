"""How the questions to a human look as rows of a list."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.approval_document import age_seconds
from flightlog_viewer.analysis.question_line import asked, proposed
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.asker import asker_of
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.widgets.row_list import Cell, Column, Rows

COLUMNS = (
    Column("status", "St", 2),
    Column("age", "Age", 5, right=True),
    Column("thread", "Thread", 12, share=True),
    Column("node", "Node", 10, drop=2),
    Column("lag", "Lag", 6, right=True, drop=1),
    Column("action", "Action", 16, share=True),
)
_WAITS = Column("age", "Waits", 5, right=True)
_DECISION_TONES = {"approve": "ok", "reject": "error", "edit": "wait"}


def late_mark(glyphs: Glyphs) -> str:
    """Of a question that has waited too long."""
    return glyphs.status["interrupted"] + "!"


def columns(*, pending: bool) -> list[Column]:
    """Where all questions are pending, their age is how long they have waited, and no answer has a lag."""
    if not pending:
        return list(COLUMNS)
    return [_WAITS if column.key == "age" else column for column in COLUMNS if column.key != "lag"]


class ApprovalRows(Rows):
    """A row is made when it is drawn, for the list is made anew with every write to a database.

    Its cells are those of ``columns``.
    """

    def __init__(
        self, approvals: Mapping[str, Approval], glyphs: Glyphs, now: datetime, ttl_seconds: float, *, pending: bool
    ) -> None:
        self._approvals = list(approvals.values())
        self._keys = list(approvals)
        self._glyphs = glyphs
        self._now = now
        self._ttl_seconds = ttl_seconds
        self._pending = pending

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, row: int) -> Hashable:
        return self._keys[row]

    def cells(self, row: int) -> Sequence[Cell]:
        approval = self._approvals[row]
        seconds = age_seconds(approval, self._now)
        action = _action(approval)
        if approval.status != "pending":
            decision = approval.decision or approval.status
            lag = approval.lag_max_ms
            mark = self._glyphs.status["ok" if approval.status == "answered" else "cancelled"]
            return [
                Cell(mark, _DECISION_TONES.get(decision, "dim")),
                Cell("" if seconds is None else units.age(seconds)),
                Cell(approval.thread_id),
                Cell(asker_of(approval)),
                Cell(("" if approval.exact else "<") + units.duration(lag)),
                Cell(f"{decision}: {action}", _DECISION_TONES.get(decision, "")),
            ]
        ttl = self._ttl_seconds
        late = seconds is not None and seconds > ttl
        tone = "error" if late else "wait" if seconds is not None and seconds > ttl / 2 else ""
        return [
            Cell(late_mark(self._glyphs) if late else self._glyphs.status["interrupted"], tone or "wait"),
            Cell("?" if seconds is None else units.age(seconds), tone),
            Cell(approval.thread_id),
            Cell(asker_of(approval)),
            *([] if self._pending else [Cell("")]),
            Cell(action, tone),
        ]


def _action(approval: Approval) -> str:
    if approval.breakpoint and approval.question is None:
        return proposed(normal_form(approval.proposed)) if approval.proposed else "(a breakpoint)"
    return asked(normal_form(approval.question)) if approval.question_recorded else "(the question is not recorded)"
