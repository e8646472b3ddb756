"""What joins a span file with the checkpoint database of the same run, held to what LangGraph writes."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt

from flightlog import JsonlTracer
from tests.tracer.graphs import Log, agent, graph_of
from tests.tracer.models import USAGE, ScriptedModel, call


def ask(state: Log) -> dict[str, Any]:
    return {"log": [interrupt("sure?")]}


def done(state: Log) -> dict[str, Any]:
    return {"log": ["done"]}


def tasks(path: Path) -> dict[str, set[int]]:
    """Steps of the checkpoints that hold writes of each task."""
    found: dict[str, set[int]] = {}
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT task_id, metadata FROM writes JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id)"
        )
        for task, metadata in rows:
            found.setdefault(task, set()).add(json.loads(metadata)["step"])
    connection.close()
    return found


def test_a_node_span_and_its_writes_share_the_task_id(tmp_path: Path) -> None:
    """Each node span's task_id is that of its writes, at the checkpoint one step before the span's; on resumes too."""
    path = tmp_path / "checkpoints.sqlite"
    tracer = JsonlTracer()
    config: Any = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(str(path)) as saver:
        app = graph_of(Log, ask, done, checkpointer=saver)
        app.invoke({"log": []}, config)
        app.invoke(Command(resume="yes"), config)
        waited_at = {span.checkpoint_id for span in tracer.spans if span.kind == "graph"}
        known = {state.config["configurable"]["checkpoint_id"] for state in app.get_state_history(config)}
    nodes = [span for span in tracer.spans if span.kind == "node"]
    assert [(span.name, span.status) for span in nodes] == [("ask", "interrupted"), ("ask", "ok"), ("done", "ok")]
    written = tasks(path)
    for span in nodes:
        assert span.task_id is not None
        assert span.step is not None
        assert written[span.task_id] == {span.step - 1}
    assert waited_at <= known


def test_model_and_tool_spans_meet_their_messages(tmp_path: Path) -> None:
    """An answer's message id and a tool call's id are the same in the spans and in the state."""
    tracer = JsonlTracer()
    asks = AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2}, "call-7")], usage_metadata=USAGE)
    state = agent(ScriptedModel(script=[asks, "3"])).invoke({"messages": ["1 + 2?"]}, {"callbacks": [tracer]})
    _, first, answered, last = state["messages"]
    models = [span for span in tracer.spans if span.type == "llm"]
    assert [span.message_id for span in models] == [first.id, last.id]
    assert [f"lc_run--{span.run_id}" in (span.message_id or "") for span in models] == [True, True]
    (tool,) = [span for span in tracer.spans if span.type == "tool"]
    assert tool.tool_call_id == answered.tool_call_id == "call-7"
