"""No exception ends the viewer: it becomes a banner, and its traceback goes to a log file whose path is shown."""

import os
import traceback
from pathlib import Path
from typing import Any

from platformdirs import user_log_path
from textual.message import Message
from textual.message_pump import MessagePump

from flightlog.errors import FlightlogError
from flightlog_viewer.safe_text import safe_text


class Faulted(Message):
    """Something went wrong; the screen shows it."""

    def __init__(self, sentence: str, log: Path | None) -> None:
        super().__init__()
        self.sentence = sentence
        self.log = log


def log_path() -> Path:
    """Where tracebacks go."""
    return user_log_path("flightlog", appauthor=False) / "viewer.log"


def record(error: BaseException) -> Faulted:
    """Write the traceback of an unexpected error to the log; what the banner is to say."""
    if isinstance(error, FlightlogError):
        return Faulted(str(error), None)
    sentence = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no message'}"
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            file.write(safe_text("".join(traceback.format_exception(error)), keep_newlines=True) + "\n")
    except OSError:
        return Faulted(sentence, None)
    return Faulted(sentence, path)


class Guarded(MessagePump):
    """A widget, screen or application whose handlers may fail without taking the program with them."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # whatever a handler raises is shown, not obeyed
            fault: Any = getattr(self.app, "fault", None)
            if fault is None:
                raise
            fault(error)
