"""Static breakpoints that spans tell of: runs that stopped without a question."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.approvals.merge import merge
from flightlog_viewer.approvals.span_side import SpanPause, SpanSide, span_answers, span_pauses, span_questions
from tests.viewer.span_lines import SpanLines

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def paused(tmp_path: Path, lines: SpanLines) -> list[SpanPause]:
    """The pauses that the store finds in a span file."""
    path = lines.write(tmp_path / "spans.jsonl")
    with open_store([str(path)], cache=False) as store:
        return list(span_pauses(store.query("pauses")))


def stop(checkpoint: str, **fields: Any) -> dict[str, Any]:
    """The fields of a run that stopped."""
    return {"status": "interrupted", "thread_id": "t", "checkpoint_id": checkpoint, "name": "graph", **fields}


def test_the_run_that_went_on_answers_the_one_that_stopped(tmp_path: Path) -> None:
    """The answer is the next run's start and what its metadata says; writing to the state by hand is no run."""
    lines = SpanLines()
    lines.add("a", None, 0, 10, **stop("c1"))
    lines.add("b", None, 100, 1, name="graphUpdateState", thread_id="t")
    lines.add("c", None, 500, 10, **stop("c2"), metadata={"decision": "reject", "decided_by": "ana", "other": 1})
    first, second = paused(tmp_path, lines)
    assert (first.checkpoint_id, second.checkpoint_id) == ("c1", "c2")
    assert first.answered_at is not None
    assert first.answered_at - first.asked_at == timedelta(milliseconds=490)
    assert first.said == {"decision": "reject", "decided_by": "ana"}
    assert (second.answered_at, second.said) == (None, {})


def test_a_run_that_asked_is_no_breakpoint(tmp_path: Path) -> None:
    """A question anywhere in the trace explains the pause."""
    lines = SpanLines()
    lines.add("a", None, 0, 10, **stop("c1"))
    lines.add("n", "a", 1, 5, status="interrupted", thread_id="t", interrupts=[{"id": "i", "value": "sure?"}])
    lines.add("b", None, 100, 10, thread_id="t", status="interrupted")
    assert paused(tmp_path, lines) == []


@pytest.mark.parametrize(
    ("answered", "said", "expected"),
    [
        (None, {}, ("pending", None, None)),
        (NOON + timedelta(seconds=2), {}, ("answered", None, 2000.0)),
        (NOON + timedelta(seconds=2), {"decision": "approve"}, ("answered", "approve", 2000.0)),
    ],
)
def test_without_a_database_the_spans_are_enough(
    answered: datetime | None, said: dict[str, str], expected: tuple[str, str | None, float | None]
) -> None:
    """A pause that only spans know is an approval, and its decision is unknown unless the metadata says it."""
    (approval,) = merge([], SpanSide(pauses=[SpanPause("t", "c1", NOON, answered, said, "trace")]))
    assert (approval.status, approval.decision, approval.lag_min_ms) == expected
    assert (approval.interrupt_id, approval.breakpoint, approval.origin) == ("breakpoint:c1", True, "spans")
    assert approval.trace_id == "trace"


def test_a_pause_inside_a_chain(tmp_path: Path) -> None:
    """The graph stopped and went on, whatever called it; what asks in the same trace does not hide it."""
    lines = SpanLines()
    lines.add("chain", None, 0, 1000)
    lines.add("a", "chain", 1, 9, kind="graph", **stop("c1"))
    lines.add("b", "chain", 500, 10, kind="graph", thread_id="t", status="interrupted")
    lines.add("n", "b", 501, 5, status="interrupted", thread_id="t", interrupts=[{"id": "i", "value": "sure?"}])
    [pause] = paused(tmp_path, lines)
    assert (pause.checkpoint_id, pause.answered_at) == ("c1", NOON + timedelta(milliseconds=500))


def test_a_refused_answer_answers_nothing(tmp_path: Path) -> None:
    """A run that failed before anything ran did not take its answer; one that failed with it did."""
    lines = SpanLines()
    lines.add("a", None, 0, 10, status="error", thread_id="t", resumes=[{"value": "refused"}])
    lines.add("b", None, 20, 10, status="error", thread_id="t", resumes=[{"value": "taken"}])
    lines.add("n", "b", 21, 5, status="error", thread_id="t")
    with open_store([str(lines.write(tmp_path / "spans.jsonl"))], cache=False) as store:
        assert [answer.answer for answer in span_answers(store.query("answers"))] == ["taken"]


def test_the_chain_has_the_answer(tmp_path: Path) -> None:
    """Older versions do not show a named graph for one at its start: the thread is that of the chain's only graph."""
    lines = SpanLines()
    lines.add("chain", None, 0, 10, resumes=[{"value": "yes"}])
    lines.add("graph", "chain", 1, 8, kind="graph", thread_id="t")
    lines.add("both", None, 20, 10, resumes=[{"value": "no"}])
    lines.add("other", "both", 21, 8, kind="graph", thread_id="t", resumes=[{"value": "no"}])
    lines.add("refused", None, 40, 10, status="error", resumes=[{"value": "refused"}])
    lines.add("at once", "refused", 41, 8, kind="graph", status="error", thread_id="t", resumes=[{"value": "refused"}])
    with open_store([str(lines.write(tmp_path / "spans.jsonl"))], cache=False) as store:
        answers = [(answer.thread_id, answer.answer) for answer in span_answers(store.query("answers"))]
    assert answers == [("t", "yes"), (None, "no"), ("t", "no"), (None, "refused")]


class State(TypedDict, total=False):
    """The state."""

    said: str


@pytest.mark.parametrize("inner_thread", [None, "inner"])
def test_a_question_without_a_thread_waits_for_nobody(tmp_path: Path, inner_thread: str | None) -> None:
    """A graph without a checkpointer asks, and no answer can come; one that it calls may have a thread of its own."""
    spans = tmp_path / "s.jsonl"
    with SqliteSaver.from_conn_string(str(tmp_path / "c.sqlite")) as saver, JsonlTracer(spans) as tracer:
        asks = StateGraph(State).add_node("ask", lambda _: {"said": interrupt("sure?")}).add_edge(START, "ask")
        inner: Any = asks.compile(checkpointer=saver if inner_thread else None)
        here: Any = {"configurable": {"thread_id": inner_thread}} if inner_thread else None
        outer: Any = StateGraph(State).add_node("call", lambda state: inner.invoke(state, here)).add_edge(START, "call")
        outer.compile().invoke({}, {"callbacks": [tracer]})
    with open_store([str(spans)], cache=False) as store:
        [found] = store.sql("SELECT status, thread_id FROM interrupts").fetchall()
        [noted] = store.query("doctor_unanswerable")
    assert found == (("pending", inner_thread) if inner_thread else ("abandoned", ""))
    assert noted["count"] == (0 if inner_thread else 1)


@pytest.mark.parametrize("text", ["{", "7", "null", '{"id":"a"}', '[7, null, {"id":5}, {}, []]', "[" * 100_000])
def test_malformed_questions_and_answers_are_passed_over(text: str) -> None:
    """A line of somebody else's may hold anything where questions and answers stand; what is whole beside it counts."""
    row: dict[str, Any] = {"thread_id": "t", "node": "n", "checkpoint_ns": "n:1", "checkpoint_id": None, "task_id": "1"}
    row |= {"trace_id": "r", "end_time": NOON, "start_time": NOON, "refused_by": ["1"], "metadata": text}
    good = {**row, "interrupts": '[7, {"id":"a","value":1}]', "resumes": '[{"interrupt_id":"a","value":2}]'}
    bad = {**row, "interrupts": text, "resumes": text}
    asked, answered = list(span_questions([bad, good])), list(span_answers([bad, good], [bad, good]))
    assert [(question.interrupt_id, question.question) for question in asked] == [("a", 1)]
    assert (answered[-1].interrupt_id, answered[-1].answer, answered[-1].refused) == ("a", 2, True)
    assert all(answer.interrupt_id is None for answer in answered[:-1])
