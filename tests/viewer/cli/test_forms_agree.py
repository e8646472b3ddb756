"""A command says the same figures in every form it has."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from flightlog_viewer.cli import figures
from flightlog_viewer.cli.app import main
from tests.viewer.figures.forest import forest
from tests.viewer.store.records import span, write

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording with all that figures depend on."""
    return str(write(tmp_path_factory.mktemp("forms") / "a.jsonl", *forest(9, traces=15)))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """What a command line prints."""

    def call(*argv: str) -> str:
        assert main(argv) == 0
        return capsys.readouterr().out

    return call


def strict(text: str) -> Any:
    """JSON as the standard has it: without NaN."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text)))


def agree(text: str, value: Any) -> None:
    """Whether a cell of CSV is the value of JSON; sums depend in the last digits on the order of adding up."""
    if isinstance(value, float):
        assert float(text) == pytest.approx(value, rel=1e-12)
    elif isinstance(value, dict | list):
        assert json.loads(text) == value
    else:
        assert text == ("" if value is None else str(value))


@pytest.mark.parametrize(
    "by", ["name", "waste", *(pytest.param(by, marks=pytest.mark.soak) for by in ("node", "thread"))]
)
def test_a_summary(ask: Ask, spans: str, by: str) -> None:
    """CSV and table have the figures of the JSON, group by group in one order."""
    groups = strict(ask("summary", spans, "--by", by, "--json"))["groups"]
    lines = ask("summary", spans, "--by", by, "--csv")
    for row, group in zip(rows_of(lines), groups, strict=True):
        assert row.keys() == group.keys()
        for name, text in row.items():
            agree(text, group[name])
    shown = ask("summary", spans, "--by", by).splitlines()[-len(groups) :]
    for line, group in zip(shown, groups, strict=True):
        assert figures.duration(group["total_ms"]) in line
        assert figures.some(group["total_tokens"]) in line
        assert group["cost_usd"] is None or figures.money(group["cost_usd"]) in line


def test_large_counts(ask: Ask, tmp_path: Path) -> None:
    """The rows of a summary count as its headline does, with separators; CSV has plain numbers."""
    path = str(
        write(tmp_path / "a.jsonl", *(span(f"r{number}", trace=f"r{number}", name="a") for number in range(1200)))
    )
    headline, _, _, row = ask("summary", path).splitlines()
    assert headline == "1,200 spans in 1,200 traces"
    assert row.split()[:3] == ["a", "chain", "1,200"]
    assert rows_of(ask("summary", path, "--csv"))[0]["count"] == "1200"


@pytest.mark.parametrize("command", [("traces", "-n", "0"), ("sql", "FROM traces ORDER BY row_id")])
def test_rows(ask: Ask, spans: str, command: tuple[str, ...]) -> None:
    """Every value of the CSV is that of the JSON."""
    found = strict(ask(*command, spans, "--json"))
    rows = rows_of(ask(*command, spans, "--csv"))
    for row, known in zip(rows, found, strict=True):
        assert "unknown_costs" in row
        for name, text in row.items():
            agree(text, known[name])


def test_what_a_trace_resumes(ask: Ask, tmp_path: Path) -> None:
    """The answer is a value in the JSON of every command, not a text of JSON."""
    answers = [{"interrupt_id": "i", "value": {"approved": True}}]
    path = str(write(tmp_path / "a.jsonl", span("r", resumes=answers, error={"type": "E", "message": "m"})))
    (listed,) = strict(ask("traces", path, "--json"))
    (asked,) = strict(ask("sql", "SELECT resumes FROM traces", path, "--json"))
    assert listed["resumes"] == strict(ask("show", "last", path, "--json"))["resumes"] == asked["resumes"] == answers


@pytest.mark.parametrize("by", ["name", "type"])
def test_a_comparison(ask: Ask, spans: str, by: str) -> None:
    """Sides and differences are the same in CSV, each column under a name of its own."""
    groups = strict(ask("compare", spans, spans, "--by", by, "--json"))["groups"]
    lines = ask("compare", spans, spans, "--by", by, "--csv")
    names = lines.splitlines()[0].split(",")
    assert len(set(names)) == len(names)
    for row, group in zip(rows_of(lines), groups, strict=True):
        assert (row[by], row["type"]) == (group["key"], group["type"])
        for side in ("a", "b", "difference"):
            for name in group["a"]:
                agree(row[f"{side}_{name}"], group[side].get(name))


ODD = {
    "9223372036854775808::HUGEINT": (2**63, "9223372036854775808"),
    "'nan'::DOUBLE": (None, "nan"),
    "-1e999::DOUBLE": (None, "-inf"),
    "['inf'::DOUBLE]": ([None], "[null]"),
    "TIME '12:00:00.5'": ("12:00:00.500000", "12:00:00.500000"),
    "'ab'::BLOB": ("6162", "6162"),
    "INTERVAL 90 SECOND": (90.0, "90.0"),
    "TIMESTAMP '2026-01-01 00:00:00.123456'": ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123456Z"),
    "'0d3b2a2e-9d3c-4f4e-8f0a-0d3b2a2e9d3c'::UUID": ("0d3b2a2e-9d3c-4f4e-8f0a-0d3b2a2e9d3c",) * 2,
    "{'x': NULL, 'y': [1]}": ({"x": None, "y": [1]}, '{"x":null,"y":[1]}'),
    "NULL": (None, ""),
}


@pytest.mark.parametrize("huge", [1, 2**127 - 1], ids=["plain", "beside a huge number"])
def test_values_of_every_type(ask: Ask, spans: str, huge: int) -> None:
    """JSON is JSON whatever stands beside it, and a text in CSV stands there without quotes of its own."""
    query = f"SELECT {huge} AS huge, {', '.join(f'{value} AS c{place}' for place, value in enumerate(ODD))}"
    (in_json,) = strict(ask("sql", query, spans, "--json"))
    (in_csv,) = rows_of(ask("sql", query, spans, "--csv"))
    for place, (value, (as_json, as_csv)) in enumerate(ODD.items()):
        assert (in_json[f"c{place}"], in_csv[f"c{place}"]) == (as_json, as_csv), value


def test_parquet_of_a_query(ask: Ask, spans: str, tmp_path: Path) -> None:
    """The file has the rows of the JSON."""
    query = "SELECT run_id, duration_ms, self_ms, cost_usd, token_usage.total_tokens AS tokens FROM spans ORDER BY ALL"
    ask("sql", query, spans, "-o", str(tmp_path / "a.parquet"))
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist() == strict(ask("sql", query, spans, "--json"))


def test_lists_of_json(ask: Ask, spans: str) -> None:
    """JSON that a query has gathered nests as JSON by itself does."""
    query = (
        "SELECT list(j ORDER BY j) AS all, [] AS none FROM (VALUES ('{\"a\":[1]}'::JSON), ('\"b\"'), (NULL)) AS t(j)"
    )
    assert strict(ask("sql", query, spans, "--json")) == [{"all": ["b", {"a": [1]}, None], "none": []}]


def test_intervals_in_parquet(ask: Ask, spans: str, tmp_path: Path) -> None:
    """A time between two times is seconds in Parquet, as it is in JSON, and unknown where it is."""
    odd = "VALUES (INTERVAL 90 SECOND), (INTERVAL '2 months -3 days 1.5 seconds'), (NULL)"
    query = f"SELECT lag, lag FROM (SELECT end_time - start_time FROM spans UNION ALL {odd}) AS t(lag) ORDER BY ALL"
    ask("sql", query, spans, "-o", str(tmp_path / "a.parquet"))
    kept = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert kept == strict(ask("sql", query, spans, "--json"))
    assert {90.0, 57 * 86_400 + 1.5, None} <= {row["lag"] for row in kept}


@pytest.mark.parametrize("value", ["[INTERVAL 1 DAY]", "{}", "MAP {}", "union_value(a := 1)"])
def test_what_parquet_cannot_hold(value: str, spans: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column of a type that Parquet has not is named in a sentence, and no file is left."""
    target = tmp_path / "a.parquet"
    assert main(["sql", f"SELECT 1 AS one, {value} AS odd", spans, "-o", str(target)]) == 2
    assert capsys.readouterr().err.startswith("flightlog: Parquet cannot hold odd (")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_an_interval_beyond_all_times(form: str, spans: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that Python has no room for is a sentence."""
    assert main(["sql", "SELECT INTERVAL 100000000 YEAR", spans, "--format", form]) == 2
    assert capsys.readouterr().err == "flightlog: a value is beyond what Python can hold: cast it to VARCHAR\n"
