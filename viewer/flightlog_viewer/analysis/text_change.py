"""How one text became another: drafts of a report, say, which begin alike and are long."""

from difflib import unified_diff

_BEFORE = 20
"""Characters shown of what two texts have in common."""
_MOST_LINES = 1000
"""Lines of a text that are compared: it takes the square of them where all are alike."""


def from_where_they_part(before: str, after: str, width: int) -> tuple[str, str]:
    """Two texts as they are, or, where the first ``width`` characters would look the same, from where they part."""
    start = _common(before, after) - _BEFORE
    if start <= 0 or start + _BEFORE < width // 2:
        return before, after
    return f"…{before[start:]}", f"…{after[start:]}"


def changed_lines(before: str, after: str) -> list[str]:
    """Lines that begin with ``-``, ``+``, or a blank where they are the same, and ``...`` for those left out.

    Empty where both texts have one line, or one has too many.
    """
    old, new = before.splitlines(), after.splitlines()
    if not 1 < max(len(old), len(new)) <= _MOST_LINES:
        return []
    lines = list(unified_diff(old, new, n=1, lineterm=""))[3:]
    return ["..." if line.startswith("@@") else line for line in lines]


def _common(before: str, after: str) -> int:
    """How many characters two texts begin with alike."""
    known, end = 0, min(len(before), len(after))
    while known < end:
        middle = (known + end + 1) // 2
        if before[known:middle] == after[known:middle]:
            known = middle
        else:
            end = middle - 1
    return known
