"""To the next or previous of some marked places, round the end, with a word for whoever did not see it coming."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple


class Jump(NamedTuple):
    """Where a jump leads."""

    to: int
    said: str
    """What the eye would miss: that it went round the end, or nowhere; mostly empty."""


def jump(places: Sequence[int], here: int, step: int, *, fresh: bool = False) -> Jump | None:
    """From ``here`` to the next (``step`` 1) or previous (-1) of ``places``, which are sorted; None without any.

    ``fresh`` means that nobody has chosen to be here: then a place that is right here counts as the next one.
    """
    if not places:
        return None
    if fresh and step > 0 and (at := bisect_left(places, here)) < len(places) and places[at] == here:
        return Jump(here, "the first one is right here")
    found = places[bisect_right(places, here) % len(places)] if step > 0 else places[bisect_left(places, here) - 1]
    return Jump(found, said(here, found, step))


def said(here: int, found: int, step: int) -> str:
    """The word for a jump from ``here`` to ``found``; empty when it went on in its direction."""
    if found == here:
        return "this is the only one"
    if (found > here) == (step > 0):
        return ""
    return "past the end: on from the top" if step > 0 else "past the top: on from the end"
