"""A progress bar on stderr for anything that takes over a second, when stderr is a terminal."""

import sys
import time
from typing import Self

from flightlog_viewer.cli.terminal import is_terminal

_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 0.1
_WIDTH = 24
_FORESEEABLE = 0.1
"""Share done from which the time left is worth saying."""


class Progress:
    """Called with bytes done, bytes in all and rows so far; silent in the first second and when nobody watches."""

    def __init__(self) -> None:
        self._watched = is_terminal(sys.stderr)
        self._started = time.monotonic()
        self._shown_at = 0.0

    def __call__(self, done: int, total: int, rows: int = 0) -> None:
        """Show how far it is, at most ten times a second."""
        now = time.monotonic()
        if not self._watched or now - self._started < _AFTER_SECONDS or now - self._shown_at < _EVERY_SECONDS:
            return
        self._shown_at = now
        share = min(1.0, done / total) if total else 1.0
        filled = round(share * _WIDTH)
        text = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%}"
        if rows:
            text += f" {rows:,} spans"
        if share > _FORESEEABLE:
            text += f", {(now - self._started) * (1 - share) / share:.0f} s left"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
