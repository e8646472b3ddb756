"""Questions that say what an answer has to look like: LangGraph refuses others, and still asks."""

import json
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any, Literal

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, ValidationError

from flightlog import JsonlTracer, read_spans
from flightlog_viewer import open_store
from flightlog_viewer.analysis.approval_document import document
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.databases import whole_picture
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import SpanSide, span_side
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main
from tests.tracer.graphs import Log


class Verdict(BaseModel):
    """What may be answered."""

    type: Literal["approve", "reject"]


def ask(state: Any) -> dict[str, Any]:
    return {"log": [interrupt("ship?", response_schema=Verdict).type]}


@tool
def ship(order: str) -> str:
    """Ship it."""
    return str(interrupt("ship?", response_schema=Verdict).type)


def by_tool(state: Any) -> dict[str, Any]:
    return {"log": [ship.invoke({"order": "9"})]}


def late(state: Any) -> dict[str, Any]:
    interrupt("who?")
    return ask(state)


def inside() -> Any:
    return StateGraph(Log).add_node("inner", ask).add_edge(START, "inner").compile()


def taken(state: Any) -> dict[str, Any]:
    """Fails as if by a wrong answer, once it has taken a right one."""
    ask(state)
    return {"log": [Verdict.model_validate({"type": "neither"})]}


def told_by(spans: Path, database: Path) -> list[list[Approval]]:
    """By the database, by the spans, by both."""
    with open_store(spans, cache=False) as store:
        side = span_side(store.query)
    return [
        whole_picture([str(database)], SpanSide()).approvals,
        merge([], side),
        whole_picture([str(database)], side).approvals,
    ]


def when(spans: Path) -> datetime:
    """The start of the last run."""
    return datetime.fromisoformat(max(span.start_time for span in read_spans(spans) if span.parent_run_id is None))


@pytest.mark.parametrize(
    ("node", "by_id"),
    [
        (ask, True),
        (by_tool, False),
        (late, True),
        (inside, False),
        *(
            pytest.param(*way, marks=pytest.mark.soak)
            for way in ((ask, False), (by_tool, True), (late, False), (inside, True))
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "by id" if value else "unscoped",
)
def test_what_was_refused_is_no_answer(tmp_path: Path, node: Any, by_id: bool) -> None:
    """The question waits until an answer is taken, and that one counts, wherever it is asked."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    config: Any = {"configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        config["callbacks"] = [tracer]
        builder: Any = StateGraph(Log).add_node("asks", inside() if node is inside else node).add_edge(START, "asks")
        compiled = builder.compile(checkpointer=saver)
        found = compiled.invoke({"log": []}, config)
        if node is late:
            found = compiled.invoke(Command(resume="me"), config)
        (asked,) = found["__interrupt__"]

        def answer(value: Any) -> Any:
            return compiled.invoke(Command(resume={asked.id: value} if by_id else value), config)

        for wrong in ("perhaps", "never"):
            with pytest.raises(ValidationError):
                answer({"type": wrong})
            for several in told_by(spans, database):
                (waiting,) = (one for one in several if one.interrupt_id == asked.id)
                assert (waiting.status, waiting.decision, waiting.question) == ("pending", None, "ship?")
                assert waiting.response_schema["properties"]["type"]["enum"] == ["approve", "reject"]
                assert waiting.refused is not None
                if waiting.origin == "database":
                    assert "Verdict" in (waiting.refused.error or "")
                else:
                    assert (waiting.refused.at, waiting.refused.answer) == (when(spans), {"type": wrong})
            with open_source(database) as source:
                assert [thread.status for thread in source.threads()] == ["interrupted"]
        answer({"type": "reject"})
    for several in told_by(spans, database):
        (settled,) = (one for one in several if one.interrupt_id == asked.id)
        assert (settled.status, settled.refused) == ("answered", None)
        # The saver keeps the row of the answers as the refused run left it.
        if settled.origin != "database" or not (node is late and by_id):
            assert (settled.decision, settled.answer) == ("reject", {"type": "reject"})


@pytest.mark.parametrize("nested", [False, True])
def test_what_was_taken_is_an_answer(tmp_path: Path, nested: bool) -> None:
    """A node that fails by an error of the same kind afterwards has its answer."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    config: Any = {"configurable": {"thread_id": "t"}}
    builder: Any = StateGraph(Log).add_node("asks", taken).add_edge(START, "asks")
    if nested:
        builder = StateGraph(Log).add_node("outer", builder.compile()).add_edge(START, "outer")
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        config["callbacks"] = [tracer]
        compiled = builder.compile(checkpointer=saver)
        compiled.invoke({"log": []}, config)
        with pytest.raises(ValidationError):
            compiled.invoke(Command(resume={"type": "approve"}), config)
    for several in told_by(spans, database):
        assert [(one.status, one.decision) for one in several] == [("answered", "approve")]


def test_one_of_two_answers_is_refused(tmp_path: Path) -> None:
    """Of two answers by id the one that was taken counts."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    config: Any = {"configurable": {"thread_id": "t"}}
    builder: Any = StateGraph(Log)

    def two(state: Any) -> dict[str, Any]:
        sleep(0.2)  # until the other has taken its answer
        return ask(state)

    for name, node in (("one", ask), ("two", two)):
        builder.add_node(name, node).add_edge(START, name)
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        config["callbacks"] = [tracer]
        compiled = builder.compile(checkpointer=saver)
        compiled.invoke({"log": []}, config)
        first, second = (task.interrupts[0] for task in compiled.get_state(config).tasks)
        with pytest.raises(ValidationError):
            compiled.invoke(Command(resume={first.id: {"type": "approve"}, second.id: {"type": "never"}}), config)
    with open_store(spans, cache=False) as store:
        found = {one.interrupt_id: one.status for one in merge([], span_side(store.query))}
    assert found == {first.id: "answered", second.id: "pending"}


def test_who_waits_for_an_answer_sees_that_it_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The inbox shows the answer and what it has to be; `approvals` and SQL say so."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    config: Any = {"configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        config["callbacks"] = [tracer]
        graph: Any = StateGraph(Log).add_node("asks", ask).add_edge(START, "asks").compile(checkpointer=saver)
        graph.invoke({"log": []}, config)
        with pytest.raises(ValidationError):
            graph.invoke(Command(resume={"type": "perhaps"}), config)
    shown = []
    for several in told_by(spans, database):
        blocks = document(several[0], datetime.now(UTC), None).visible
        shown.append("\n".join(block.text for block, _ in blocks))
    assert all("an answer was refused" in text and "an answer has to be" in text for text in shown)
    assert "1 validation error for Verdict" in shown[0]
    assert all("perhaps" in text for text in shown[1:])
    arguments = [str(spans), "--checkpoints", str(database)]
    assert main(["approvals", *arguments]) == 0
    assert "pending  (refused)" in capsys.readouterr().out
    assert main(["sql", "SELECT refused ->> 'answer' ->> 'type' AS tried FROM interrupts", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"tried": "perhaps"}]
