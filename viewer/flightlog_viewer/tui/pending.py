"""How many approvals wait: counted in a thread, one question at a time, the last one for sure."""

from collections.abc import Callable
from typing import Any

from textual.app import App

from flightlog_viewer.tui.background import ask_behind
from flightlog_viewer.tui.session import Session


class PendingCount:
    """``tell`` is called on the application's own thread with every new count."""

    def __init__(self, app: App[Any], session: Session, tell: Callable[[int], None]) -> None:
        self._app = app
        self._session = session
        self._tell = tell
        self._asked = 0
        """How often it is still to be counted."""

    def ask(self) -> None:
        """Count again."""
        self._asked += 1
        if self._asked == 1:
            ask_behind(self._app, "pending", self._count, self._counted)

    def _count(self) -> int | None:
        try:
            approvals, _ = self._session.threads.approvals()
        except Exception:  # the inbox says what is wrong
            return None
        return sum(approval.status == "pending" for approval in approvals)

    def _counted(self, pending: int | None) -> None:
        again, self._asked = self._asked > 1, 0
        if pending is not None:
            self._tell(pending)
        if again:
            self.ask()
