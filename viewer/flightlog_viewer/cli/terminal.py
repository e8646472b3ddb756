"""Whether somebody sits in front of it."""

import os
import sys


def interactive() -> bool:
    """Whether the viewer can be opened: a terminal on both ends, or a driver that stands for one (a browser)."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
