"""Databases on a server: a question every few seconds whether there is anything new."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from textual.app import App

from flightlog_viewer.tui.background import ask_behind
from flightlog_viewer.tui.questions.threads import ThreadQuestions

_EVERY_S: Final = 3.0
_RESTS: Final = 10
"""Reading what is new keeps a server busy for a tenth of the time at most."""


class ServerWatch:
    """``tell`` is called on the application's own thread when rows have changed."""

    def __init__(self, app: App[Any], threads: ThreadQuestions, tell: Callable[[], None]) -> None:
        self._app = app
        self._threads = threads
        self._tell = tell
        self._asks = False
        self._not_before = 0.0

    def start(self) -> None:
        """Ask from now on, if there is a server at all."""
        if self._threads.servers():
            self._app.set_interval(_EVERY_S, self._ask)

    def _ask(self) -> None:
        if self._asks or monotonic() < self._not_before:
            return
        self._asks = True
        ask_behind(self._app, "servers", self._news, self._answered)

    def _news(self) -> bool:
        try:
            return self._threads.have_servers_news()
        except Exception:  # who reads the threads says what is wrong
            return False

    def _answered(self, news: bool) -> None:
        self._asks = False
        if news:
            self._tell()
            self._not_before = monotonic() + _RESTS * self._threads.took_s
