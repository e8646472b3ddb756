"""What the tracer reads the time from."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple


class Clock(NamedTuple):
    """Two readings, both in nanoseconds."""

    wall_ns: Callable[[], int]
    """Since the epoch: when a run started."""
    monotonic_ns: Callable[[], int]
    """From any beginning, never backwards: how long it took."""


SYSTEM: Final = Clock(time.time_ns, time.perf_counter_ns)
