"""Questions of real graphs, from databases and from spans; under one id for a task too, as before LangGraph 1.2.20."""

import contextlib
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import langgraph.types
import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt
from xxhash import xxh3_128_hexdigest

from flightlog import JsonlTracer, read_spans
from flightlog_viewer.cli.app import main
from tests.conformance.replay.flow import State, graph
from tests.conformance.replay.human import asking
from tests.conformance.replay.nested import around

Approvals = Callable[..., list[dict[str, Any]]]
QUESTIONS = ("one?", "two?", "three?")


@pytest.fixture(params=[True, False], ids=["one id for all", "an id for each"])
def one_id(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether questions get their ids as before LangGraph 1.2.20."""
    if request.param:
        older: Callable[[str, int], str] = lambda ns, answered: xxh3_128_hexdigest(ns.encode())  # noqa: E731
        monkeypatch.setattr(langgraph.types, "_interrupt_id", older)
    return bool(request.param)


@pytest.fixture
def approvals(capsys: pytest.CaptureFixture[str]) -> Approvals:
    """What the command lists."""

    def listed(*paths: Path) -> list[dict[str, Any]]:
        assert main(["approvals", "--json", *map(str, paths)]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["approvals"]
        return found

    return listed


def test_nodes_that_ask_in_turn(tmp_path: Path, approvals: Approvals) -> None:
    """The run that brings an answer and stops at the next node's question answers the first one."""
    spans = tmp_path / "s.jsonl"
    config: Any = {"configurable": {"thread_id": "t"}}
    builder = asking("one?", then="more")
    builder.add_node("second", lambda state: {"log": [interrupt("two?")]}).add_edge("more", "second")
    with JsonlTracer(spans) as tracer:
        config["callbacks"] = [tracer]
        compiled = builder.compile(checkpointer=InMemorySaver())
        compiled.invoke({"count": 1}, config)
        for answer in ("a", "b"):
            compiled.invoke(Command(resume=answer), config)
    assert [(one["question"], one["answer"]) for one in approvals(spans)] == [("one?", "a"), ("two?", "b")]


def test_threads_of_one_name_in_two_databases(
    tmp_path: Path, approvals: Approvals, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer in one of them leaves the question of the other waiting, though it was asked later, and which is which
    is said.
    """
    spans = tmp_path / "s.jsonl"
    first, second = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    config: Any = {"configurable": {"thread_id": "t"}}
    with (
        JsonlTracer(spans) as tracer,
        SqliteSaver.from_conn_string(str(first)) as one,
        SqliteSaver.from_conn_string(str(second)) as other,
    ):
        config["callbacks"] = [tracer]
        for saver in (one, other):
            asking("sure?").compile(checkpointer=saver).invoke({"count": 1}, config)
        asking("sure?").compile(checkpointer=one).invoke(Command(resume="yes"), config)
    found = [(one["database"], one["status"]) for one in approvals(spans, first, second)]
    assert found == [(str(first), "answered"), (str(second), "pending")]
    assert main(["approvals", str(spans), str(first), str(second)]) == 0
    assert str(second) in capsys.readouterr().out


# In small, each two of the three together.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("one_id", "by_id", "inside"),
    [
        pytest.param(*case, marks=[] if sum(case) % 2 else [pytest.mark.soak])
        for case in product((True, False), repeat=3)
    ],
    indirect=["one_id"],
)
def test_every_question_has_its_own_answer(
    tmp_path: Path, approvals: Approvals, one_id: bool, by_id: bool, inside: bool
) -> None:
    """Three questions of a task are three records, from the database, from spans, and from both."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    builder = around(asking(*QUESTIONS).compile()) if inside else asking(*QUESTIONS)
    names = []
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        compiled = builder.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
        compiled.invoke({"count": 1}, config)
        for answer in ("a", "b", "c"):
            [question] = compiled.get_state(config).interrupts
            names.append(question.id)
            compiled.invoke(Command(resume={question.id: answer} if by_id else answer), config)
    assert (len(set(names)) == 1) == one_id
    for paths in ([spans], [spans, database]):
        found = approvals(*paths)
        assert [(one["question"], one["answer"]) for one in found] == list(zip(QUESTIONS, "abc", strict=True))
        assert [one["interrupt_id"] for one in found] == names
        assert all(one["exact"] and one["status"] == "answered" for one in found)
        runs = sorted((span.start_time, span.trace_id) for span in read_spans(spans) if span.parent_run_id is None)
        assert [one["trace_id"] for one in found] == [trace_id for _, trace_id in runs][:3]
    alone = approvals(database)
    assert {one["trace_id"] for one in alone} == {None}
    # Rows keep the last question only, and its answer where it was given to no question by name.
    assert [(one["question"], one["answer"], one["interrupt_id"]) for one in alone] == [
        (None, "a", names[0]),
        (None, "b", names[1]),
        ("three?", None if by_id else "c", names[2]),
    ]


def test_a_graph_inside_a_chain(tmp_path: Path, approvals: Approvals, one_id: bool) -> None:
    """The spans know the answers to a graph that a chain calls."""
    spans = tmp_path / "s.jsonl"
    with JsonlTracer(spans) as tracer:
        chain = RunnableLambda(lambda given: given) | asking(*QUESTIONS).compile(checkpointer=InMemorySaver())
        for given in ({"count": 1}, *(Command(resume=answer) for answer in "abc")):
            chain.invoke(given, {"configurable": {"thread_id": "t"}, "callbacks": [tracer]})
    assert [(one["question"], one["answer"]) for one in approvals(spans)] == list(zip(QUESTIONS, "abc", strict=True))
    assert len({one["interrupt_id"] for one in approvals(spans)}) == (1 if one_id else 3)


def test_a_question_left_for_new_input(tmp_path: Path, approvals: Approvals) -> None:
    """Spans alone tell that a thread went on without an answer; the new run's question waits."""
    spans = tmp_path / "s.jsonl"
    with JsonlTracer(spans) as tracer:
        compiled = asking("sure?").compile(checkpointer=InMemorySaver())
        for _ in range(2):
            compiled.invoke({"count": 1}, {"configurable": {"thread_id": "t"}, "callbacks": [tracer]})
    assert [one["status"] for one in approvals(spans)] == ["abandoned", "pending"]


@pytest.mark.parametrize("asked", [1, 2, 3])
@pytest.mark.parametrize("end", ["waits", "ends", "fails"])
@pytest.mark.usefixtures("one_id")
def test_which_answer_is_the_last_ones(tmp_path: Path, approvals: Approvals, asked: int, end: str) -> None:
    """However many questions came before, the newest one stands with its own answer or waits."""
    database = tmp_path / "c.sqlite"
    answers = ["yes"] * asked  # the same words every time tell nothing

    def ask(state: State) -> dict[str, Any]:
        said = [interrupt(f"{number}?") for number in range(asked)]
        if end == "fails":
            raise ValueError("no")
        return {"log": said}

    builder = graph("after", (">", "ask"), ("ask", "after"))
    builder.add_node("ask", ask)
    with SqliteSaver.from_conn_string(str(database)) as saver:
        compiled = builder.compile(checkpointer=saver)
        # What a graph writes has one order only on one thread: see _answered in flightlog_viewer.checkpoints.tasks.
        config: Any = {"configurable": {"thread_id": "t"}, "max_concurrency": 1}
        compiled.invoke({"count": 1}, config)
        for number, answer in enumerate(answers, 1):
            if number < asked or end == "ends":
                compiled.invoke(Command(resume=answer), config)
            elif end == "fails":
                with pytest.raises(ValueError, match="no"):
                    compiled.invoke(Command(resume=answer), config)
    last = ("pending", None) if end == "waits" else ("answered", "yes")
    found = [(one["status"], one["answer"]) for one in approvals(database)]
    assert found == [("answered", "yes")] * (asked - 1) + [last]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["falls back", "goes on", "fails"])
def test_a_question_that_its_node_passes_over(tmp_path: Path, approvals: Approvals, end: str) -> None:
    """Nobody waits for what reached nobody: a node that catches its question goes on or fails without an answer."""
    spans, database = tmp_path / "s.jsonl", tmp_path / "c.sqlite"
    careful = RunnableLambda(lambda given: interrupt("passed over?"))

    def ask(state: State) -> dict[str, Any]:
        if end == "falls back":
            return {"log": [careful.with_fallbacks([RunnableLambda(lambda given: "no")]).invoke("")]}
        try:
            return {"log": [careful.invoke("")]}
        except Exception:
            if end == "fails":
                raise ValueError("no") from None
            return {"log": ["no"]}

    builder = graph("after", (">", "ask"), ("ask", "after"))
    builder.add_node("ask", ask)
    with SqliteSaver.from_conn_string(str(database)) as saver, JsonlTracer(spans) as tracer:
        config: Any = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
        with contextlib.suppress(ValueError):
            builder.compile(checkpointer=saver).invoke({"count": 1}, config)
        config["configurable"]["thread_id"] = "other"
        asking("sure?").compile(checkpointer=saver).invoke({"count": 1}, config)
    for paths in ([spans], [spans, database]):
        assert [(one["thread_id"], one["status"]) for one in approvals(*paths)] == [("other", "pending")]


def test_a_graph_with_a_thread_of_its_own_waits_inside_a_node_that_ends(tmp_path: Path, approvals: Approvals) -> None:
    """A node that calls a graph with its own checkpointer ends well while that graph waits."""
    spans = tmp_path / "s.jsonl"
    inner = asking("sure?").compile(checkpointer=InMemorySaver())

    def call(state: State) -> dict[str, Any]:
        inner.invoke({"count": 1}, {"configurable": {"thread_id": "inner"}})
        return {"log": ["called"]}

    builder = graph("after", (">", "call"), ("call", "after"))
    builder.add_node("call", call)
    with JsonlTracer(spans) as tracer:
        builder.compile().invoke({"count": 1}, {"callbacks": [tracer]})
    assert [(one["question"], one["status"]) for one in approvals(spans)] == [("sure?", "pending")]
