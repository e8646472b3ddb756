"""How much of a payload is kept."""

from collections.abc import Mapping
from typing import Literal, get_args

from flightlog.errors import UsageError

Mode = Literal["all", "metadata", "none"]
"""``all``: the payload. ``metadata``: its type, size in bytes and SHA-256. ``none``: nothing."""

Capture = Mapping[Literal["inputs", "output"], Mode] | Mode
"""A mode for each, ``all`` for what is not named; or one mode for both."""


def modes(capture: Capture | None) -> tuple[Mode, Mode]:
    """The modes for inputs and output. Raises UsageError for anything else."""
    if capture is None:
        return "all", "all"
    try:
        chosen = {"inputs": capture, "output": capture} if isinstance(capture, str) else dict(capture)
    except (TypeError, ValueError):  # False, say: whoever writes that does not mean "all"
        raise UsageError(f"capture takes a mode, or one for each of 'inputs' and 'output', not {capture!r}") from None
    unknown = set(chosen) - {"inputs", "output"}
    if unknown:
        raise UsageError(f"capture has no field {sorted(unknown)[0]!r}: use 'inputs' and 'output'")
    for mode in chosen.values():
        if mode not in get_args(Mode):
            raise UsageError(f"capture mode {mode!r} is unknown: use 'all', 'metadata' or 'none'")
    return chosen.get("inputs", "all"), chosen.get("output", "all")
