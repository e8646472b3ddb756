"""Whether a file begins with bytes that were read before, told by samples of them."""

import hashlib
import os
from typing import Final

from flightlog_viewer.store.files.source_file import SourceFile

_SAMPLES: Final = 16
_SAMPLE_BYTES: Final = 4096
_HEAD_BYTES: Final = 256
_MOST: Final = 1000
"""Files that are remembered; a folder rarely has more, and older ones are packed and gone."""


def fingerprint(descriptor: int, end: int) -> str:
    """A hash of samples of the bytes up to ``end``, the first and the last among them. Raises OSError."""
    digest = hashlib.sha256()
    last = max(0, end - _SAMPLE_BYTES)
    for index in range(_SAMPLES):
        at = last * index // (_SAMPLES - 1)
        digest.update(os.pread(descriptor, min(_SAMPLE_BYTES, end - at), at))
    return digest.hexdigest()


class ReadBefore:
    """Files whose spans were let go: a packed or copied one that comes later is known by them."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, str]] = {}
        """By the first bytes, which hold a run id: how far a file was read, and the fingerprint up to there."""

    def note(self, source: SourceFile) -> None:
        """Remember how far a file was read."""
        try:
            with source.reading() as descriptor:
                head, found = os.pread(descriptor, _HEAD_BYTES, 0), fingerprint(descriptor, source.end)
        except OSError:  # it is gone: what was noted before still holds
            return
        if len(head) == _HEAD_BYTES and source.end >= _HEAD_BYTES:
            self._known.pop(head, None)
            self._known[head] = source.end, found
            if len(self._known) > _MOST:
                del self._known[next(iter(self._known))]

    def end_of(self, source: SourceFile) -> int:
        """How many of the first bytes of a new file were read before."""
        if not self._known:
            return 0
        try:
            with source.reading() as descriptor:
                end, known = self._known.get(os.pread(descriptor, _HEAD_BYTES, 0), (0, ""))
                size = os.fstat(descriptor).st_size
                return end if 0 < end <= size and fingerprint(descriptor, end) == known else 0
        except OSError:
            return 0
