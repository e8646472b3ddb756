"""The queries of earlier sessions, in a small file of the user's own."""

import json
import os
from pathlib import Path

from platformdirs import user_state_path

MOST = 200


def path() -> Path:
    """Where they are kept."""
    return user_state_path("flightlog", appauthor=False) / "sql_history.json"


def load() -> list[str]:
    """Oldest first; nothing when there is no file or it cannot be read."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [query for query in found if isinstance(query, str)][-MOST:] if isinstance(found, list) else []


def add(query: str) -> list[str]:
    """Put a query at the end (once) and keep the file, if it can be written; the history after that."""
    history = [*(old for old in load() if old != query), query][-MOST:]
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as out:
            json.dump(history, out)
        os.replace(fresh, file)
    except OSError:
        pass
    return history
