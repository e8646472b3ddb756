"""Random graphs that ask at random, answered, forked and left at random: every record is what really happened."""

import operator
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from flightlog import JsonlTracer
from flightlog_viewer import open_store
from flightlog_viewer.approvals.databases import whole_picture
from flightlog_viewer.approvals.span_side import SpanSide, span_side


class State(TypedDict, total=False):
    """Answers, and which of several Sends a task is."""

    log: Annotated[list[str], operator.add]
    item: Annotated[str, lambda before, after: after]


@dataclass
class Truth:
    """What became of a question."""

    question: str
    status: str = "pending"
    answer: str | None = None


@dataclass
class Thread:
    """One thread, and what has been asked and said in it."""

    graph: Any
    config: Any
    truth: dict[str, Truth] = field(default_factory=dict)
    said: int = 0

    def run(self, given: Any, config: Any = None) -> None:
        """Run until the next pause."""
        found = self.graph.invoke(given, config or self.config)
        for asked in found.get("__interrupt__", ()):
            self.truth.setdefault(asked.id, Truth(asked.value))

    def answer(self, asked: list[Any], *, by_id: bool) -> None:
        """Answer these questions at once."""
        answers = {}
        for question in asked:
            self.said += 1
            answers[question.id] = f"answer {self.said}"
            known = self.truth[question.id]
            known.status, known.answer = "answered", answers[question.id]
        self.run(Command(resume=answers if by_id else next(iter(answers.values()))))

    def pending(self) -> list[Any]:
        """What waits now."""
        return list(self.graph.get_state(self.config).interrupts)


def asks(name: str, times: int) -> Any:
    """A node that asks a number of questions, one after the other."""

    def node(state: State) -> State:
        return {"log": [interrupt(f"{name} {number} {state.get('item', '')}") for number in range(times)]}

    return node


def around(inner: Any, levels: int) -> Any:
    """A node, or graphs around it."""
    for _ in range(levels):
        builder: Any = StateGraph(State).add_node("inner", inner)
        inner = builder.add_edge(START, "inner").compile()
    return inner


def build(chance: random.Random) -> Any:
    """A first node, some that ask side by side, perhaps by Sends, and one behind them."""
    builder: Any = StateGraph(State).add_node("first", lambda state: {"log": ["first"]}).add_edge(START, "first")
    names = [f"p{number}" for number in range(chance.randint(1, 3))]
    builder.add_node("last", asks("last", chance.randint(0, 1)))
    for name in names:
        builder.add_node(name, around(asks(name, chance.randint(0, 2)), chance.randint(0, 2)))
        builder.add_edge(name, "last")
    if chance.random() < 0.4:
        sends = [Send(name, {"item": str(n)}) for name in names for n in range(chance.randint(1, 2))]
        builder.add_conditional_edges("first", lambda state: sends, names)
    else:
        for name in names:
            builder.add_edge("first", name)
    return builder


def drive(thread: Thread, chance: random.Random) -> None:
    """Answer some of what waits, by id or without, or begin a branch before it was asked."""
    thread.run({"log": []})
    for _ in range(chance.randint(1, 6)):
        waiting = thread.pending()
        if not waiting:
            break
        if chance.random() < 0.9:
            some = chance.sample(waiting, chance.randint(1, len(waiting)))
            thread.answer(some, by_id=len(waiting) > 1 or chance.random() < 0.4)
        else:
            # Before anything was asked: an update of a step that asks is itself an answer.
            steps = [step for step in thread.graph.get_state_history(thread.config) if step.next == ("first",)]
            branch = thread.graph.update_state(steps[-1].config, {"log": ["again"]}, as_node="first")
            thread.run(None, {**branch, "callbacks": thread.config["callbacks"]})
    left = {question.id for question in thread.pending()}
    for name, known in thread.truth.items():
        if known.status == "pending" and name not in left:
            known.status = "abandoned"


def differences(seed: int, folder: Path) -> Iterator[tuple[Any, ...]]:
    """What the database alone, the spans alone and both together say otherwise than it was."""
    chance, database, spans = random.Random(seed), folder / "c.sqlite", folder / "s.jsonl"
    connection = sqlite3.connect(database, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")
    with JsonlTracer(spans) as tracer:
        # What a graph writes has one order only on one thread: see _answered in flightlog_viewer.checkpoints.tasks.
        config = {"configurable": {"thread_id": "t"}, "callbacks": [tracer], "max_concurrency": 1}
        thread = Thread(build(chance).compile(checkpointer=SqliteSaver(connection)), config)
        drive(thread, chance)
    connection.close()
    with open_store(spans, cache=False) as store:
        told = span_side(store.query)
    for kind, targets, side in (
        ("database", [str(database)], SpanSide()),
        ("spans", [], told),
        ("both", [str(database)], told),
    ):
        records = {record.interrupt_id: record for record in whole_picture(targets, side).approvals}
        if records.keys() != thread.truth.keys():
            yield kind, "other questions", [record.question for record in records.values()]
        for name, known in thread.truth.items():
            record = records.get(name)
            if record is None or record.status != known.status:
                yield kind, known, record and record.status
            elif record.answer_recorded and record.answer != known.answer:
                yield kind, known, record.answer
            elif record.question_recorded and record.question != known.question:
                yield kind, known, record.question
            elif kind != "database" and not (record.answer_recorded == (known.answer is not None) and record.exact):
                yield kind, known, "not recorded"


def check(seeds: range) -> None:
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            assert not list(differences(seed, Path(folder))), seed


def test_questions_at_random() -> None:
    """Question, answer and status of every record agree with what was asked and said, whoever tells of it."""
    check(range(16, 22))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_many_questions_at_random() -> None:
    """The same for a thousand threads."""
    check(range(1000))
