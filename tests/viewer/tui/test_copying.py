"""What y offers, and that it is what a report or the next command needs."""

from pathlib import Path
from typing import TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from flightlog import JsonlTracer
from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import support_file


class Order(TypedDict, total=False):
    """The state."""

    paid: bool


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The spans and the database of a thread that has stopped at a static breakpoint."""
    folder = tmp_path_factory.mktemp("paused")
    spans, database = folder / "spans.jsonl", folder / "checkpoints.sqlite"
    builder = StateGraph(Order)
    builder.add_node("pay", lambda _: {"paid": True})
    builder.add_edge(START, "pay")
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        graph = builder.compile(checkpointer=saver, interrupt_before=["pay"])
        graph.invoke({"paid": False}, {"configurable": {"thread_id": "t-1"}, "callbacks": [tracer]})
    return spans, database


async def copied(viewer: Driven, label: str) -> str:
    """What the line of the copy menu gives."""
    await viewer.press("y")
    lines = [line for line in viewer.text().splitlines() if "│ " in line]
    names = [line.split("│ ")[1].strip(" │") for line in lines]
    await viewer.press(*["j"] * (names.index(label) - names.index("Copy") - 1), "enter")
    return viewer.app.clipboard


async def test_what_a_report_needs(tmp_path: Path) -> None:
    """Of a failed span the ids, its thread's too, and the error with and without its stack."""
    async with driven([support_file(tmp_path / "spans.jsonl", 1, failing=(0,))]) as viewer:
        await viewer.press("enter")
        assert await copied(viewer, "thread id") == "t-0"
        error = await copied(viewer, "error")
        assert error == "ValueError: no such order"
        assert (await copied(viewer, "error with its stack")).startswith(f"{error}\n")
        await viewer.press("g", "y")
        assert "run id" in viewer.text()


async def test_a_breakpoint_has_no_question(paused: tuple[Path, Path]) -> None:
    """The inbox shows what was written before it instead, and what y gives goes on and answers nothing."""
    goes_on = "graph.invoke(None, {'configurable': {'thread_id': 't-1'}})"
    async with driven([paused[0]], [paused[1]], size=(120, 40)) as viewer:
        await viewer.press("4")
        [row] = [
            line for line in viewer.text().splitlines() if " t-1 " in line and " pay " in line and "paid: " in line
        ]
        assert "paid: false" in row
        assert "nothing was asked" in viewer.text()
        assert "the step before wrote" in viewer.text()
        assert goes_on[:30] in viewer.text()
        assert await copied(viewer, "snippet: resume") == goes_on
        await viewer.press("t")
        assert await copied(viewer, "snippet: go on with what is due") == goes_on
