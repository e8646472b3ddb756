"""Runs the viewer for a test: starts it, waits until nothing is under way, presses keys."""

import asyncio
from collections import UserDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, cast

from textual import events
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from flightlog_viewer.tui.app import FlightlogApp
from flightlog_viewer.tui.following import Follower
from flightlog_viewer.tui.screens.view import View
from flightlog_viewer.tui.session import Session

PATIENCE_S = 30.0
A_REST_S = 0.5
"""No timer of a view that waits for a pause is longer, and no message on the screen goes so soon."""


class _Parsed(UserDict[Any, Any]):
    """What Textual has made of the style sheets; in other colours it begins anew, and leaves these to other viewers."""

    def clear(self) -> None:
        self.data = {}


_parsed_as: dict[str, dict[Any, Any]] = {}
"""By theme: a tenth of a viewer's start is parsing, and all viewers of a run parse the same."""


class Driven:
    """A running viewer."""

    def __init__(self, app: FlightlogApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until no worker runs, no message waits and no timer of typing or resting is due."""
        until = monotonic() + PATIENCE_S
        quiet = 0
        while quiet < 2:
            # Pilot.pause asks every widget and draws: not while there is something to wait for anyway.
            if self._is_busy():
                await asyncio.sleep(0.005)
                quiet = 0
            else:
                await self.pilot.pause(0.005)
                quiet = 0 if self._is_busy() else quiet + 1
            if monotonic() > until:
                raise TimeoutError("the viewer did not come to rest")

    def _is_busy(self) -> bool:
        """Whether anything is under way, as far as can be seen from outside."""
        return (
            not self.app.settled
            or any(worker.is_running for worker in self.app.workers)
            or self.app.typed.waiting
            or not self.app.typed.is_quiet(answered=True)
            # What a worker found may still be on its way to the view that asked.
            or any(view._unanswered for view in self.app.screen.query(View) if view.is_mounted)
            or self._is_resting()
        )

    def _is_resting(self) -> bool:
        """Whether a view waits for a pause in what is typed or gone through."""
        timers = [timer for node in self.app.screen.walk_children(with_self=True) for timer in node._timers]
        once = [timer for timer in timers if timer._repeat == 0 and timer._interval < A_REST_S]
        return any(timer._task is not None and not timer._task.done() for timer in once)

    async def press(self, *keys: str) -> None:
        """Press keys one by one: each is handled before the next, and all have had their effect at the end."""
        for key in keys:
            self._send(key)
            await self.pilot._wait_for_screen()
        await self.settle()

    async def type(self, *keys: str) -> None:
        """Press keys as they come over a slow line: all in one bunch."""
        for key in keys:
            self._send(key)
        await self.settle()

    def _send(self, key: str) -> None:
        """One key as from a terminal; ``Pilot.press`` waits 40 ms for an idle processor each time."""
        named = _character_to_key(key) if len(key) == 1 else key
        self.app.post_message(events.Key(named, key if len(key) == 1 else key_to_character(key)))

    async def write(self, text: str) -> None:
        """Put a text where the focus is, as a paste."""
        self.app.screen.post_message(events.Paste(text))
        await self.settle()

    async def until(self, text: str) -> None:
        """Wait for what a look at the files brings, on the screen or as a message."""
        for _ in range(200):
            if text in self.text() or text in self.toasts():
                return
            await self.pilot.pause(0.05)
        raise AssertionError(f"{text!r} did not appear:\n{self.text()}")

    def text(self) -> str:
        """Everything on the screen."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    def toasts(self) -> str:
        """The messages that were shown."""
        return "\n".join(str(note.message) for note in self.app._notifications)


def application(paths: Sequence[Path], checkpoints: Sequence[Path | str] = (), **options: Any) -> FlightlogApp:
    """The viewer over some files, not started."""
    session = Session([str(path) for path in paths], [str(path) for path in checkpoints], cache=False)
    app = FlightlogApp(session, first_rows=session.excerpt(), **options)
    app.animation_level = "none"
    app.stylesheet._parse_cache = parsed = cast(Any, _Parsed())
    parsed.data = _parsed_as.setdefault(app.theme, {})
    app._follower = Follower(used=lambda: 0.0)  # else the rest after a reading would grow with what the tests use
    return app


@asynccontextmanager
async def driven(
    paths: Sequence[Path], checkpoints: Sequence[Path | str] = (), *, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Driven]:
    """A running viewer; fails at the end when any handler failed."""
    app = application(paths, checkpoints, **options)
    try:
        async with app.run_test(size=size) as pilot:
            viewer = Driven(app, pilot)
            await viewer.settle()
            yield viewer
        if app.faults:
            raise app.faults[0]
    finally:
        app.session.close()
