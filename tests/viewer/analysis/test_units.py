"""Numbers as short text."""

import pytest

from flightlog_viewer.analysis import units


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, "?"), (0.057, "57µs"), (0.9996, "1.0ms"), (9.96, "10ms"),
     (812.2, "812ms"), (999.7, "1.0s"), (8400, "8.4s"), (14_200, "14s"),
     (59_700, "1m00s"), (185_000, "3m05s"), (7_800_000, "2h10m"), (273_600_000, "3d4h")],
)  # fmt: skip
def test_durations_fit_six_characters(ms: float | None, text: str) -> None:
    """A duration is shown in the unit that suits it."""
    assert units.duration(ms) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "?"),
        (0, "$0"),
        (0.000038, "<$.0001"),
        (0.00006, "$.0001"),
        (0.0042, "$.0042"),
        (0.08, "$.08"),
        (12.4, "$12.40"),
        (4321, "$4,321"),
    ],
)
def test_unknown_money_is_not_zero(dollars: float | None, text: str) -> None:
    """An unknown price is a question mark, and a call that cost next to nothing was not free."""
    assert units.money(dollars) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "?"),
        (0, "$0+"),
        (0.00004, "$0+"),
        (0.0042, "$.0042+"),
        (12.4, "$12.40+"),
        (123.4, "$123+"),
        (4321, "$4,321+"),
    ],
)
def test_money_with_more_behind_it(dollars: float | None, text: str) -> None:
    """What is known of it is said, in the seven places that a column has."""
    assert units.money(dollars, more=True) == text
    assert len(text) <= 7


def test_counts_sizes_ages_and_clocks() -> None:
    """Large numbers are rounded to a letter; times out of range do not fail."""
    assert [units.count(n) for n in (999, 1200, 12_400, 3_400_000)] == ["999", "1.2k", "12k", "3.4M"]
    assert units.size(2_000_000) == "2.0 MB"
    assert [units.age(s) for s in (-5, 12, 200, 90_000)] == ["0s", "12s", "3m", "1d"]
    assert units.clock(1_763_640_000_000_000, date=True) == "2025-11-20 12:00:00"
    assert units.clock(10**18) == "?"
