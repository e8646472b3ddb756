"""Giving a command a second try, when what stood in its way is gone."""

from flightlog.errors import FlightlogError


class StartOverError(FlightlogError):
    """Nothing has been printed; the same command will find things in order."""

    def __init__(self) -> None:
        super().__init__("give the command again")
