"""To the next marked place: strictly beyond, unless nobody has chosen where one stands."""

import pytest

from flightlog_viewer.analysis.jumps import jump

TOP, END = "past the end: on from the top", "past the top: on from the end"


@pytest.mark.parametrize(
    ("places", "here", "step", "fresh", "found"),
    [
        ([], 0, 1, True, None),
        ([3, 7], 0, 1, True, (3, "")),
        ([0, 7], 0, 1, True, (0, "the first one is right here")),
        ([0, 7], 0, 1, False, (7, "")),
        ([0, 7], 0, -1, True, (7, END)),
        ([3, 7], 5, 1, False, (7, "")),
        ([3, 7], 5, -1, False, (3, "")),
        ([3, 7], 7, 1, False, (3, TOP)),
        ([3, 7], 3, -1, False, (7, END)),
        ([3], 9, 1, False, (3, TOP)),
        ([3], 3, 1, False, (3, "this is the only one")),
        ([3], 3, -1, False, (3, "this is the only one")),
    ],
)
def test_the_next_place(places: list[int], here: int, step: int, fresh: bool, found: tuple[int, str] | None) -> None:
    """The next place is beyond here; round the end, and nowhere, are said."""
    assert jump(places, here, step, fresh=fresh) == found
