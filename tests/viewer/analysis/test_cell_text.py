"""Values of the store as text and as JSON."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from flightlog_viewer.analysis.cell_text import csv_cell, dumps, plain_cell, unique_names
from flightlog_viewer.tui.copying import as_text
from flightlog_viewer.tui.screens.sql import export


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "b", "a"], ["a", "a_2", "b", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
        (["a_2", "a_2", "a", "a"], ["a_2", "a_2_2", "a", "a_3"]),
    ],
)
def test_every_column_has_a_key_of_its_own(names: list[str], keys: list[str]) -> None:
    """A repeated name gets a number that no column has, so that no value of a row is lost."""
    assert unique_names(names) == keys


def test_the_console_exports_what_the_command_prints(tmp_path: Path) -> None:
    """JSON of the viewer has every column, times with their zone, and numbers and texts of any sort."""
    row = (1, 2, 2**70, "\ud800", datetime(2026, 11, 20, 12))
    assert export(tmp_path / "out.json", ["n", "n", "large", "half", "at"], [row]).startswith("1 row")
    [found] = json.loads((tmp_path / "out.json").read_text())
    assert found == {"n": 1, "n_2": 2, "large": 2**70, "half": "\ud800", "at": "2026-11-20T12:00:00Z"}
    assert as_text("as it is") == "as it is"


def test_decimals_keep_their_digits() -> None:
    """A decimal stands in JSON and in a cell with all its digits, also those a double has no room for."""
    price = Decimal("12345678901234567890.1200")
    assert dumps([price], orjson.OPT_INDENT_2).split() == ["[", "12345678901234567890.1200", "]"]
    assert plain_cell(price) == "12345678901234567890.1200"
    assert plain_cell(Decimal("1E-7")) == "0.0000001"
    assert csv_cell(price) == price


def test_numbers_in_a_list_are_as_short_as_alone() -> None:
    """Several percentiles in one cell have no more digits than in cells of their own, and no commas inside."""
    assert plain_cell([170.001502, 1867.6378923999998, 0.25]) == "[170.002, 1867.638, 0.25]"
    assert plain_cell([1.5, None]) == "[1.5,null]"


def test_what_is_nested_too_deep_is_cut() -> None:
    """A value deeper than Python calls is written, copied and put in a cell as far as it can be."""
    deep = json.loads('{"a":[' * 450 + '"bottom"' + "]}" * 450)
    for text in (dumps([deep, "beside"], 0), as_text([deep, "beside"]), plain_cell([deep, "beside"])):
        cut, beside = json.loads(text)
        assert beside == "beside"
        assert text.count("a") == 100
        assert "…" in json.dumps(cut, ensure_ascii=False)
