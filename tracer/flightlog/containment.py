"""The one guard that keeps our faults out of the application we record."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Final

_logger: Final = logging.getLogger("flightlog")


class Containment:
    """Counts the faults of one tracer and logs the first of them, with its traceback, as a warning.

    Only ``Exception`` is held: KeyboardInterrupt and SystemExit are the application's own.
    """

    def __init__(self) -> None:
        self.count = 0
        """Faults contained so far."""
        self._local = threading.local()

    def caught(self, where: str, error: Exception) -> None:
        """Take note of a fault in ``where``. Never raises, whatever the logging handlers of the application do."""
        self.count += 1
        if self.count > 1 or getattr(self._local, "logging", False):
            return
        self._local.logging = True
        try:
            with contextlib.suppress(Exception):
                _logger.warning(
                    "flightlog failed in %s and went on without; later faults are only counted",
                    where,
                    exc_info=(type(error), error, error.__traceback__),
                )
        finally:
            self._local.logging = False

    @contextlib.contextmanager
    def guard(self, where: str) -> Iterator[None]:
        """Contain what the block raises. Hot paths spell ``try``/``except`` out and call ``caught``."""
        try:
            yield
        except Exception as error:
            self.caught(where, error)
