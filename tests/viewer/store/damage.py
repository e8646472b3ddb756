"""Damage in the index cache, for tests."""

from pathlib import Path
from random import Random

from flightlog.errors import UsageError
from flightlog_viewer import open_store
from tests.viewer.store.records import span, write

_BLOCK = 1 << 18
_HEADERS = 3 * 4096


def spans(path: Path) -> Path:
    """A span file whose base has several blocks."""
    return write(path, *(span(f"r{n}", step=n, name=Random(n).randbytes(500).hex()) for n in range(4000)))


def damage(path: Path, base: Path, query: str) -> None:
    """Spoil a block that is not missed until ``query`` is run."""
    whole = base.read_bytes()
    for start in reversed(range(_HEADERS, len(whole), _BLOCK)):
        spoiled = whole[:start] + bytes(_BLOCK) + whole[start + _BLOCK :]
        base.write_bytes(spoiled)
        with open_store(path) as store:
            if store.cache_was_damaged:
                continue
            try:
                store.sql(query).fetchall()
            except UsageError:
                return
    raise AssertionError("no such block")
