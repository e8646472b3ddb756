"""Where the tracer runs code of the application: a ``repr``, a redaction rule, a sink.

Such code may itself call something traced, whose recording runs such code again, and so on. Runs started two levels
deep are therefore not recorded: the application gets its answer, and what began as one call cannot become millions.
"""

import threading
from typing import Final

MAX_DEPTH: Final = 1
"""Levels of foreign code in which runs are still recorded."""


class Foreign(threading.local):
    """How deep this thread is in foreign code called by the tracer; entered as a context."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *exc: object) -> None:
        self.depth -= 1


foreign: Final = Foreign()
