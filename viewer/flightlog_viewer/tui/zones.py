"""The time zones that one turns through: the one asked for, UTC, this machine's."""

from contextlib import suppress
from datetime import UTC, tzinfo

from flightlog.errors import UsageError


class Zones:
    """Begins with the one asked for."""

    def __init__(self, asked: tzinfo) -> None:
        self._asked = asked
        self.now = asked

    def turn(self) -> str:
        """To the next one; what happened, as a sentence."""
        from flightlog_viewer.analysis.times import zone

        known = {str(place): place for place in (self._asked, UTC)}
        with suppress(UsageError):  # a machine whose zone has no name
            here = zone("local")
            known[str(here)] = here
        names = list(known)
        self.now = known[names[(names.index(str(self.now)) + 1) % len(names)]]
        return f"times are in {self.now}" + ("" if len(names) > 1 else ", and so is this machine; --tz gives another")
