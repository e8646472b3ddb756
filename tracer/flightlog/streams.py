"""Standard streams as a command finds them: closed before it began, or left by their reader."""

import contextlib
import os
import sys


def stand_in_for_closed() -> None:
    """Take the descriptors of streams that are closed (``>&-``), or a file that is opened later would be printed into.

    A command that is run in our place does not inherit them: its streams are as closed as ours were.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # what Python makes of a stream that was closed when it began
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open as long as we live


def reader_left() -> int:
    """The reader (`| head`) has what it wanted. The status."""
    drop_output()
    return 0


def drop_full_errors() -> None:
    """The same for standard error: what could not be said there must not change the status."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def drop_output() -> None:
    """Let go of what standard output does not take; else Python complains when it flushes at exit, with status 120."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
