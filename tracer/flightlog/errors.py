"""The exceptions flightlog raises on purpose.

FlightlogError
├── MissingExtraError   a feature needs packages that are not installed
├── UsageError          an argument cannot be meant
└── UnreadableError     a file or database cannot be read as what it should be

The command line turns each of them into one sentence on stderr and exit status 2. The tracer's callbacks raise
none of them: they never raise at all.
"""


class FlightlogError(Exception):
    """Anything flightlog raises on purpose; the message says what to do."""


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
