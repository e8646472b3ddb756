"""What people do at a static breakpoint, as tutorials teach it: go on, turn down, change, or type something else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, StateUpdate

from flightlog import JsonlTracer
from flightlog.payloads.capture import Capture
from flightlog_viewer import open_store
from flightlog_viewer.analysis.question_filter import compile_question_filter
from flightlog_viewer.analysis.question_line import proposed
from flightlog_viewer.approvals.approval import Moment, parse_time
from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.approvals.places import Key, Place, place_of
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.glyphs import ASCII
from flightlog_viewer.tui.lists.approvals import ApprovalRows
from tests.viewer.checkpoints.graphs import Refund, payments, plan

Run = Callable[..., None]
CALL: Any = {"name": "send_email", "args": {"to": "ann@example.com"}, "id": "c1", "type": "tool_call"}


def told(tmp_path: Path, columns: str, *sources: str) -> list[tuple[Any, ...]]:
    """Columns of the table `interrupts`, oldest first, of the database, or of what spans tell besides."""
    spans = [str(tmp_path / name) for name in sources]
    with open_store(spans, checkpoints=[str(tmp_path / "c.sqlite")], cache=False) as store:
        return store.sql(f"SELECT {columns} FROM interrupts ORDER BY asked_at").fetchall()


def at_a_breakpoint(
    tmp_path: Path, graph: Any, start: Any, work: Callable[[Any, Any, Run], None], capture: Capture = "all"
) -> None:
    """Run a graph until it stops before its last node, then do what somebody does there."""
    tracer = JsonlTracer(tmp_path / "s.jsonl", capture=capture)
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver, tracer:
        compiled = graph.compile(checkpointer=saver, interrupt_before=["pay"])
        here: Any = {"configurable": {"thread_id": "t"}}

        def run(given: Any, **metadata: str) -> None:
            compiled.invoke(given, {**here, "callbacks": [tracer], "metadata": metadata})

        run(start)
        work(compiled, here, run)


def agent() -> Any:
    """A model that wants to send an email, and the node that would."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda _: {"messages": [AIMessage("", tool_calls=[CALL], id="a1")]})
    graph.add_node("pay", lambda _: {"messages": [ToolMessage("sent", tool_call_id="c1")]})
    return graph.add_edge(START, "model").add_edge("model", "pay")


MAIL = {"messages": [HumanMessage("write to Ann")]}


@pytest.mark.parametrize(
    ("message", "as_node", "decision", "notes"),
    [
        (ToolMessage("Rejected: too rude", tool_call_id="c1"), "pay", "reject", "Rejected: too rude"),
        (ToolMessage("This was not approved.", tool_call_id="c1"), None, "reject", "This was not approved."),
        (AIMessage("Call denied by a reviewer."), None, "reject", "Call denied by a reviewer."),
        (ToolMessage("sent by hand", tool_call_id="c1"), "pay", "edit", None),
        (AIMessage("Denied!", tool_calls=[{**CALL, "args": {"to": "bob@example.com"}}], id="a1"), None, "edit", None),
    ],
    ids=["tool", "tool not due", "model", "done by hand", "changed call"],
)
def test_a_message_in_place_of_the_call(
    message: Any, as_node: str | None, decision: str, notes: str | None, tmp_path: Path
) -> None:
    """A call that a message turns down is rejected, and the message says why; any other message is an edit."""

    def work(graph: Any, here: Any, run: Run) -> None:
        graph.update_state(here, {"messages": [message]}, as_node=as_node)
        run(None)

    at_a_breakpoint(tmp_path, agent(), MAIL, work)
    columns = "decision, notes[:25], json_array_length(answer->'messages'), answer->'messages'->0->>'content'"
    [found] = told(tmp_path, columns, "s.jsonl")
    assert found == (decision, notes and notes[:25], 1, message.content)


@pytest.mark.parametrize("sources", [(), ("s.jsonl",)])
def test_a_verdict_that_was_there_before(sources: tuple[str, ...], tmp_path: Path) -> None:
    """Writing `approved: false` over false is a no, beside a change of something else too."""

    def work(graph: Any, here: Any, run: Run) -> None:
        graph.update_state(here, {"approved": False})
        run(None)
        run({"amount": 4, "approved": False})
        graph.update_state(here, {"amount": 1, "approved": False})
        run(None)

    at_a_breakpoint(tmp_path, payments(), {"amount": 3, "approved": False}, work)
    assert told(tmp_path, "decision, answer->>'amount'", *sources) == [("reject", None), ("reject", "1")]


@pytest.mark.parametrize("later", [{"approved": False}, {"amount": 1}])
def test_two_updates_are_one_answer(later: Any, tmp_path: Path) -> None:
    """Who changes the plan and then decides, or decides and then changes it, has given one answer."""

    def work(graph: Any, here: Any, run: Run) -> None:
        graph.update_state(here, {"approved": False} if "amount" in later else {"amount": 1})
        graph.update_state(here, later)
        run(None)

    at_a_breakpoint(tmp_path, payments(), {"amount": 3}, work)
    assert told(tmp_path, "decision, answer->>'amount', answer->>'approved'") == [("reject", "1", "false")]


@pytest.mark.parametrize("capture", ["all", "metadata"])
@pytest.mark.parametrize("database", [True, False])
def test_a_new_input_is_no_consent(capture: Capture, database: bool, tmp_path: Path) -> None:
    """A thread that stopped and was given something else to do left its pause; a Command, or nothing, goes on."""

    def work(graph: Any, here: Any, run: Run) -> None:
        run({"amount": 4})
        run(Command(update={"amount": 5}))
        run({"amount": 6})
        run(None)

    at_a_breakpoint(tmp_path, payments(), {"amount": 3}, work, capture)
    with open_store([str(tmp_path / "s.jsonl")], checkpoints=[str(tmp_path / "c.sqlite")] * database) as store:
        found = store.sql("SELECT status FROM interrupts ORDER BY asked_at").fetchall()
    assert [status for (status,) in found] == ["abandoned", "answered", "answered"]


@pytest.mark.parametrize("database", [True, False])
def test_a_name_is_no_edit(database: bool, tmp_path: Path) -> None:
    """A run that goes on unchanged and says who let it is consent, which spans alone cannot tell from a change."""
    at_a_breakpoint(tmp_path, payments(), {"amount": 3}, lambda graph, here, run: run(None, decided_by="ann"))
    with open_store([str(tmp_path / "s.jsonl")], checkpoints=[str(tmp_path / "c.sqlite")] * database) as store:
        found = store.sql("SELECT status, decision, decided_by FROM interrupts").fetchall()
    assert found == [("answered", "approve" if database else None, "ann")]


def failing(state: Refund) -> Refund:
    """Refuse to pay too much without a decision, as those do who know no other pause."""
    if state["amount"] > 10 and not state.get("decision"):
        raise ValueError("awaiting a decision")
    return {"outcome": {"paid": state["amount"]}}


@pytest.mark.parametrize(
    ("mended", "expected"),
    [({"amount": 2}, []), ({"decision": "approve"}, [("pay", "approve")])],
    ids=["mended", "a verdict"],
)
def test_a_mended_failure_is_no_question(mended: Any, expected: list[Any], tmp_path: Path) -> None:
    """Nobody was asked where a node failed and its state was put right, unless what was written is a verdict."""
    graph = StateGraph(Refund).add_node("plan", plan).add_node("pay", failing)
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver:
        compiled = graph.add_edge(START, "plan").add_edge("plan", "pay").compile(checkpointer=saver)
        here: Any = {"configurable": {"thread_id": "t"}}
        with pytest.raises(ValueError, match="awaiting"):
            compiled.invoke({"amount": 6}, here)
        compiled.update_state(here, mended)
        compiled.invoke(None, here)
    assert told(tmp_path, "node, decision") == expected


def test_a_thread_that_is_copied_asks_nobody(tmp_path: Path) -> None:
    """A thread made of another one's input and updates, as LangGraph's API copies them, stopped before no node."""
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver:
        graph = payments().compile(checkpointer=saver)
        copied: Any = {"configurable": {"thread_id": "t"}}
        given = StateUpdate({"amount": 3, "approved": False}, "__input__")
        graph.bulk_update_state(copied, [[given], [StateUpdate({"amount": 3}, "plan")]])
        graph.invoke(None, copied)
    assert told(tmp_path, "node, decision") == []


def test_a_node_that_was_let_run_and_failed(tmp_path: Path) -> None:
    """Who let it go on has approved; what was written after the failure is no answer."""

    def work(graph: Any, here: Any, run: Run) -> None:
        with pytest.raises(ValueError, match="awaiting"):
            run(None)
        graph.update_state(here, {"amount": 2})
        run(None)

    graph = StateGraph(Refund).add_node("plan", plan).add_node("pay", failing)
    at_a_breakpoint(tmp_path, graph.add_edge(START, "plan").add_edge("plan", "pay"), {"amount": 6}, work)
    [first, *_] = told(tmp_path, "status, decision, answer->>'$'", "s.jsonl")
    assert first == ("answered", "approve", "true")


@pytest.mark.parametrize(
    ("graph", "start", "line"),
    [
        (agent(), MAIL, 'ai: -> send_email({"to":"ann@example.com"})'),
        (payments(), {"amount": 30, "risk_score": 0.9}, "amount: 60"),
    ],
    ids=["the calls of a model", "a plan"],
)
def test_what_is_about_to_be_done(graph: Any, start: Any, line: str, tmp_path: Path) -> None:
    """A pause shows what the step before it wrote, before and after it was let through, and can be found by that."""
    at_a_breakpoint(tmp_path, graph, start, lambda graph, here, run: None)
    # Spans tell of the pause. From the database alone it has to be named.
    [(status, text)] = told(tmp_path, "status, proposed", "s.jsonl")
    assert (status, proposed(json.loads(text))) == ("pending", line)
    where: Any = {"configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver:
        graph.compile(checkpointer=saver, interrupt_before=["pay"]).invoke(None, where)
    with open_source(tmp_path / "c.sqlite") as source:
        [(approval, _)] = database_approvals(source, breakpoints=["pay"])
    assert normal_form(approval.proposed) == json.loads(text)
    found = [compile_question_filter(text)(approval) for text in (f"asks:{line.split()[-1][:6]}", "asks:umbrella")]
    assert found == [True, False]
    *_, action = ApprovalRows({"q": approval}, ASCII, datetime.now(UTC), 1, pending=False).cells(0)
    assert action.text == f"approve: {line}"


def test_what_a_thread_ran_through_is_not_kept(tmp_path: Path) -> None:
    """Of a step that simply went on nothing is held: states are large."""
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver:
        payments().compile(checkpointer=saver).invoke({"amount": 3}, {"configurable": {"thread_id": "t"}})
    places: dict[Key, Place] = {}
    with open_source(tmp_path / "c.sqlite") as source:
        for step in source.history("t").steps:
            parent = places.get((step.checkpoint_ns, step.parent_checkpoint_id or ""))
            places[step.checkpoint_ns, step.checkpoint_id] = place_of(step, parent, asks=False)
    assert [(place.state is None, dict(place.made)) for place in places.values()][:-1] == [(True, {})] * 3


def test_when_somebody_went_on_at_a_breakpoint_is_known_to_be_between_two_steps(tmp_path: Path) -> None:
    """Going on unchanged leaves no time of its own: it was after the pause and before what came of it."""
    at_a_breakpoint(tmp_path, payments(), {"amount": 3}, lambda _, __, run: run(None))
    with open_source(tmp_path / "c.sqlite") as source:
        [(approval, _)] = database_approvals(source, breakpoints=["pay"])
        *_, paused, after = (parse_time(step.ts) for step in source.history("t").steps)
    assert (approval.asked, approval.answered) == (Moment(paused, paused), Moment(paused, after))
