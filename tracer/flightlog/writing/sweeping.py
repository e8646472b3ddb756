"""Taking away what dead writers left beside a span file."""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Final

from flightlog.file_lock import is_locked
from flightlog.sidecars import FLAGS, beside, read_sidecar
from flightlog.system_calls import status, unlink

_ABANDONED_S: Final = 60
"""Age from which a sidecar that was being rewritten counts as left by a writer that was killed at it."""
_OWN_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.open(\.new)?\Z")


def sweep(path: str | os.PathLike[str], keep: int, living: str = "") -> None:
    """Delete the sidecars of dead writers in which everything ended, and the oldest of the others above ``keep``.

    ``living`` is the path of one whose writer lives.
    """
    dead: list[tuple[int, Path]] = []
    for sidecar in beside(path, ".open", ".open.new"):
        if os.fspath(sidecar) == living or not _OWN_NAME.search(sidecar.name):
            continue
        with contextlib.suppress(OSError):
            if sidecar.suffix == ".new":  # of a writer killed while it rewrote its sidecar
                if time.time() - status(sidecar).st_mtime > _ABANDONED_S:
                    unlink(sidecar)
                continue
            fd = os.open(sidecar, FLAGS)
            try:
                if is_locked(fd):
                    continue
                modified = os.fstat(fd).st_mtime_ns
            finally:
                os.close(fd)
            if read_sidecar(sidecar):
                dead.append((modified, sidecar))
            else:
                unlink(sidecar)
    for _, sidecar in sorted(dead)[: max(0, len(dead) - keep)]:
        with contextlib.suppress(OSError):
            unlink(sidecar)
