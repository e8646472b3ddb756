"""What leaves the viewer: to the clipboard, into a file, to a pager or an editor."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from flightlog_viewer.safe_text import safe_text

CLIPBOARD_LIMIT = 100_000
"""Bytes; terminals drop longer OSC 52 sequences without a word."""
_CLIPBOARDS = (
    ("darwin", "pbcopy"),
    ("WAYLAND_DISPLAY", "wl-copy"),
    ("DISPLAY", "xclip", "-selection", "clipboard"),
    ("DISPLAY", "xsel", "--clipboard", "--input"),
)
"""The platform or the variable without which a command is of no use, and the command."""


def copy(app: Any, text: str) -> str:
    """Send a text to the clipboard, of the terminal and of this machine; over 100 kB it goes into a file. Says so."""
    text = safe_text(text, keep_newlines=True)
    size = len(text.encode("utf-8", "replace"))
    if size > CLIPBOARD_LIMIT:
        return f"{size:,} bytes are too much for a clipboard: written to {_temporary(text, '.txt')}"
    app.copy_to_clipboard(text)
    command = clipboard_command()
    if command is None:
        return f"sent {len(text):,} characters to the terminal's clipboard (OSC 52)"
    # Some of these stay until another program copies: nobody waits for them.
    threading.Thread(target=_feed, args=(command, text), daemon=True).start()
    return f"sent {len(text):,} characters via {command[0]} and to the terminal's clipboard (OSC 52)"


def clipboard_command() -> list[str] | None:
    """The program that sets the clipboard of this machine; None where there is none, or the user sits at another."""
    if any(name in os.environ for name in ("SSH_CONNECTION", "SSH_TTY", "TEXTUAL_DRIVER")):
        return None
    for needs, *command in _CLIPBOARDS:
        if (needs in os.environ or needs == sys.platform) and shutil.which(command[0]):
            return command
    return None


def show(app: Any, text: str, variable: str, otherwise: str) -> None:
    """Run the program named by an environment variable on a file with the text."""
    file = _temporary(safe_text(text, keep_newlines=True), ".json")
    command = _words(os.environ.get(variable, "")) or _words(otherwise)
    try:
        with app.suspend():
            problem = _run([*command, str(file)])
    except Exception as error:  # a driver that cannot suspend: the browser
        app.notify(f"not possible here ({type(error).__name__}); the text is in {file}", markup=False)
        return
    if problem:
        app.notify(f"{problem} (${variable} names another)", severity="error", markup=False)
    with suppress(OSError):
        file.unlink()
    app.refresh(layout=True)


def toggle_mouse(app: Any) -> str:
    """Turn the mouse reporting of the terminal off or on."""
    on = app.mouse_given_away = not app.mouse_given_away
    turn = getattr(app._driver, "_disable_mouse_support" if on else "_enable_mouse_support", None)
    if turn is None:
        return "this terminal has no mouse"
    turn()
    return "the mouse selects text in the terminal; % takes it back" if on else "the mouse belongs to the viewer again"


def _run(command: list[str]) -> str | None:
    """Run a program that has the terminal; what kept it from running. Raises nothing, or the viewer stays suspended.

    Ctrl-C is meant for the program, though the terminal tells us too.
    """
    # A handler that does nothing, since a program inherits a signal that is ignored.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        subprocess.run(command, check=False)
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}"
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    return None


def _words(text: str) -> list[str]:
    """A command line in its words, whatever quotes are in it."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _feed(command: list[str], text: str) -> None:
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )


def _temporary(text: str, suffix: str) -> Path:
    descriptor, name = tempfile.mkstemp(suffix, "flightlog-")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return Path(name)
