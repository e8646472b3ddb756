"""The questions of an on-call engineer and of a team lead, each in three keys from the list of traces."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph

from flightlog import JsonlTracer
from flightlog_viewer.analysis.step_document import document
from flightlog_viewer.tui import type_ahead
from flightlog_viewer.tui.questions.groups import GroupQuestions, filter_for, group_sql
from flightlog_viewer.tui.screens.threads import ThreadsView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import span, support_trace, write
from tests.viewer.tui.threads import checkpoint_file


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty traces in the evening, and ten three hours later, of which three fail and one asks a slow model."""
    spans = []
    for number in (*range(30), *range(1000, 1010)):
        failed = number in (1002, 1005, 1007)
        made = support_trace(number, failed=failed)
        spans += [replace(s, status="error") if failed and s.name == "tools" else s for s in made]
    asked = {"messages": [{"type": "human", "content": "Why is the sky blue?"}]}
    slow = span("gpt-4o", "slow", parent="trace-1004-a", trace="trace-1004", at_ms=1004 * 10_000 + 30, took_ms=99_000,
                type="llm", model="gpt-4o", provider="openai", inputs=asked)  # fmt: skip
    spans.append(span("o3", "o", parent="trace-001-a", trace="trace-001", at_ms=0, took_ms=9, type="llm", model="o3"))
    return write(tmp_path_factory.mktemp("night") / "night.jsonl", [slow, *spans])


async def test_the_error_of_the_last_failed_trace(night: Path) -> None:
    """e Enter stands where it began, with message and stack beside; one more Enter where only one pane has room."""
    async with driven([night], size=(120, 40)) as viewer:
        assert "Next error" in viewer.text().splitlines()[-1]
        await viewer.press("e", "enter")
        assert "ValueError: no such order" in viewer.text()
        await viewer.pilot.resize_terminal(80, 24)
        await viewer.press("enter")
        assert "refund  200ms  at 14:47:55.300" in viewer.text()
        assert "line 2" in viewer.text()


async def test_the_slowest_call_and_the_rising_error_rate_of_the_last_hour(night: Path) -> None:
    """5 w x shows the prompt of the slowest call; 5 v w marks the tool that fails more than before, e leads there."""
    async with driven([night], size=(80, 24)) as viewer:
        await viewer.press("5", "w")
        slow = next(line.split() for line in viewer.text().splitlines() if line.startswith("gpt-4o"))
        assert slow[3:5] == ["51s!", "2.1s"]
        await viewer.press("x")
        assert "Why is the sky blue?" in viewer.text()
        await viewer.press("escape", "escape", "v")
        rates = {line.split()[0]: line.split() for line in viewer.text().splitlines() if "%" in line}
        assert rates["refund"][5:8] == ["✗3", "30%!", "0.0%"]
        assert rates["search"][5:] == ["0.0%"]
        await viewer.press("j", "j", "e")
        assert "ValueError: no such order" in viewer.text()


async def test_keys_are_for_the_rows_that_were_asked_for(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter right after V opens the day that comes, not the model that is still on the screen."""
    figures = GroupQuestions.figures

    def late(self: GroupQuestions, *asked: Any) -> Any:
        time.sleep(0.3)
        return figures(self, *asked)

    monkeypatch.setattr(GroupQuestions, "figures", late)
    monkeypatch.setattr(type_ahead, "MOST_LOOKS", 20)
    async with driven([night], size=(120, 40)) as viewer:
        await viewer.press("5")
        await viewer.press("V", "V", "enter")
        assert "root:(start>=" in viewer.text()
        await viewer.press("5", "V", "enter", "1")
        assert "root:(start>=" in viewer.text()
        assert not viewer.app.faults


@pytest.mark.slow
async def test_figures_lead_to_their_traces_and_to_sql(night: Path) -> None:
    """Enter on a row opens its traces in the stretch of time; Q asks for the same in SQL, of a list as of figures."""
    async with driven([night], size=(120, 40)) as viewer:
        await viewer.press("5", "w")
        for keys in ((), ("V", "V")):
            await viewer.press(*keys, "enter")
            assert "10 of 40" in viewer.text()
            await viewer.press("Q")
            assert "10 rows" in viewer.text()
            await viewer.press("5")
        await viewer.press("Q")
        assert "1 row\n" in viewer.text()
        await viewer.press("1", "enter", "Q")
        assert "9 rows" in viewer.text()


async def test_esc_leads_back_to_the_figures_one_came_from(night: Path) -> None:
    """The filter that figures have set is no level of its own: Esc goes back to them, and clears it afterwards."""
    async with driven([night], size=(120, 40)) as viewer:
        await viewer.press("5", "j", "enter")
        assert " of 40" in viewer.text()
        await viewer.press("escape")
        assert "[5 Stats]" in viewer.text()
        await viewer.press("1")
        assert " of 40" in viewer.text()
        await viewer.press("escape")
        assert "40 traces" in viewer.text()


def test_groups_as_filters_and_as_sql() -> None:
    """A day ends where the next begins; names are quoted; the last of all days has no end."""
    assert filter_for("day", "2025-12-31") == "root:(start>=2025-12-31 start<2026-01-01)"
    assert filter_for("tool", 'a"b\\') == 'tool:"a\\"b\\\\"'
    assert filter_for("day", "9999-12-31") == "root:(start>=9999-12-31)"
    assert "interrupts" in group_sql("approvals", None)
    assert "FILTER (status <> 'interrupted') AS p95_ms" in group_sql("thread", None)


class Order(TypedDict, total=False):
    """The state of the graph below."""

    order: int
    status: str


def fetch(state: Order) -> Order:
    """Finds the order."""
    return {"status": "fetched"}


def refund(state: Order) -> Order:
    """Fails for one order."""
    if state["order"] == 9:
        raise ValueError("no such order 9")
    return {"status": "refunded"}


async def test_the_state_before_the_node_that_failed(tmp_path: Path) -> None:
    """e Enter x shows the step from which it ran: what had changed, and that the node failed and how."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        builder = StateGraph(Order).add_node("fetch", fetch).add_node("refund", refund)
        graph = builder.add_edge(START, "fetch").add_edge("fetch", "refund").compile(checkpointer=saver)
        graph.invoke({"order": 8}, {"configurable": {"thread_id": "t-8"}, "callbacks": [tracer]})
        with pytest.raises(ValueError, match="no such order"):
            graph.invoke({"order": 9}, {"configurable": {"thread_id": "t-9"}, "callbacks": [tracer]})
        graph.invoke({"order": 10}, {"configurable": {"thread_id": "t-10"}, "callbacks": [tracer]})
    async with driven([spans], [database], size=(80, 24)) as viewer:
        await viewer.press("e", "enter")
        assert "Checkpoint" in viewer.text().splitlines()[-1]
        await viewer.press("x")
        assert "t-9  < step 1, 3 of 3 >" in viewer.text()
        assert "refund failed from here: ValueError('no such order 9')" in viewer.text()
        assert "+ status fetched   by fetch" in viewer.text()
        await viewer.press("1", "g", "enter")
        await viewer.press("x")
        assert "t-10  < step in, 1 of 4 >" in viewer.text(), "a run leads to the step that holds its input"
        assert "input order 10" in viewer.text()


async def test_which_attempt_it_was(tmp_path: Path) -> None:
    """From the second on an attempt says its number, in the tree and in the detail."""
    at = [span("pay", "p", parent=None, trace="p", at_ms=0, took_ms=9, type="chain", kind="graph")]
    at += [
        span("card", f"p{number}", parent="p", trace="p", at_ms=number, took_ms=1, type="chain", kind="node",
             status=status, attempt=number)
        for number, status in ((1, "error"), (2, "ok"))
    ]  # fmt: skip
    async with driven([write(tmp_path / "s.jsonl", at)], size=(120, 40)) as viewer:
        await viewer.press("enter", "j", "j")
        assert "N card (attempt 2)" in viewer.text()
        assert "ok  card (attempt 2)  1.0ms" in viewer.text()
        assert "attempt 1" not in viewer.text()


async def test_the_end_of_a_run_that_no_node_tells(tmp_path: Path) -> None:
    """An agent that loops until the limit is a failed thread, and its newest step says that the run ended there."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        builder = StateGraph(Order).add_node("fetch", fetch).add_edge(START, "fetch").add_edge("fetch", "fetch")
        graph = builder.compile(checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": "loop"}, "callbacks": [tracer], "recursion_limit": 4}
        with pytest.raises(GraphRecursionError):
            graph.invoke({"order": 8}, config)
        graph.invoke({"order": 9}, {"configurable": {"thread_id": "other"}, "recursion_limit": 1}, interrupt_after="*")
    said = "its run failed from here, with fetch due"
    async with driven([spans], [database], size=(80, 24)) as viewer:
        await viewer.press("3", "e", "enter")
        assert said in viewer.text()
        await viewer.press("left_square_bracket")
        assert said not in viewer.text()
        await viewer.press("escape")
        assert "✗* loop" in viewer.text()
        view = viewer.app.main.view("threads")
        assert isinstance(view, ThreadsView)
        assert view._steps is not None
        run, step = view._steps.runs[-1], view._steps.steps[-1]
    died = document("Changes", step, [], "parent", [run._replace(status="unfinished")], {}, newest=True)
    assert died.blocks[0].text == "! its process died from here, with fetch due: x shows what it was doing"


async def test_the_question_a_thread_waits_with(night: Path, tmp_path: Path) -> None:
    """4 lists what waits and for how long, Enter shows the question where it is narrow."""
    async with driven([night], [checkpoint_file(tmp_path / "c.sqlite")], size=(80, 24)) as viewer:
        await viewer.press("4", "enter")
        assert "has waited" in viewer.text()
        assert "refund_order" in viewer.text()
