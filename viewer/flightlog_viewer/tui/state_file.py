"""Small lists that outlive a session, each in a file of the user's own."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_state_path


def path(name: str) -> Path:
    """Where a list is kept."""
    return user_state_path("flightlog", appauthor=False) / f"{name}.json"


def load(name: str) -> list[Any]:
    """The list; empty when there is no file, or it cannot be read. Whoever edits it may have put anything in."""
    try:
        found = json.loads(path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def save(name: str, items: Sequence[Any]) -> None:
    """Replace the file at once, readable by its owner alone. Raises OSError when it cannot be written."""
    file = path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as out:
        json.dump(items, out)
    os.replace(fresh, file)
