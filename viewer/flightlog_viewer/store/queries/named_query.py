"""How a query gets its name: the commands ask by name, and another backend could answer the same names."""

from collections.abc import Callable
from typing import Any, Final

Statement = tuple[str, list[Any]]
"""SQL, and the values of its parameters in order."""
QUERIES: Final[dict[str, Callable[..., Statement]]] = {}
"""Every query that has been registered, by name."""


def named(function: Callable[..., Statement]) -> Callable[..., Statement]:
    """Register a query under the name of its function."""
    QUERIES[function.__name__] = function
    return function
