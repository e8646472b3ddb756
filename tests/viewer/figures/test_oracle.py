"""What the store says of a recording is what its lines come to, worked out a second time in plain Python."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from flightlog import read_spans
from flightlog_viewer import open_store
from flightlog_viewer.store.queries.report import BY
from tests.viewer.figures.forest import forest
from tests.viewer.figures.plain import Figures, Record, cost, end_us, moment, start_us
from tests.viewer.store.records import write
from tests.viewer.test_figures_agree import record as record_graphs

ZONES = ("UTC", "America/New_York", "Asia/Kolkata")


def same(found: Any, wanted: Any, place: str) -> None:
    """Fail where two answers differ, floats by more than their last digits."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), place
        for key in wanted:
            same(found[key], wanted[key], f"{place} {key}")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9), place
    else:
        assert found == wanted, place


def compare(path: Path, records: list[Record], zone: str) -> None:
    """Every figure of every span, trace and grouping."""
    figures = Figures(records)
    names = ("run_id", "self_ms", "cost_usd", "counted", "end_time")
    with open_store(path, cache=False) as store:
        spans = {row[0]: row[1:] for row in store.sql(f"SELECT {', '.join(names)} FROM spans").fetchall()}
        answer = store.sql("FROM traces")
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]
        traces = {row["trace_id"]: row for row in rows}
        groups = {by: store.query("summary", by=by, tz=ZoneInfo(zone)) for by in (*BY, "metadata.long/er")}
        (total,) = store.query("overview")
    assert spans.keys() == {record["run_id"] for record in records}
    for record in records:
        price = cost(record) if record["type"] == "llm" else None
        wanted = (figures.own_ms(record), price, figures.counted(record), moment(end_us(record)))
        for name, found, value in zip(names[1:], spans[record["run_id"]], wanted, strict=True):
            same(found, value, f"{name} of {record}")
    for row in traces.values():
        row["metadata"] = row["metadata"] and orjson.loads(row["metadata"])
    trees = figures.traces()
    same({name: {key: traces[name][key] for key in row} for name, row in trees.items()}, trees, "traces")
    for by, found in groups.items():
        keyed = {(group.pop("key"), group.pop("type")): group for group in found}
        same(keyed, figures.summary(by, ZoneInfo(zone)), by)
    same(total, figures.overview(), "overview")


@pytest.mark.parametrize("seed", range(3))
def test_every_figure_of_any_recording(tmp_path: Path, seed: int) -> None:
    """Own times, costs, traces and every grouping, in zones where the day is another."""
    records = forest(seed)
    compare(write(tmp_path / "a.jsonl", *records), records, ZONES[seed])


def test_every_figure_of_a_graph(tmp_path: Path) -> None:
    """A graph that calls models, is retried, asks a human and is resumed, as the tracer wrote it."""
    path = tmp_path / "spans.jsonl"
    record_graphs(path)
    compare(path, [span.to_record() for span in read_spans(path)], "UTC")


def test_where_errors_began(tmp_path: Path) -> None:
    """The report's table has failed spans with no failed span inside, the most frequent first, with the last trace."""
    records = forest(4, traces=20, most=25)
    failed = [record for record in records if record["status"] == "error"]
    around = {record.get("parent_run_id") for record in failed}
    began: dict[tuple[str, str | None], list[Record]] = {}
    for record in failed:
        if record["run_id"] not in around:
            began.setdefault((record["name"], record.get("error", {}).get("type")), []).append(record)
    with open_store(write(tmp_path / "a.jsonl", *records), cache=False) as store:
        found = store.query("error_origins", limit=100)
    assert {(row["name"], row["type"]): (row["times"], row["last_seen"]) for row in found} == {
        key: (len(members), moment(max(map(start_us, members)))) for key, members in began.items()
    }
    assert [row["times"] for row in found] == sorted((row["times"] for row in found), reverse=True)
    for row in found:
        last = max(began[row["name"], row["type"]], key=start_us)
        assert row["trace_id"] == last["trace_id"]


@pytest.mark.soak
def test_every_figure_of_very_many_recordings(tmp_path: Path) -> None:
    """The same for a hundred of them."""
    for seed in range(3, 100):
        records = forest(seed)
        compare(write(tmp_path / f"{seed}.jsonl", *records), records, ZONES[seed % 3])
