"""How long a span worked itself: its duration without the time in which a child ran."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.row_values import RowValues
from tests.viewer.span_lines import SpanLines


@pytest.mark.parametrize(
    ("children", "own_ms"),
    [
        ([], 100),
        ([(110, 20), (150, 30)], 50),
        ([(110, 20), (120, 30)], 60),
        ([(100, 80), (110, 10), (150, 40)], 10),
        ([(50, 70), (190, 200)], 70),
        ([(10, 40), (250, 40)], 100),
        ([(100, 100), (100, 100)], 0),
    ],
    ids=["none", "apart", "overlapping", "one within another", "beyond both ends", "outside", "all along"],
)
def test_own_time(children: list[tuple[float, float]], own_ms: float, tmp_path: Path) -> None:
    """Children that overlap count once, and only while their parent ran."""
    lines = SpanLines().add("root", None, 100, 100)
    for number, (start, duration) in enumerate(children):
        lines.add(f"child {number}", "root", start, duration)
        lines.add(f"grandchild {number}", f"child {number}", start, duration / 2)
    with open_store(lines.write(tmp_path / "a.jsonl")) as store:
        assert store.sql("SELECT self_ms FROM spans WHERE run_id = 'root'").fetchall() == [(own_ms,)]


def test_children_are_those_of_the_same_trace(tmp_path: Path) -> None:
    """A run id that occurs in two traces has a parent in each."""
    lines = SpanLines()
    for trace, busy in (("one", 30), ("two", 60)):
        lines.add("root", None, 0, 100, trace_id=trace).add(f"child of {trace}", "root", 10, busy)
    with open_store(lines.write(tmp_path / "a.jsonl")) as store:
        rows = store.sql("SELECT trace_id, self_ms FROM spans WHERE run_id = 'root' ORDER BY trace_id").fetchall()
    assert rows == [("one", 70), ("two", 40)]


def test_a_run_id_of_very_many_spans(tmp_path: Path) -> None:
    """Where an application gives every run one id, a child is the latest's, and no file is too large to tell."""
    lines = SpanLines()
    for number in range(2_000):
        lines.add("r", None, number * 10, 200_000, trace_id="r").add("child", "r", number * 10 + 3, 4)
    with open_store(lines.write(tmp_path / "a.jsonl")) as store:
        found = store.sql("SELECT name, min(self_ms), max(self_ms), count(*) FROM spans GROUP BY name ORDER BY name")
        assert found.fetchall() == [("child", 4, 4, 2_000), ("r", 199_996, 199_996, 2_000)]


def test_a_computed_column_takes_what_duckdb_gives() -> None:
    """Row ids come in one piece, in pieces or as a part of one, some of them NULL or beyond the end."""
    values = RowValues(lambda _, __: "")
    values.restore(lambda: np.array([10.0, np.nan, 12.0]))
    values.ready()
    look_up = values.sql_function()
    ids = pa.array([9, 0, None, 1, 2, -1], pa.int64())
    assert look_up(ids).to_pylist() == [None, 10.0, None, None, 12.0, None]
    assert look_up(ids[1:5]).to_pylist() == [10.0, None, None, 12.0]
    assert look_up(pa.chunked_array([ids[4:], ids[:0], ids[:2]])).to_pylist() == [12.0, None, None, 10.0]
    assert look_up(pa.array([], pa.int64())).to_pylist() == []
