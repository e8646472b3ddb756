"""Databases that older versions of LangGraph wrote: every checkpoint against what that version said about it."""

import json
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
import zstandard

from flightlog_viewer.checkpoints import CheckpointSource, open_source
from flightlog_viewer.checkpoints.decode import Decoder

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = ("0.2.28", "0.2.60", "0.3.34", "0.4.10")
NOT_TOLD = {
    # A plain edge was a channel by the name of the node it comes from: a node that has never run is not named.
    ("0.2.28", "failed"): "x",
    ("0.2.60", "failed"): "x",
}


@pytest.fixture(params=VERSIONS)
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, dict[str, list[Any]]]:
    name = f"langgraph-{request.param}"
    path = tmp_path / f"{name}.sqlite"
    packed = (RECORDED / f"{name}.sqlite.zst").read_bytes()
    path.write_bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 24))
    return request.param, path, json.loads((RECORDED / f"{name}.json").read_text())


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
def test_a_path_is_a_path_whichever_python_wrote_it(module: str) -> None:
    """Python 3.13 names another module for the classes of paths than those before and after it."""
    stored = ormsgpack.packb(ormsgpack.Ext(1, ormsgpack.packb([module, "PosixPath", ["/", "a", "b"]])))
    assert Decoder().typed("msgpack", stored) == {"__type__": "pathlib.PosixPath", "value": "/a/b"}


Recorded = tuple[str, Path, dict[str, list[Any]]]


def test_next_nodes_values_and_questions(recorded: Recorded) -> None:
    """Next nodes, state and questions of every checkpoint are those that its writer told of it."""
    version, path, told = recorded
    with open_source(path) as source:
        for thread, states in told.items():
            steps = {step.checkpoint_id: step for step in source.history(thread).steps if step.checkpoint_ns == ""}
            assert set(steps) == {state["id"] for state in states}
            for state in states:
                step = steps[state["id"]]
                hidden = NOT_TOLD.get((version, thread))
                assert sorted(step.next) == [name for name in state["next"] if name != hidden], thread
                values = {name: value for name, value in state["values"].items() if value != []}
                assert {name: value for name, value in step.values.items() if value != []} == values, thread
                asked = [question.value for task in step.tasks if task.due for question in task.interrupts]
                assert asked == state["asked"], thread


def test_what_is_open(recorded: Recorded) -> None:
    """Threads that ask, fail or stop say so; those that are over are finished."""
    _, path, told = recorded
    with open_source(path) as source:
        found = {thread.thread_id: thread for thread in source.threads()}
        assert found["failed"].status == "errored"
        assert (found["stopped at sends"].status, found["stopped at sends"].next) == ("paused_or_running", ["w"] * 3)
        assert found["stopped at a join"].next == ["d"]
        for thread in ("line", "join", "fan", "answer", "inner answer"):
            assert thread not in told or found[thread].status == "finished", thread
        for thread in ("question", "inner question"):
            if thread in told:
                assert [(asked.node, asked.value) for asked in found[thread].pending] == [("q", {"q": 1})]
                assert _writers(source, thread) <= {"__start__", "a", "q", "s", "t"}


def _writers(source: CheckpointSource, thread: str) -> set[str]:
    return {task.node for step in source.history(thread).steps for task in step.tasks}
