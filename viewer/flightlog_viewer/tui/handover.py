"""What leaves the viewer: to the clipboard, into a file, to a pager or an editor."""

import os
import shlex
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from flightlog_viewer.safe_text import safe_text

CLIPBOARD_LIMIT = 100_000
"""Bytes; terminals drop longer OSC 52 sequences without a word."""


def copy(app: Any, text: str) -> str:
    """Send a text to the clipboard by OSC 52, and say so; over 100 kB it goes into a file."""
    text = safe_text(text, keep_newlines=True)
    size = len(text.encode("utf-8", "replace"))
    if size > CLIPBOARD_LIMIT:
        return f"{size:,} bytes are too much for a clipboard: written to {_temporary(text, '.txt')}"
    app.copy_to_clipboard(text)
    return f"sent {len(text):,} characters to the terminal's clipboard (OSC 52)"


def show(app: Any, text: str, variable: str, otherwise: str) -> None:
    """Run the program named by an environment variable on a file with the text."""
    file = _temporary(safe_text(text, keep_newlines=True), ".json")
    command = shlex.split(os.environ.get(variable) or otherwise)
    try:
        with app.suspend():
            subprocess.run([*command, str(file)], check=False)
    except OSError as error:
        app.notify(f"{command[0]} cannot be run: {error.strerror}", severity="error", markup=False)
    except Exception as error:  # a driver that cannot suspend: the browser
        app.notify(f"not possible here ({type(error).__name__}); the text is in {file}", markup=False)
        return
    with suppress(OSError):
        file.unlink()
    app.refresh(layout=True)


def toggle_mouse(app: Any) -> str:
    """Turn the mouse reporting of the terminal off or on."""
    driver = app._driver
    on = not getattr(app, "mouse_given_away", False)
    app.mouse_given_away = on
    turn = getattr(driver, "_disable_mouse_support" if on else "_enable_mouse_support", None)
    if turn is None:
        return "this terminal has no mouse"
    turn()
    return "the mouse selects text in the terminal" if on else "the mouse belongs to the viewer again"


def _temporary(text: str, suffix: str) -> Path:
    descriptor, name = tempfile.mkstemp(suffix, "flightlog-")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return Path(name)
