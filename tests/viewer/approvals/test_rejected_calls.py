"""A human who writes a message in the place of a tool's result, at a breakpoint before the tools."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from flightlog import JsonlTracer
from flightlog_viewer import open_store

CALL = {"name": "pay", "args": {"amount": 3}, "id": "c1"}
DENIED = "API call denied by user. Reasoning: 'too dear'. Continue assisting."
ASKED = HumanMessage("Pay 3 euros", id="asked")


def outcome(tmp_path: Path, **given: Any) -> tuple[Any, ...]:
    """Status, decision and answer of the pause, after an update_state and a run on, or after new input."""
    builder = StateGraph(MessagesState)
    builder.add_node("model", lambda state: {"messages": [AIMessage("", tool_calls=[CALL])]})
    builder.add_node("tools", lambda state: {"messages": [ToolMessage("paid", tool_call_id="c1", id="paid")]})
    builder.add_edge(START, "model").add_edge("model", "tools")
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver, JsonlTracer(tmp_path / "s.jsonl") as tracer:
        graph = builder.compile(checkpointer=saver, interrupt_before=["tools"])
        config: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
        graph.invoke({"messages": [ASKED]}, config)
        if "update" in given:
            graph.update_state(config, {"messages": [given["update"]]}, as_node="tools")
        graph.invoke({"messages": [given["input"]]} if "input" in given else None, config)
    with open_store([tmp_path / "s.jsonl"], checkpoints=[str(tmp_path / "c.sqlite")], cache=False) as store:
        query = "SELECT status, decision, answer->>'$.messages[*].content' FROM interrupts ORDER BY asked_at"
        return store.sql(query).fetchall()[0]


@pytest.mark.parametrize(
    ("text", "status", "decision"),
    [
        (DENIED, "success", "reject"),
        ("No, too dear", "success", "reject"),
        ("User rejected the tool call", "success", "reject"),
        ("I don't want you to pay", "success", "reject"),
        ("too dear", "error", "reject"),
        ("paid by hand", "success", "edit"),
    ],
)
def test_an_update_in_the_name_of_the_tools(tmp_path: Path, text: str, status: Any, decision: str) -> None:
    """It rejects the call by its words or its status, or gives a result; the message alone is the answer."""
    message = ToolMessage(text, tool_call_id="c1", status=status)
    assert outcome(tmp_path, update=message) == ("answered", decision, [text])


def test_new_input_that_answers_the_call(tmp_path: Path) -> None:
    """It rejects the call; the run that brings it is no consent."""
    assert outcome(tmp_path, input=ToolMessage(DENIED, tool_call_id="c1")) == ("answered", "reject", [DENIED])


@pytest.mark.parametrize("text", ["What is the weather like?", "No, cancel it"])
def test_new_input_that_is_none_of_the_tool(tmp_path: Path, text: str) -> None:
    """The pause is left, and nobody has agreed to anything."""
    assert outcome(tmp_path, input=HumanMessage(text)) == ("abandoned", None, None)
