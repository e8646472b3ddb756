"""Going through the steps of a thread by itself."""

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

_SPEEDS = (1.0, 2.0, 4.0)


class Player:
    """Calls ``step`` so many times a second until it answers False."""

    def __init__(self, view: Widget, step: Callable[[], bool]) -> None:
        self._view = view
        self._step = step
        self._timer: Timer | None = None
        self._speed = 0

    def faster(self) -> None:
        """Start, go on at the next speed, and stop after the last one."""
        self._speed = self._speed + 1 if self.stop() else 0
        if self._speed < len(_SPEEDS):
            speed = _SPEEDS[self._speed]
            self._timer = self._view.set_interval(1 / speed, self._tick)
            self._view.notify(f"playing at {speed:g}x; P faster, Esc stops", markup=False, timeout=2)

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself now."""
        return self._timer is not None

    def stop(self) -> bool:
        """Whether it was playing."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
        return timer is not None

    def _tick(self) -> None:
        if not self._step():
            self.stop()
