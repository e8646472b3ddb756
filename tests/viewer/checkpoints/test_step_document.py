"""One step of a real thread as the viewer's tabs show it."""

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from flightlog_viewer.analysis.step_document import document
from flightlog_viewer.checkpoints import open_source


class Trip(TypedDict, total=False):
    said: list[str]


def two_questions(state: Trip) -> Trip:
    return {"said": [interrupt("where?"), interrupt("when?")]}


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ((), ["book waits", "where?"]),
        (("Oslo",), ["book asked", "not kept", "Oslo", "book waits", "when?"]),
        (("Oslo", "May"), ["book asked", "not kept", "Oslo", "book asked", "when?", "May"]),
    ],
)
def test_each_answer_stands_below_its_question(tmp_path: Path, answers: tuple[str, ...], shown: list[str]) -> None:
    """What a task was told before stands before the question that waits, and not below it as its answer."""
    path = str(tmp_path / "db.sqlite")
    # What a graph writes has one order only on one thread: see _answered in flightlog_viewer.checkpoints.tasks.
    config = {"configurable": {"thread_id": "t"}, "max_concurrency": 1}
    with SqliteSaver.from_conn_string(path) as saver:
        graph: Any = StateGraph(Trip).add_node("book", two_questions).add_edge(START, "book").compile(saver)
        for given in ({"said": []}, *(Command(resume=answer) for answer in answers)):
            graph.invoke(given, config)
    with open_source(path) as source:
        step = next(step for step in source.history("t").steps if list(step.next) == ["book"])
    blocks = document("Interrupts", step, (), "parent", (), {}).blocks
    texts = [block.text.strip('"') for block in blocks if block.key != "id" and block.text]
    assert [text.partition(":")[0] for text in texts] == shown
