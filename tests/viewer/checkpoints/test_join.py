"""Spans and checkpoints of the same runs, brought together."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.analysis.join import Link, SpanRef, join, span_refs
from flightlog_viewer.approvals.approval import parse_time
from flightlog_viewer.checkpoints import Step, open_source
from tests.viewer.checkpoints.graphs import refunds, thread

RUN = "0199aaaa-0000-7000-8000-000000000001"


def history(path: Path) -> list[Step]:
    with open_source(path) as source:
        return list(source.history("t").steps)


def chat(path: Path) -> list[Step]:
    """A chat whose checkpoints hold an answer of a known run, an answer of a provider, and a tool's result."""
    builder: Any = StateGraph(MessagesState)
    builder.add_node("own", lambda state: {"messages": [AIMessage("a", id=f"lc_run--{RUN}-0")]})
    builder.add_node("provider", lambda state: {"messages": [AIMessage("b", id="chatcmpl-1")]})
    builder.add_node("tool", lambda state: {"messages": [ToolMessage("c", tool_call_id="call-1", id="m3")]})
    builder.add_edge(START, "own").add_edge("own", "provider").add_edge("provider", "tool")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        builder.compile(checkpointer=saver).invoke({"messages": [HumanMessage("q")]}, thread("t"))
    return history(path)


def span(row_id: int, run_id: str = "r", type: str = "llm", **fields: Any) -> SpanRef:
    return SpanRef(row_id=row_id, run_id=run_id, type=type, start_time=fields.pop("start_time", None), **fields)


def test_every_node_of_a_recorded_run_is_found_exactly(tmp_path: Path) -> None:
    """The task id that the tracer records leads to the checkpoint, for the first run and for the resumed one."""
    path, spans = tmp_path / "x.sqlite", tmp_path / "spans.jsonl"
    with SqliteSaver.from_conn_string(str(path)) as saver, JsonlTracer(spans) as tracer:
        graph = refunds().compile(checkpointer=saver)
        config: Any = {**thread("t"), "callbacks": [tracer]}
        graph.invoke({"amount": 3}, config)
        graph.invoke(Command(resume="yes"), config)
    with open_store(spans, cache=False) as store:
        rows = store.query("thread_spans", thread_id="t")
    links = {link.row_id: link for link in join(history(path), span_refs(rows))}
    nodes = [row for row in rows if row["task_id"]]
    assert [row["node"] for row in nodes] == ["plan", "approve", "approve", "pay"]
    assert all(links[row["row_id"]].exact for row in nodes)
    steps = {step.checkpoint_id: step.step for step in history(path)}
    assert [steps[links[row["row_id"]].checkpoint_id] for row in nodes] == [0, 1, 1, 2]


def test_messages_and_tool_calls(tmp_path: Path) -> None:
    """A message id with the span's run id, a provider's id and a tool call id lead to the step that wrote them."""
    steps = chat(tmp_path / "x.sqlite")
    links = join(
        steps,
        [
            span(0, RUN, message_id=f"lc_run--{RUN}-0"),
            span(1, message_id="chatcmpl-1"),
            span(2, type="tool", tool_call_id="call-1"),
        ],
    )
    numbers = {step.checkpoint_id: step.step for step in steps}
    assert [(link.by, link.exact, numbers[link.checkpoint_id]) for link in links] == [
        ("message", True, 0),
        ("message", True, 1),
        ("tool call", True, 2),
    ]


def test_what_is_not_sure_says_so(tmp_path: Path) -> None:
    """A cached answer, a shared id, a step number and a mere time give approximate links."""
    steps = chat(tmp_path / "x.sqlite")
    moment = parse_time(steps[-1].ts)
    assert moment is not None
    links: list[Link] = join(
        steps,
        [
            span(0, "another run", message_id=f"lc_run--{RUN}-0", cache_hit=True),
            span(1, message_id="chatcmpl-1"),
            span(2, message_id="chatcmpl-1"),
            span(3, node="tool", step=3),
            span(4, start_time=moment + timedelta(seconds=1)),
            span(5, start_time=moment - timedelta(days=1), end_time=moment - timedelta(hours=1)),
        ],
    )
    assert [(link.row_id, link.by, link.exact) for link in links] == [
        (0, "message", False),
        (1, "message", False),
        (2, "message", False),
        (3, "step", False),
        (4, "time", False),
    ]
