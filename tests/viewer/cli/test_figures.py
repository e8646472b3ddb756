"""Figures in tables for people."""

import io
import sys

import pytest

from flightlog_viewer.cli import figures


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, ""), (0, "0 µs"), (0.057, "57 µs"), (0.9996, "1.0 ms"), (4.21, "4.2 ms"), (9.96, "10 ms"),
     (999.6, "1.00 s"), (2410, "2.41 s"), (59_996, "1 m 00 s"), (7_440_000, "2 h 04 m")],
)  # fmt: skip
def test_durations_are_in_the_unit_that_suits_them(
    ms: float | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A duration has two or three digits that mean something, also where it rounds up to the next unit."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert figures.duration(ms) == text


def test_a_terminal_without_a_mu_gets_a_u(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout is not UTF-8, microseconds are written in ASCII."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert figures.duration(0.057) == "57 us"
