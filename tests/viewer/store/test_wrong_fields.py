import random
from collections import Counter
from pathlib import Path

import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.loading import wrong_fields
from flightlog_viewer.store.loading.sieve import look
from tests.viewer.store.records import llm, span, write
from tests.viewer.store.test_fuzz import another_value, seeds


def test_found_as_one_by_one(tmp_path: Path) -> None:
    """The fields found unusable are those that a look at each line finds, and the first are named with their place."""
    chance = random.Random(5)
    usages: list[object] = [
        {"input_tokens": 1, "input_token_details": {"a": 2}},
        {"input_token_details": 5},
        {"a": 1.5},
    ]
    usages += [{"output_tokens": {"a": 1}}, {"output_tokens": "many"}, {"x_details": {"a": "b"}}, "none", {}, [], None]
    records = [llm(f"l{number}", token_usage=usage) for number, usage in enumerate(usages)]
    errors: list[object] = ["E", {"type": ["E"]}, {"type": "E", "message": ' ":{ '}, {"message": {}}, {"a": "[1]"}]
    records += [span(f"e{number}", error=error, tags=[error]) for number, error in enumerate(errors)]
    path = write(tmp_path / "a.jsonl", *records, *(another_value(chance.choice(seeds()), chance) for _ in range(600)))
    expected: Counter[str] = Counter()
    for line in path.read_bytes().split(b"\n"):
        expected.update(look(line).dropped)
    with open_store(path) as store:
        found = store.wrong_fields(lambda *_: None)
    assert found.counts == expected
    assert {"token_usage", "error", "tags", "step"} <= expected.keys()
    first = next(line for line in path.read_bytes().split(b"\n") if look(line).dropped)
    assert found.examples[0] == f"{path} at byte {path.read_bytes().index(first):,}: token_usage"


def test_clean_lines_are_left_to_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line as the tracer writes it is looked at one by one."""
    path = write(tmp_path / "a.jsonl", *seeds(), llm("s", time_to_first_token_ms=0.5, chunks=2, tags=["a", "b"]))
    with open_store(path) as store:
        monkeypatch.setattr(wrong_fields, "look", None)
        assert not store.wrong_fields(lambda *_: None).counts


def test_file_that_went_away(tmp_path: Path) -> None:
    """Lines of a file that was deleted are read from the open descriptor."""
    path = write(tmp_path / "a.jsonl", span("r", step="x"), span("s"))
    with open_store(path) as store:
        path.unlink()
        assert store.wrong_fields(lambda *_: None).counts == {"step": 1}
