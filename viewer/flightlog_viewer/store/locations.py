"""Where the line of each row is: three numbers a row, index = row id."""

import numpy as np
from numpy.typing import NDArray


class Locations:
    """Grows with the rows of the store; kept beside the cache as arrays."""

    def __init__(self) -> None:
        self.file_ids: NDArray[np.int32] = np.empty(0, np.int32)
        self.starts: NDArray[np.int64] = np.empty(0, np.int64)
        self.sizes: NDArray[np.int64] = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    def append(self, file_id: int, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        """Add the lines of one file, in the order of their rows."""
        if len(starts) == 0:
            return
        self.file_ids = np.concatenate([self.file_ids, np.full(len(starts), file_id, np.int32)])
        self.starts = np.concatenate([self.starts, starts])
        self.sizes = np.concatenate([self.sizes, sizes])

    def drop(self, rows: NDArray[np.int64]) -> None:
        """Take rows out; those behind move up."""
        kept = np.ones(len(self), np.bool_)
        kept[rows] = False
        self.file_ids, self.starts, self.sizes = self.file_ids[kept], self.starts[kept], self.sizes[kept]
