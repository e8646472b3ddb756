"""What work was for nothing, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog_viewer import Store, open_store
from flightlog_viewer.analysis.filter import Filter
from tests.viewer.store.records import span, write

AT = [f"2026-11-20T12:00:0{second}.000000Z" for second in range(4)]


def node(run_id: str, start: str, **fields: Any) -> dict[str, Any]:
    return span(run_id, "r", kind="node", task_id="k", start_time=start, **fields)


def tool(run_id: str, start: str, **fields: Any) -> dict[str, Any]:
    return span(run_id, "r", type="tool", start_time=start, **fields)


RETRY = {"tags": ["x", "retry:attempt:2"]}
ERROR = {"status": "error", "attempt": 1}
ASKS = {"status": "interrupted"}
CASES: list[tuple[list[dict[str, Any]], dict[str, int]]] = [
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=2)], {"retried": 1}),
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=1)], {}),
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=2) | {"trace_id": "other"}], {}),
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=2) | {"kind": "task"}], {}),
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=2) | {"task_id": "l"}], {}),
    ([node("a", AT[0], attempt=1), node("b", AT[1], attempt=2)], {}),
    ([tool("a", AT[0], status="error"), tool("b", AT[1], **RETRY)], {"retried": 1}),
    ([tool("a", AT[1], status="error"), tool("b", AT[0], **RETRY)], {}),
    ([tool("a", AT[0], status="error"), tool("b", AT[1], tags=["x"])], {}),
    ([tool("a", AT[0], status="error"), tool("b", AT[1], **RETRY) | {"type": "llm"}], {}),
    ([tool("a", AT[0], status="error"), tool("b", AT[1], **RETRY) | {"parent_run_id": "s"}], {}),
    ([node("a", AT[0], **ASKS), node("b", AT[1])], {"rerun": 1}),
    ([node("a", AT[0], **ASKS), node("b", AT[1]) | {"trace_id": "later"}], {"rerun": 1}),
    ([node("a", AT[1], **ASKS), node("b", AT[0])], {}),
    ([node("a", AT[0], **ASKS), node("b", AT[1]) | {"task_id": "l"}], {}),
    ([node("a", AT[0], **ASKS), tool("in a", AT[0]) | {"parent_run_id": "a"}, node("b", AT[1])], {"rerun": 2}),
    ([tool("a", AT[0], status="abandoned"), tool("b", AT[0], status="cancelled")], {"abandoned": 2}),
    ([node("a", AT[0], **ASKS), tool("c", AT[0], status="abandoned") | {"parent_run_id": "a"}, node("b", AT[1])],
     {"rerun": 1, "abandoned": 1}),
]  # fmt: skip


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Every case in one file, its ids beginning with its number."""
    ids = ("run_id", "parent_run_id", "trace_id", "task_id")
    lines = [
        line | {name: f"{number}-{line[name]}" for name in ids if name in line}
        for number, (case, _) in enumerate(CASES)
        for line in [span("r"), *case]
    ]
    with open_store(write(tmp_path_factory.mktemp("waste") / "a.jsonl", *lines), cache=False) as store:
        yield store


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_cause_and_what_only_looks_like_it(number: int, all_cases: Store) -> None:
    """A failed attempt before another, a call before its retry, a node before its rerun; each with what is inside."""
    lines, wasted = CASES[number]
    where = Filter("starts_with(run_id, ?)", [f"{number}-"])
    found = {group["key"]: group["count"] for group in all_cases.query("summary", by="waste", where=where)}
    assert found == {"useful": len(lines) + 1 - sum(wasted.values())} | wasted


def test_a_task_of_any_size_is_told(tmp_path: Path) -> None:
    """As many questions of one task, and retries of one call, as a hostile file may claim are only counted."""
    count = 40_000
    kinds = [node("a#", AT[0], **ASKS), tool("b#", AT[0], status="error", **RETRY)]
    asking, retried = (orjson.dumps(line).replace(b"00.000000", b"#") for line in kinds)
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for number in range(count):
            time = b"%02d.%03d000" % divmod(number, 1000)
            for line in (asking, retried):
                file.write(line.replace(b'#"', b'%d"' % number).replace(b"#", time) + b"\n")
    with open_store(path, cache=False) as store:
        found = {group["key"]: group["count"] for group in store.query("summary", by="waste")}
    assert found == {"rerun": count - 1, "retried": count - 1, "useful": 2}
