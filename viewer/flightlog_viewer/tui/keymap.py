"""Keys of the user's own: a JSON object of binding id to keys, such as ``{"sort": "f5", "move.down": "j,down,n"}``."""

import json
from pathlib import Path

from platformdirs import user_config_path


def path() -> Path:
    """Where the file is looked for."""
    return user_config_path("flightlog", appauthor=False) / "keymap.json"


def shown_path() -> str:
    """The path as people write it."""
    try:
        return f"~/{path().relative_to(Path.home())}"
    except ValueError:
        return str(path())


def load() -> dict[str, str]:
    """The keys of the file; nothing when there is none or it cannot be read (``problem`` says why)."""
    return _read()[0]


def problem() -> str | None:
    """What is wrong with the file, as a sentence."""
    return _read()[1]


def _read() -> tuple[dict[str, str], str | None]:
    file = path()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, RecursionError):
        return {}, f"{file} is not a JSON object of binding id to keys: it is not used"
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return {}, f"{file} is not a JSON object of binding id to keys: it is not used"
    return found, None
