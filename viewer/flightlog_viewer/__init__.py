"""Reads span files and checkpoint databases: DuckDB store, commands, terminal."""

from typing import TYPE_CHECKING, Any

from flightlog.errors import MissingExtraError

if TYPE_CHECKING:
    from flightlog_viewer.store.store import Store, open_store

__all__ = ["Store", "open_store"]


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


def __getattr__(name: str) -> Any:
    # Lazy: the commands' help must not wait for DuckDB and numpy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from flightlog_viewer.store import store
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{__name__}.{name}", "viewer") from error
    return getattr(store, name)
