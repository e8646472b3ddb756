"""What work was for nothing, and why."""

import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import orjson
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

import flightlog
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
    ([node("a", AT[1], **ERROR), node("b", AT[0], attempt=1)], {}),
    ([node("a", AT[0], **ERROR), node("b", AT[1], attempt=1) | {"trace_id": "other"}], {"retried": 1}),
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


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


def ask(state: Log) -> Log:
    return {"log": [interrupt("go on?")]}


@pytest.mark.parametrize(("checkpointer", "repeated"), [(None, False), (True, False), (False, True)])
def test_a_subgraph_that_goes_on_has_wasted_no_more_than_the_node_that_asked(
    checkpointer: bool | None, repeated: bool, tmp_path: Path
) -> None:
    """What its other nodes did counts as repeated exactly where they ran twice: without checkpoints of its own."""
    runs = []

    def before(state: Log) -> Log:
        runs.append(1)
        return {"log": ["before"]}

    inner = StateGraph(Log).add_node("before", before).add_node("ask", ask)
    inner.add_edge(START, "before").add_edge("before", "ask")
    outer = StateGraph(Log).add_node("inner", inner.compile(checkpointer=checkpointer)).add_edge(START, "inner")
    graph = outer.compile(checkpointer=InMemorySaver())
    here: Any = {"configurable": {"thread_id": "t"}}
    with flightlog.trace(tmp_path / "a.jsonl"):
        graph.invoke({"log": []}, here)
        graph.invoke(Command(resume="yes"), here)
    assert (len(runs) == 2) == repeated
    again = ["ask", "before", "inner"] if repeated else ["ask", "inner"]
    assert wasted_nodes(tmp_path / "a.jsonl", "rerun") == again


def test_tasks_with_a_result_are_not_repeated(tmp_path: Path) -> None:
    """An entrypoint that asks runs again from its first line; the results of its tasks are in the checkpoint."""
    runs = []

    @task
    def double(number: int) -> int:
        runs.append(number)
        return number * 2

    @entrypoint(checkpointer=InMemorySaver())
    def work(given: int) -> Any:
        return interrupt([double(number).result() for number in range(given)])

    here: Any = {"configurable": {"thread_id": "t"}}
    with flightlog.trace(tmp_path / "a.jsonl"):
        work.invoke(3, here)
        work.invoke(Command(resume="yes"), here)
    assert len(runs) == 3
    assert wasted_nodes(tmp_path / "a.jsonl", "rerun") == ["work"]


def test_a_failed_task_that_a_later_run_does_again(tmp_path: Path) -> None:
    """Going on after a failure repeats the task that failed, and no other."""
    left = [ValueError("busy")]

    def flaky(state: Log) -> Log:
        if left:
            raise left.pop()
        return {"log": ["flaky"]}

    builder = StateGraph(Log).add_node("first", lambda state: {"log": ["first"]}).add_node("flaky", flaky)
    graph = builder.add_edge(START, "first").add_edge("first", "flaky").compile(checkpointer=InMemorySaver())
    here: Any = {"configurable": {"thread_id": "t"}}
    with flightlog.trace(tmp_path / "a.jsonl"):
        with pytest.raises(ValueError, match="busy"):
            graph.invoke({"log": []}, here)
        graph.invoke(None, here)
    assert wasted_nodes(tmp_path / "a.jsonl", "retried") == ["flaky"]


def wasted_nodes(path: Path, cause: str) -> list[str]:
    """The names of the nodes and tasks that a cause counts."""
    with open_store(path, cache=False) as store:
        rows = store.sql("SELECT DISTINCT name FROM spans WHERE kind IN ('node', 'task') ORDER BY name").fetchall()
        found = []
        for (name,) in rows:
            groups = store.query("summary", by="waste", where=Filter("name = ? AND kind IN ('node', 'task')", [name]))
            found += [name for group in groups if group["key"] == cause]
    return found
