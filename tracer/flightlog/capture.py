"""How much of a payload is kept."""

from collections.abc import Mapping
from typing import Final, Literal, cast

from flightlog.errors import UsageError

Mode = Literal["all", "metadata", "none"]
"""``all``: the payload. ``metadata``: its type, size in bytes and SHA-256. ``none``: nothing."""

MODES: Final = ("all", "metadata", "none")


def modes(capture: Mapping[str, str] | str | None) -> tuple[Mode, Mode]:
    """The modes for inputs and output. Raises UsageError for anything else."""
    if isinstance(capture, str):
        capture = {"inputs": capture, "output": capture}
    chosen = dict(capture or {})
    unknown = set(chosen) - {"inputs", "output"}
    if unknown:
        raise UsageError(f"capture has no field {sorted(unknown)[0]!r}: use 'inputs' and 'output'")
    for mode in chosen.values():
        if mode not in MODES:
            raise UsageError(f"capture mode {mode!r} is unknown: use 'all', 'metadata' or 'none'")
    return cast(Mode, chosen.get("inputs", "all")), cast(Mode, chosen.get("output", "all"))
