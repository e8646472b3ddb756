"""The exceptions flightlog raises on purpose.

FlightlogError
├── MissingExtraError   a feature needs packages that are not installed
├── UsageError          an argument cannot be meant
└── UnreadableError     a file or database cannot be read as what it should be

The viewer has some of its own below these, such as FilterError (a UsageError that says where the mistake is) and
LoadCancelledError (a load was stopped by whoever watched it).

The command line turns each of them into one sentence on stderr and exit status 2. The tracer's callbacks raise
none of them: they never raise at all.
"""

from typing import Any, Final

_LONGEST: Final = 500
"""Characters shown of a path, or of a fault's text, which may quote data; the log has it whole."""


class FlightlogError(Exception):
    """Anything flightlog raises on purpose; the message says what to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is, whatever its class is made from: it may have been raised in a worker process."""
        return _as_it_was, (type(self), self.args, self.__dict__)


class MissingExtraError(FlightlogError):
    """A feature needs packages that are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs more packages: pip install 'flightlog[{extra}]'")
        self.extra = extra
        """Name of the extra that brings them."""


class UsageError(FlightlogError):
    """An argument cannot be meant."""


class UnreadableError(FlightlogError):
    """A file or database cannot be read as what it should be."""


def _as_it_was(kind: type[FlightlogError], arguments: tuple[Any, ...], state: dict[str, Any]) -> FlightlogError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


def refusal(error: OSError) -> str:
    """What the system would not do, in a sentence: a full disk under stdout, a name too long, a device that fails."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # getcwd, whoever called it
        return "the current folder is gone: change to another"
    where = error.filename if isinstance(error.filename, str) else "reading or writing"
    return f"{shortened(where)}: {error.strerror or type(error).__name__}"


def shortened(text: str) -> str:
    """The beginning of a text that is too long for a sentence."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
