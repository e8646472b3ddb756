"""Databases that older versions of LangGraph wrote: every checkpoint against what that version said about it."""

import json
from pathlib import Path, PurePosixPath
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
@pytest.mark.parametrize("path", ["/a/b", "/", "a/b", "."])
def test_a_path_is_a_path_whichever_python_wrote_it(module: str, path: str) -> None:
    """Python 3.13 names another module for the classes of paths than those before and after it."""
    stored = ormsgpack.packb(ormsgpack.Ext(1, ormsgpack.packb([module, "PosixPath", PurePosixPath(path).parts])))
    assert Decoder().typed("msgpack", stored) == {"__type__": "pathlib.PosixPath", "value": path}


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        (
            {"id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {"content": "q"}},
            {"type": "human", "content": "q"},
        ),
        ({"id": ["a", "B"], "kwargs": {"x": 1}}, {"__type__": "a.B", "x": 1}),
        ({"id": ["builtins", "set"], "args": [[1, 2]]}, {"__type__": "builtins.set", "items": [1, 2]}),
        ({"id": ["decimal", "Decimal"], "args": ["1.5"]}, {"__type__": "decimal.Decimal", "value": "1.5"}),
        ({"id": ["a", "B"], "args": [1, 2]}, {"__type__": "a.B", "__args__": [1, 2]}),
        ({"id": ["a", "B"], "args": [1], "kwargs": {"x": 2}}, {"__type__": "a.B", "x": 2, "__args__": [1]}),
        ({"id": ["a", "SecretStr"], "args": ["hush"]}, {"__type__": "a.SecretStr", "__note__": "redacted"}),
        ({"type": "secret", "id": ["API_KEY"]}, {"__type__": "API_KEY", "__note__": "redacted"}),
        (
            {"type": "not_implemented", "id": ["a", "B"], "repr": "B()"},
            {"__type__": "a.B", "__note__": "not serialized", "repr": "B()"},
        ),
        ({"id": []}, {"lc": 1, "type": "constructor", "id": []}),
        ({"lc": 3, "id": ["a", "B"]}, {"lc": 3, "type": "constructor", "id": ["a", "B"]}),
        ({"type": "new", "id": ["a", "B"]}, {"lc": 1, "type": "new", "id": ["a", "B"]}),
    ],
)
def test_what_langchains_json_names_is_shown_and_not_made(about: dict[str, Any], shown: Any) -> None:
    """Objects by their class, what they are and what they were made of; secrets without; any other JSON as it is."""
    assert Decoder().typed("json", json.dumps({"lc": 1, "type": "constructor", **about}).encode()) == shown


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
