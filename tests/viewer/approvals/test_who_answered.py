"""Who gave an answer that is a word: the metadata of the run that brought it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from flightlog import JsonlTracer
from flightlog_viewer import open_store


class State(TypedDict, total=False):
    paid: Any
    sent: Any


def said(tmp_path: Path, sources: Sequence[str]) -> list[tuple[Any, ...]]:
    """Answer, decision, who and why of each question, oldest first, as those sources tell them."""
    databases = [str(tmp_path / name) for name in sources if name.endswith(".sqlite")]
    spans = [str(tmp_path / name) for name in sources if name.endswith(".jsonl")]
    with open_store(spans, checkpoints=databases, cache=False) as store:
        query = "SELECT answer->>'$', decision, decided_by, notes FROM interrupts ORDER BY asked_at, answer->>'$'"
        return store.sql(query).fetchall()


@pytest.mark.parametrize("sources", [["c.sqlite"], ["s.jsonl"], ["s.jsonl", "c.sqlite"]], ids=" and ".join)
def test_the_run_says_who_answered(tmp_path: Path, sources: list[str]) -> None:
    """Database and spans agree; an answer that names somebody itself is believed, and who asked is not who answered."""
    graph = StateGraph(State)
    graph.add_node("pay", lambda state: {"paid": interrupt("pay?")})
    graph.add_node("send", lambda state: {"sent": interrupt("send?")})
    graph.add_edge(START, "pay")
    graph.add_edge("pay", "send")
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver, JsonlTracer(tmp_path / "s.jsonl") as tracer:
        compiled = graph.compile(checkpointer=saver)

        def run(given: Any, **metadata: str) -> None:
            where: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer], "metadata": metadata}
            compiled.invoke(given, where)

        run({}, decided_by="whoever asks")
        run(Command(resume="yes"), decided_by="ana", notes="as agreed")
        run(Command(resume={"approved": False, "by": "bo"}), decided_by="the desk")
    first, second = said(tmp_path, sources)
    assert first == ("yes", "approve", "ana", "as agreed")
    assert second[1:] == ("reject", "bo", None)


@pytest.mark.parametrize(("sources", "known"), [(["c.sqlite"], None), (["s.jsonl", "c.sqlite"], "bo")])
def test_of_several_questions_each_has_its_own(tmp_path: Path, sources: list[str], known: str | None) -> None:
    """Spans tell the runs apart that answered the questions of one step; the database knows the last, and says none."""
    graph = StateGraph(State)
    graph.add_node("pay", lambda state: {"paid": interrupt("pay?")})
    graph.add_node("send", lambda state: {"sent": interrupt("send?")})
    graph.add_edge(START, "pay")
    graph.add_edge(START, "send")
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver, JsonlTracer(tmp_path / "s.jsonl") as tracer:
        compiled = graph.compile(checkpointer=saver)
        where: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
        asked = compiled.invoke({}, where)["__interrupt__"]
        for question, who in zip(asked, ("ana", "bo"), strict=True):
            where["metadata"] = {"decided_by": who}
            compiled.invoke(Command(resume={question.id: f"{who} agrees"}), where)
    found = [(answer, who) for answer, _, who, _ in said(tmp_path, sources)]
    assert sorted(found) == [("ana agrees", known and "ana"), ("bo agrees", known)]
