"""Two questions of one step, of which one is answered by its id first and the other without a name afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.checkpoint_side import exchanges
from flightlog_viewer.approvals.databases import whole_picture
from flightlog_viewer.approvals.span_side import SpanSide, span_side
from flightlog_viewer.checkpoints import open_source
from tests.tracer.graphs import Log

ANSWERS = {"one?": "yes", "two?": "no"}
BETWEEN_S = 0.2
BY_MS = 0.4 * BETWEEN_S * 1000
"""How far the time of a row may be from that of a span on a busy machine."""


def asks(question: str, *, inside: bool) -> Any:
    """A node that asks, or one around a graph that does."""
    if not inside:
        return lambda state: {"log": [interrupt(question)]}
    builder: Any = StateGraph(Log).add_node("ask", asks(question, inside=False))
    return builder.add_edge(START, "ask").compile()


@contextmanager
def saver_of(target: str) -> Iterator[Any]:
    """LangGraph's saver of a database."""
    if not target.startswith("postgresql://"):
        with SqliteSaver.from_conn_string(target) as saver:
            yield saver
        return
    with PostgresSaver.from_conn_string(target) as saver:
        saver.setup()
        yield saver


@pytest.mark.slow
@pytest.mark.parametrize("inside", [False, True], ids=["nodes", "subgraphs"])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_each_question_has_its_own_answer_and_time(
    kind: str, inside: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The database alone gives each its own answer, at every level, and no exact time that is none."""
    target = request.getfixturevalue("postgres_database") if kind == "postgres" else str(tmp_path / "c.sqlite")
    builder: Any = StateGraph(Log)
    for name in ("one", "two"):
        builder.add_node(name, asks(f"{name}?", inside=inside)).add_edge(START, name)
    config: Any = {"configurable": {"thread_id": "t"}}
    with saver_of(target) as saver, JsonlTracer(tmp_path / "s.jsonl") as tracer:
        graph = builder.compile(checkpointer=saver)
        config["callbacks"] = [tracer]
        asked = graph.invoke({"log": []}, config)["__interrupt__"]
        [first] = [question.id for question in asked if question.value == "one?"]
        for answer in ({first: "yes"}, "no"):
            sleep(BETWEEN_S)
            graph.invoke(Command(resume=answer), config)
    with open_source(target) as source:
        for step in source.history("t").steps:
            told = [exchange for task in step.tasks for exchange in exchanges(step, task) if exchange.answer_recorded]
            assert all(ANSWERS[exchange.question] == exchange.answer for exchange in told)
    alone = by_question(target, SpanSide())
    with open_store(tmp_path / "s.jsonl", cache=False) as store:
        both = by_question(target, span_side(store.query))
    for question, answer in ANSWERS.items():
        record, truth = alone[question], both[question].lag_max_ms
        assert (record.answer, both[question].exact) == (answer, True)
        assert truth is not None
        assert (record.lag_min_ms or 0.0) - BY_MS <= truth
        assert record.lag_max_ms is not None
        assert truth <= record.lag_max_ms + BY_MS


def by_question(target: str, spans: SpanSide) -> dict[str, Approval]:
    """The records by the text of their questions."""
    return {approval.question: approval for approval in whole_picture([target], spans).approvals}
