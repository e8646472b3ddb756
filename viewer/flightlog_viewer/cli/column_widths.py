"""How wide the columns of a table are in a terminal that has not room for all of it."""

from collections.abc import Sequence
from typing import Final

TEXT_MINIMUM: Final = 13
"""Narrowest a column of text gets; as much of an id finds its trace."""


def fit(widths: Sequence[int], right: Sequence[bool], drop: Sequence[int], room: int) -> tuple[list[int], list[int]]:
    """Widths that fit ``room`` characters, -1 for a column left out, and the columns left out.

    Text is cut first, the widest column at a time; then columns go, those with the highest ``drop`` first (0: never).
    A number is never cut: a cut number is a wrong number.
    """
    fitted = list(widths)
    left_out: list[int] = []

    def excess() -> int:
        kept = [width for width in fitted if width >= 0]
        return sum(kept) + 2 * (len(kept) - 1) - room

    while (over := excess()) > 0:
        texts = [i for i, width in enumerate(fitted) if not right[i] and width > TEXT_MINIMUM]
        if texts:
            widest = max(texts, key=lambda i: fitted[i])
            fitted[widest] = max(TEXT_MINIMUM, fitted[widest] - max(1, over // len(texts)))
            continue
        spare = [i for i, width in enumerate(fitted) if width >= 0 and drop[i]]
        if not spare:
            break
        last = max(spare, key=lambda i: drop[i])
        fitted[last] = -1
        left_out.append(last)
    # What a dropped column left free goes back to the texts that were cut.
    for index in sorted(range(len(fitted)), key=lambda i: widths[i]):
        if 0 <= fitted[index] < widths[index]:
            fitted[index] = min(widths[index], fitted[index] + max(0, -excess()))
    return fitted, sorted(left_out)
