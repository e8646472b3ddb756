"""Why a model stopped, where it did not come to its end by itself."""

from typing import Any, Final

_ORDINARY: Final = frozenset(
    (
        *("stop", "stop_sequence", "end_turn", "complete", "completed", "done", "eos", "eos_token"),
        *("tool_call", "tool_calls", "tool_use", "tooluse", "function_call"),
    )
)
"""In the words of the providers, in small letters."""


def cut_short(reason: Any) -> str | None:
    """``finish: max_tokens``, as the filter asks for it; None for an ordinary end, and where nothing is known."""
    if not isinstance(reason, str) or not reason or reason.lower() in _ORDINARY:
        return None
    return f"finish: {reason[:60]}"
