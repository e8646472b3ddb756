"""Reads span files and checkpoint databases: DuckDB store, commands, terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flightlog_viewer.store.store import Store, open_head, open_store

__all__ = ["Store", "open_head", "open_store"]


def __getattr__(name: str) -> Any:
    # Lazy: the commands' help must not wait for DuckDB and numpy.
    if name in __all__:
        from flightlog_viewer.store import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
