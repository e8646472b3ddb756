"""One recording, four ways to its figures: the tracer, the summary, SQL, the viewer."""

import json
import re
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.cli.app import main
from tests.tracer.models import USAGE, ScriptedModel
from tests.viewer.tui.driving import driven

BY_TYPE = ("count", "errors", "total_ms", "input_tokens", "output_tokens", "total_tokens")


class State(TypedDict, total=False):
    """What the graph carries."""

    answer: str
    tries: int


def record(path: Path) -> dict[str, dict[str, Any]]:
    """A graph that calls a model, fails once and is retried, asks a human, and is resumed; the tracer's own summary."""
    answers = [
        AIMessage(
            "one", usage_metadata=USAGE, response_metadata={"model_name": "gpt-4o-mini", "model_provider": "openai"}
        ),
        AIMessage(
            "two", usage_metadata=USAGE, response_metadata={"model_name": "gpt-4o-mini", "model_provider": "openai"}
        ),
        AIMessage("no usage"),
    ]
    model = ScriptedModel(script=[*answers])
    tries: list[int] = []

    def think(state: State) -> State:
        model.invoke("a question")
        return {"answer": "thought"}

    def shaky(state: State) -> State:
        model.invoke("another question")
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("once")
        return {"tries": len(tries)}

    def gate(state: State) -> State:
        return {"answer": interrupt("go on?")}

    graph: Any = StateGraph(State)
    graph.add_node("think", think)
    graph.add_node("shaky", shaky, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=False))
    graph.add_node("gate", gate)
    graph.add_edge(START, "think").add_edge("think", "shaky").add_edge("shaky", "gate")
    agent = graph.compile(checkpointer=InMemorySaver(), name="agent")
    with JsonlTracer(path) as tracer:
        config = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
        agent.invoke({"answer": ""}, config)
        agent.invoke(Command(resume="yes"), config)
        return tracer.summary()


def summary(
    path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Totals and groups of the command."""
    assert main(["summary", str(path), "--by", by, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found, {group["key"]: group for group in found["groups"]}


@pytest.mark.slow
async def test_everyone_tells_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, errors, times and tokens are the same from the tracer, the command, SQL and the viewer."""
    path = tmp_path / "spans.jsonl"
    told = record(path)
    totals, by_type = summary(path, "type", capsys)
    _, by_model = summary(path, "model", capsys)
    _, by_node = summary(path, "node", capsys)

    assert by_type.keys() == told.keys()
    for kind, figures in told.items():
        for name in BY_TYPE:
            if name in figures:
                assert (by_type[kind][name] or 0) == pytest.approx(figures[name], abs=0.001), (kind, name)
    assert told["llm"]["count"] == 3
    assert totals["missing_usage"] == told["llm"]["usage_missing"] == 1
    assert totals["total_tokens"] == told["llm"]["total_tokens"] == 2 * USAGE["total_tokens"]

    with open_store(path) as store:
        counted = dict(store.sql("SELECT type, count(*) FROM spans GROUP BY type").fetchall())
        tokens = store.sql("SELECT sum(total_tokens)::BIGINT, sum(cost_usd) FROM traces").fetchall()[0]
        nodes = dict(store.sql("SELECT node, count(*) FROM nodes GROUP BY node").fetchall())
    assert counted == {kind: figures["count"] for kind, figures in told.items()}
    assert tokens == (totals["total_tokens"], pytest.approx(totals["cost_usd"]))
    # think once; shaky failed and was tried again; gate asked, and ran once more with the answer.
    assert nodes == {key: group["count"] for key, group in by_node.items()} == {"think": 1, "shaky": 2, "gate": 2}

    async with driven([path], size=(160, 40)) as viewer:
        assert f"{totals['spans']} spans" in viewer.text()
        assert f"{totals['total_tokens']} tok" in viewer.text()
        await viewer.press("5")
        shown = viewer.text()
    for key, group in by_model.items():
        row = next(line for line in shown.splitlines() if re.search(rf"\b{re.escape(key)}\b", line)).split()
        place = row.index(key)
        assert row[place + 1] == str(group["count"])
        if group["total_tokens"]:
            assert str(group["total_tokens"]) in row[place + 2 :]


def test_waste_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failed attempt with its model call is retried work, the node that asked and ran again is a rerun."""
    path = tmp_path / "spans.jsonl"
    told = record(path)
    _, groups = summary(path, "waste", capsys)
    assert {key: group["count"] for key, group in groups.items() if key != "useful"} == {"retried": 2, "rerun": 1}
    assert sum(group["count"] for group in groups.values()) == sum(figures["count"] for figures in told.values())
    assert groups["retried"]["total_tokens"] == USAGE["total_tokens"]
