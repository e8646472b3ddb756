"""Keys in the order in which they were typed, each for what the one before has led to.

Textual gives a key to the widget that has the focus when it arrives. Over a slow line, or while the machine is busy,
several arrive at once, and all would go where the first was meant for: after ``/`` the filter itself would be taken for
commands.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App, ScreenStackError
from textual.message_pump import MessagePump
from textual.widget import Widget
from textual.widgets import Input, TextArea

from flightlog_viewer.tui.screens.view import View
from flightlog_viewer.tui.widgets.virtual import VirtualRows

_LOOK_S = 0.001
_LEADING_ON = ("enter", "escape")
"""What no widget means as a move."""
_STEPS = ("step.back", "step.next")
"""Bindings of a screen that are held down."""
MOST_LOOKS = 1000
"""A key waits a second for the one before at most, not counting what the machine does meanwhile."""


class TypeAhead:
    """Passes keys and pastes on to ``give`` one after another, each when nobody has anything to do for the last one."""

    def __init__(self, app: App[Any], give: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._give = give
        self._later: deque[events.Event] = deque()
        self._passing: asyncio.Task[None] | None = None
        self._last: events.Event | None = None
        self._focused: Widget | None = None
        """Who had the focus when the last one was passed on."""

    @property
    def waiting(self) -> bool:
        """Whether keys have come that nobody has yet."""
        return self._passing is not None

    async def take(self, event: events.Event) -> None:
        """Pass a key on, now or when it is its turn."""
        if self.waiting:
            self._later.append(event)
        elif self._goes_on(event) or self.is_quiet(answered=self._needs_an_answer(event)):
            await self._pass(event)
        else:
            self._later.append(event)
            self._passing = asyncio.create_task(self._pass_all())

    async def _pass_all(self) -> None:
        waits = True
        while self._later and self._app.is_running:
            event = self._later.popleft()
            try:
                if waits and not self._goes_on(event):
                    waits = await self._until_quiet()  # where it never is, only the first of a bunch waits for it
                await self._pass(event)
            except ScreenStackError:  # the viewer has ended meanwhile: nobody is left to have it
                break
            except Exception as error:  # this is no handler: nobody else would see it
                self._app._handle_exception(error)
        self._passing = None

    async def _pass(self, event: events.Event) -> None:
        self._last, self._focused = event, self._app.focused
        await self._give(event)

    def _needs_an_answer(self, event: events.Event) -> bool:
        """Whether it is for what a view waits for: Enter opens what was led to, and a move needs rows to move over."""
        if not isinstance(event, events.Key):
            return False
        focused = self._app.focused
        empty = isinstance(focused, VirtualRows) and not focused.row_count
        return event.key == "enter" or (empty and self._moves(event.key))

    def _goes_on(self, event: events.Event) -> bool:
        """Whether it is more of the same: a key that is held down, or a text that is typed."""
        last, focused = self._last, self._focused
        if not isinstance(event, events.Key) or not isinstance(last, events.Key) or self._app.focused is not focused:
            return False
        if last.is_printable and event.is_printable and isinstance(focused, Input | TextArea):
            return True
        return event.key == last.key and self._moves(event.key)

    def _moves(self, key: str) -> bool:
        """Whether a key moves within the widget that has the focus, or from step to step: what keys are held down for.

        Others lead somewhere else, some of them only with the next message: a second q is for what the first left.
        """
        chain = self._app.screen._binding_chain
        bound = [(node, binding) for node, known in chain for binding in known.key_to_bindings.get(key, ())]
        if not bound:
            return False
        node, binding = next((pair for pair in bound if pair[1].priority), bound[0])
        return (node is self._app.focused and key not in _LEADING_ON) or binding.id in _STEPS

    async def _until_quiet(self) -> bool:
        """False when it did not get quiet in time."""
        quiet = 0
        for _ in range(MOST_LOOKS):
            await asyncio.sleep(_LOOK_S)
            quiet = quiet + 1 if self.is_quiet(answered=True) else 0
            if quiet > 1:
                return True
        return False

    def is_quiet(self, *, answered: bool) -> bool:
        """Nobody has a message to handle; with ``answered`` no view waits for an answer to what a key asked either."""
        screen = self._app.screen
        pumps = (self._app, *screen.walk_children(with_self=True))
        return not screen._callbacks and not any(_is_busy(pump, answered) for pump in pumps)


def _is_busy(pump: MessagePump, answered: bool) -> bool:
    if pump.message_queue_size or pump._pending_message or pump._next_callbacks:
        return True
    return answered and isinstance(pump, View) and pump.display and pump.asked
