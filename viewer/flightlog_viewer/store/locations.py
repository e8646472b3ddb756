"""Where the line of each row is: three numbers a row, index = row id."""

import numpy as np
from numpy.typing import NDArray


class Locations:
    """Grows with the rows of the store; kept in the cache beside them."""

    file_ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self.sizes)

    def append(self, file_id: int, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        """Add the lines of one file, in the order of their rows."""
        self.extend(np.full(len(starts), file_id, np.int32), starts, sizes)

    def extend(self, file_ids: NDArray[np.int32], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        """Add lines of several files, in the order of their rows."""
        # Readers in other threads ask by the length of `sizes`, so it is set last.
        self.file_ids = np.concatenate([self.file_ids, file_ids]) if len(self.file_ids) else file_ids
        self.starts = np.concatenate([self.starts, starts]) if len(self.starts) else starts
        self.sizes = np.concatenate([self.sizes, sizes]) if len(self.sizes) else sizes

    def clear(self) -> None:
        """Forget all."""
        self.file_ids = np.empty(0, np.int32)
        self.starts = np.empty(0, np.int64)
        self.sizes = np.empty(0, np.int64)

    def drop(self, rows: NDArray[np.int64]) -> None:
        """Take rows out; those behind move up."""
        kept = np.ones(len(self), np.bool_)
        kept[rows] = False
        self.file_ids, self.starts, self.sizes = self.file_ids[kept], self.starts[kept], self.sizes[kept]
