"""No exception ends the viewer: it becomes a banner, and its traceback goes to a log file whose path is shown."""

from pathlib import Path
from typing import Any

from textual.message import Message
from textual.message_pump import MessagePump

from flightlog.errors import FlightlogError
from flightlog_viewer.fault_log import write_fault


class Faulted(Message):
    """Something went wrong; the screen shows it."""

    def __init__(self, sentence: str, log: Path | None) -> None:
        super().__init__()
        self.sentence = sentence
        self.log = log


def record(error: BaseException) -> Faulted:
    """Write the traceback of an unexpected error to the log; what the banner is to say."""
    if isinstance(error, FlightlogError):
        return Faulted(str(error), None)
    sentence = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no message'}"
    try:
        return Faulted(sentence, write_fault(error, "viewer"))
    except OSError:
        return Faulted(sentence, None)


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
