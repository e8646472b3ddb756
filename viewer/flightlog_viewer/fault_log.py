"""Where the tracebacks of our own faults go, so that no user has to look at one."""

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flightlog_viewer.safe_text import safe_text

_LIMIT_BYTES: Final = 1 << 20
"""A larger log begins anew."""


def log_path(name: str) -> Path:
    """Where a log is, in the user's own folder for them."""
    from platformdirs import user_log_path

    return user_log_path("flightlog", appauthor=False) / f"{name}.log"


def write_fault(error: BaseException, name: str) -> Path:
    """Append the traceback of an error to a log that its owner alone can read. Raises OSError."""
    path = log_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = os.O_TRUNC if path.exists() and path.stat().st_size > _LIMIT_BYTES else 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | fresh
    with open(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"\n{datetime.now(UTC).isoformat(timespec='seconds')} {' '.join(sys.argv[:2])}\n")
        log.write(safe_text("".join(traceback.format_exception(error)), keep_newlines=True))
    return path
