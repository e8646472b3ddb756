"""Whether somebody sits in front of it."""

import os
import sys
from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether what is written there is drawn: a terminal that knows how to move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def interactive() -> bool:
    """Whether the viewer can be opened: a terminal on both ends, or a driver that stands for one (a browser)."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return sys.stdin.isatty() and is_terminal(sys.stdout)
