"""A history is the same however little of it the reader keeps in memory."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zstandard
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from flightlog_viewer.checkpoints import history, open_source, rows
from flightlog_viewer.checkpoints.model import Step
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around
from tests.viewer.checkpoints.graphs import payments, refunds, thread
from tests.viewer.checkpoints.test_old_versions import RECORDED, VERSIONS
from tests.viewer.checkpoints.test_tasks import Grown


def steps(path: Path) -> dict[str, list[Step]]:
    """Every step of every thread, with what it changed."""
    with open_source(path) as source:
        return {found.thread_id: list(source.history(found.thread_id).steps) for found in source.threads()}


def record(path: Path) -> Path:
    """Forks from old checkpoints, questions, subgraphs, calls of tasks, and channels that grow."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = payments().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("forked"))
        before_pay = next(state for state in graph.get_state_history(thread("forked")) if state.next == ("pay",))
        for amount in (9, 10):
            graph.invoke(None, graph.update_state(before_pay.config, {"amount": amount}))
        graph = refunds().compile(checkpointer=saver)
        graph.invoke({"amount": 3}, thread("asked"))
        graph.invoke(Command(resume="yes"), thread("asked"))
        graph = around(asking("ok?").compile()).compile(checkpointer=saver)
        graph.invoke({"count": 1}, thread("inner"))
        graph.invoke(Command(resume="ok"), thread("inner"))
        builder: Any = StateGraph(Grown)
        for source, name in pairwise([START, *"abcdefg"]):
            builder.add_node(name, lambda state, name=name: {"long": [name]} if name != "c" else {"other": name})
            builder.add_edge(source, name)
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"long": ["in"]}, thread("grown"))
        for state in list(graph.get_state_history(thread("grown"))):
            if state.next in (("b",), ("d",), ("f",)):
                graph.update_state(state.config, {"long": ["by hand"]})
            elif state.next in (("e",), ("g",)):
                graph.invoke(None, state.config)

        inner = payments().compile()
        builder = StateGraph(Grown).add_node("inner", lambda state: inner.invoke({"amount": 3}) and {"long": ["paid"]})
        for source, name in pairwise([START, "a", "b", "c", "inner", "last"]):
            if name != "inner":
                builder.add_node(name, lambda state, name=name: {"long": [name]})
            builder.add_edge(source, name)
        builder.compile(checkpointer=saver).invoke({"long": ["in"]}, thread("grown around"))

        @task
        def double(number: int) -> int:
            return number * 2

        @entrypoint(checkpointer=saver)
        def flow(number: int) -> int:
            return double(number).result() + double(number + 1).result()

        flow.invoke(1, thread("functional"))
        flow.invoke(2, thread("functional"))
    return path


@pytest.fixture(params=["now", *VERSIONS])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "now":
        return record(tmp_path / "now.sqlite")
    path = tmp_path / "old.sqlite"
    packed = (RECORDED / f"langgraph-{request.param}.sqlite.zst").read_bytes()
    path.write_bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 24))
    return path


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(history, "PARENTS_KEPT", 0), (history, "PARENTS_KEPT_BYTES", 1), (rows, "BATCH", 1)],
    ids=["none kept", "hardly any kept", "one at a time"],
)
def test_what_is_not_kept_is_read_again(
    database: Path, module: ModuleType, name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no parent or hardly any kept, or one checkpoint read at a time, every step says the same."""
    expected = steps(database)
    monkeypatch.setattr(module, name, value)
    found = steps(database)
    for name_of, told in expected.items():
        for ours, theirs in zip(found[name_of], told, strict=True):
            assert ours == theirs, name_of


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more states than are allowed, nor more bytes once there are two."""
    path = record(tmp_path / "x.sqlite")
    everything = kept(path)
    most = max(size for _, size in everything)
    monkeypatch.setattr(history, "PARENTS_KEPT", 3)
    assert max(count for count, _ in everything) > max(count for count, _ in kept(path)) == 3
    monkeypatch.undo()
    monkeypatch.setattr(history, "PARENTS_KEPT_BYTES", most // 3)
    assert max(count for count, _ in kept(path)) > 1
    assert all(size <= most // 3 for count, size in kept(path) if count > 1)


def kept(path: Path) -> list[tuple[int, int]]:
    """How many states the reader of a thread keeps after each step, and their bytes."""
    found = []
    with open_source(path) as source:
        reader = history.HistoryReader(source.rows, "grown around")
        for _ in reader:
            parents = reader._parents.values()
            assert reader._kept_bytes == sum(parent.size for parent in parents)
            found.append((len(parents), reader._kept_bytes))
    return found
