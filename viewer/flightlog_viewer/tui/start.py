"""Starting the viewer: what to open, and how the interpreter shares its time."""

import gc
import os
import sys
import warnings
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from flightlog.errors import UnreadableError
from flightlog_viewer.tui import ending
from flightlog_viewer.tui.app import FlightlogApp
from flightlog_viewer.tui.session import Session

if TYPE_CHECKING:
    from flightlog_viewer.tui.recent import Recent


def run(
    paths: Sequence[str],
    checkpoints: Sequence[str],
    *,
    cache: bool = True,
    ascii_only: bool = False,
    theme: str | None = None,
    ttl_seconds: float = 86_400,
    zone: tzinfo = UTC,
) -> int:
    """Run the viewer until it is left. Raises FlightlogError when there is nothing to show."""
    _know_the_terminal()
    session = Session(paths, checkpoints, cache=cache)
    session.check_checkpoints()
    try:
        first_rows = session.excerpt()
    except UnreadableError as error:
        chosen = None if paths or checkpoints else _offer(str(error))
        if chosen is None:
            raise
        session = Session(chosen.paths, chosen.checkpoints, cache=cache)
        first_rows = session.excerpt()
    # Loading and fetching run in threads: the one that draws gets its turn ten times as often as by default.
    sys.setswitchinterval(0.0005)
    # Textual leaves cycles behind with every paint. Rare looks for them are long ones, frequent ones cost more in all.
    gc.set_threshold(5_000, 20, 50)
    app = FlightlogApp(
        session,
        first_rows=first_rows,
        ascii_only=ascii_only or not _draws_unicode(),
        theme=theme,
        ttl_seconds=ttl_seconds,
        zone=zone,
    )
    ending.end_with_the_terminal()
    try:
        ending.run(app)
    except KeyboardInterrupt:
        # Told to end while it began: what was never awaited is nobody's business.
        warnings.simplefilter("ignore", RuntimeWarning)
        raise
    finally:
        session.close()
    sys.stdout.flush()
    return app.return_code or 0


def _know_the_terminal() -> None:
    if sys.__stdout__ is not None and sys.__stdout__.isatty() and not (sys.__stderr__ and sys.__stderr__.isatty()):
        # Textual draws on stderr: with `2>errors.log` the picture would go there.
        sys.__stderr__ = sys.__stdout__  # type: ignore[misc]
    if sys.__stdout__ is not None and sys.__stdout__.isatty() and all(os.get_terminal_size(sys.__stdout__.fileno())):
        for name in ("COLUMNS", "LINES"):  # right once (`docker exec -e COLUMNS=...`); the terminal can be resized
            os.environ.pop(name, None)
    if "COLORTERM" not in os.environ and not _has_colours():
        os.environ["NO_COLOR"] = "1"


def _draws_unicode() -> bool:
    """Whether the locale's encoding has all characters; Textual draws on stderr."""
    encoding = sys.__stderr__.encoding if sys.__stderr__ is not None else "utf-8"
    return encoding.lower().startswith("utf")


def _has_colours() -> bool:
    """What terminfo knows; True when it does not know the terminal."""
    try:
        import curses

        curses.setupterm()
        return curses.tigetnum("colors") > 0
    except Exception:  # there is no terminfo, or none for this terminal: each has an exception of its own
        return True


def _offer(why: str) -> "Recent | None":
    """Let the user choose among what was open lately; None when there is nothing, or nothing is wanted."""
    from flightlog_viewer.tui import recent

    choices = recent.load()
    return ending.run(recent.RecentApp(choices, why)) if choices else None
