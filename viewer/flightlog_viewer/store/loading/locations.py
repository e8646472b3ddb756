"""Where the line of each row is: three numbers a row, index = row id.

numpy comes with the first use: a command that reads no line does without it.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]


class Locations:
    """Grows with the rows of the store; kept in the cache beside them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: Callable[[], Arrays] | None = _none
        self._arrays: Arrays
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def file_ids(self) -> "NDArray[np.int32]":
        """The file of each row."""
        return self._all()[0]

    @property
    def starts(self) -> "NDArray[np.int64]":
        """The byte offset of each row's line."""
        return self._all()[1]

    @property
    def sizes(self) -> "NDArray[np.int64]":
        """The bytes of each row's line, without the newline."""
        return self._all()[2]

    def restore(self, count: int, read: "Callable[[], Arrays]") -> None:
        """Take ``count`` rows from ``read``, when they are needed."""
        self._read = read
        self._count = count

    def extend(self, file_ids: "NDArray[np.int32]", starts: "NDArray[np.int64]", sizes: "NDArray[np.int64]") -> None:
        """Add lines, in the order of their rows."""
        import numpy as np

        # Readers in other threads ask by the length, so it is set last.
        old = self._all()
        self._arrays = (
            np.concatenate([old[0], file_ids]),
            np.concatenate([old[1], starts]),
            np.concatenate([old[2], sizes]),
        )
        self._count = len(self._arrays[2])

    def clear(self) -> None:
        """Forget all."""
        self._read = _none
        self._count = 0

    def drop(self, rows: "NDArray[np.int64]") -> None:
        """Take rows out; those behind move up."""
        import numpy as np

        kept = np.ones(len(self), np.bool_)
        kept[rows] = False
        file_ids, starts, sizes = self._all()
        self._arrays = (file_ids[kept], starts[kept], sizes[kept])
        self._count = len(self._arrays[2])

    def renumber(self, file_ids: "NDArray[np.int32]") -> None:
        """Files have new ids: ``file_ids`` by the old ones."""
        old, starts, sizes = self._all()
        self._arrays = (file_ids[old], starts, sizes)

    def _all(self) -> "Arrays":
        with self._lock:
            if self._read is not None:
                self._arrays, self._read = self._read(), None
            return self._arrays


def _none() -> "Arrays":
    import numpy as np

    return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64)
