import random
from pathlib import Path

import duckdb
import orjson
import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.columns import kept_columns, read_columns
from flightlog_viewer.store.loading import closer_look, json_types
from tests.viewer.store.records import llm, span, write
from tests.viewer.store.test_fuzz import another_value, seeds


def contents(path: Path) -> tuple[list[tuple[object, ...]], dict[int, str]]:
    """What the store makes of a file: spans, and reasons by byte offset."""
    with open_store(path, cache=False) as store:
        spans = store.sql("SELECT * EXCLUDE (row_id) FROM spans ORDER BY seq, run_id").fetchall()
        return spans, {reject["byte_offset"]: str(reject["reason"]) for reject in store.rejects}


def test_both_ways_of_looking_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines judged by their JSON types give the same spans and rejects as lines judged one by one."""
    chance = random.Random(3)
    lines = [another_value(chance.choice(seeds()), chance) for _ in range(600)]
    lines += [line[: chance.randrange(1, len(line))] for line in lines[::9]]
    lines += [orjson.dumps(span(str(number), seq=number)) for number in range(100, 120)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = []
    for many in (0, 10**9):
        monkeypatch.setattr(closer_look, "MANY_LINES", many)
        monkeypatch.setattr(closer_look, "MANY_SHARE", 0)
        found.append(contents(path))
    (spans, by_types), (others, one_by_one) = found
    assert spans == others
    assert by_types.keys() == one_by_one.keys()
    for offset, reason in one_by_one.items():
        # A number beyond all doubles is no JSON to one, and a wrong value to the other.
        assert by_types[offset] == reason or "number is infinity" in reason
    assert len(spans) > 50 < len(by_types)


def test_passes_keep_the_order(tmp_path: Path) -> None:
    """Neither pass has a join, through which DuckDB gives rows in any order."""
    path = write(tmp_path / "a.jsonl", span("r"))
    with duckdb.connect() as connection:
        for columns, select in ((read_columns(), kept_columns()), json_types.selection()):
            query = f"EXPLAIN SELECT {select} FROM read_json('{path}', columns = {columns})"
            ((_, plan),) = connection.execute(query).fetchall()
            assert "READ_JSON" in plan
            assert "JOIN" not in plan


def test_unusable_optional_values_are_null(tmp_path: Path) -> None:
    """An optional value that is not finite or not of its type is NULL, and the row stays in its place."""
    record = llm("l", name="7", model=["x"], time_to_first_token_ms=5, tags=[{"a": 1}])
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(record).replace(b'"time_to_first_token_ms":5', b'"time_to_first_token_ms":NaN'))
    with path.open("ab") as file:
        file.write(b"\n" + orjson.dumps(span("r")) + b"\n")
    with open_store(path) as store:
        assert store.sql("SELECT name, model, time_to_first_token_ms, tags FROM spans ORDER BY row_id").fetchall()[
            0
        ] == (
            "7",
            None,
            None,
            None,
        )
