"""Letters and marks: every state has one, so that no colour alone carries meaning; ``--ascii`` has its own set."""

from dataclasses import dataclass
from typing import Final

TYPE_LETTERS: Final = {
    "llm": "L",
    "tool": "T",
    "retriever": "R",
    "event": "*",
    "graph": "G",
    "node": "N",
    "edge": "E",
    "task": "F",
    "runnable": "C",
    "chain": "C",
}
"""A span's letter: by ``kind`` where it has one, else by ``type``."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What is drawn for states, bars, folds and gaps."""

    status: dict[str, str]
    full: str
    """A bar of time."""
    open_end: str
    """The end of a bar that has not ended."""
    folded: str
    unfolded: str
    gap: str
    density: str
    """From nothing to most, for the minimap and small plots."""
    more: str
    gutter: str
    """Beside text from data, in the colour of a question."""


UNICODE: Final = Glyphs(
    status={
        "ok": "✓",
        "error": "✗",
        "interrupted": "‖",
        "handoff": "→",
        "cancelled": "⊘",
        "abandoned": "…",
        "running": "▶",
        "unfinished": "!",
        "finished": "✓",
        "errored": "✗",
        "crashed": "!",
        "paused_or_running": "~",
        "empty": "-",
    },
    full="▇",
    open_end="▒",
    folded="▸",
    unfolded="▾",
    gap="≈",
    density=" ▁▂▃▄▅▆▇█",
    more="…",
    gutter="┃",
)
ASCII: Final = Glyphs(
    status={
        "ok": "o",
        "error": "x",
        "interrupted": "|",
        "handoff": ">",
        "cancelled": "c",
        "abandoned": "?",
        "running": "r",
        "unfinished": "!",
        "finished": "o",
        "errored": "x",
        "crashed": "!",
        "paused_or_running": "~",
        "empty": "-",
    },
    full="#",
    open_end="~",
    folded=">",
    unfolded="v",
    gap="~",
    density=" .:-=+*#@",
    more="~",
    gutter="|",
)


def letter(type_: str, kind: str | None) -> str:
    """The letter of a span."""
    return TYPE_LETTERS.get(kind or type_, TYPE_LETTERS.get(type_, "?"))
