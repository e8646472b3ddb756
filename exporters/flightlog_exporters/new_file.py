"""Output files that are there whole or not at all, readable by their owner only."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from flightlog.errors import UsageError

_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)))


@contextmanager
def new_file(target: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Write beside the target, and put it in its place at the end.

    Raises UsageError when the target is there already (without ``overwrite``), its folder cannot be written to, or the
    disk is full.
    """
    if target.is_dir():
        raise UsageError(f"{target} is a folder: name a file")
    if target.exists() and not target.is_file():
        # A device or a pipe would be replaced by our file, for everybody when root asks for it.
        raise UsageError(f"{target} is not a regular file: name another one")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already: choose another name, or --overwrite")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    try:
        with open(descriptor, "wb") as out:
            yield cast("BinaryIO", out)
        os.replace(draft, target)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
