"""What a run is called."""

from typing import Any


def run_name(serialized: dict[str, Any] | None, given: Any, otherwise: str) -> str:
    """The name given to the run, else the one in what LangChain calls the serialized form, else the last resort."""
    if isinstance(given, str) and given:
        return given
    if isinstance(serialized, dict):
        name = serialized.get("name")
        if isinstance(name, str) and name:
            return name
        path = serialized.get("id")
        if isinstance(path, list) and path:
            return str(path[-1])
    return otherwise
