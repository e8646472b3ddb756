"""Records a checkpoint database with whatever version of LangGraph is installed, and what that version says about it.

    python record.py NAME    # writes NAME.sqlite and NAME.json; from 0.2 on

Run by hand, in an environment of its own with an old langgraph and langgraph-checkpoint-sqlite; compressed with
`zstd --rm NAME.sqlite`. test_old_versions.py compares.
"""

import contextlib
import json
import operator
import sqlite3
import sys
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Send


class State(TypedDict, total=False):
    """A list that grows, and a number."""

    log: Annotated[list[Any], operator.add]
    n: int


def say(word: str) -> Any:
    """A node that adds a word."""
    return lambda state: {"log": [word]}


def fail(state: State) -> State:
    """A node that fails."""
    raise ValueError("no")


def line(*nodes: tuple[str, Any]) -> Any:
    """A graph of nodes one after another."""
    builder: Any = StateGraph(State)
    before = START
    for name, node in nodes:
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    return builder


def join() -> Any:
    """a branches to b and c, which join in d."""
    builder: Any = StateGraph(State)
    for name in "abcd":
        builder.add_node(name, say(name))
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", lambda state: ["b", "c"])
    builder.add_edge(["b", "c"], "d")
    return builder


def fan() -> Any:
    """a sends to w three times; z follows."""
    builder: Any = StateGraph(State)
    builder.add_node("a", say("a"))
    builder.add_node("w", lambda state: {"log": [state["n"]]})
    builder.add_node("z", say("z"))
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", lambda state: [Send("w", {"n": n}) for n in range(3)], ["w"])
    builder.add_edge("w", "z")
    return builder


class Recording:
    """A database that is being written, and what its writer says."""

    def __init__(self, path: str) -> None:
        self.saver = SqliteSaver(sqlite3.connect(path, check_same_thread=False))
        self.told: dict[str, Any] = {}

    def run(self, name: str, builder: Any, *inputs: Any, **options: Any) -> None:
        """Drive a graph in a thread of that name."""
        graph = builder.compile(checkpointer=self.saver, **options)
        config: Any = {"configurable": {"thread_id": name}}
        for given in inputs:
            with contextlib.suppress(ValueError):
                graph.invoke(given, config)
        self.told[name] = [self.state(state) for state in graph.get_state_history(config)]

    def state(self, state: Any) -> dict[str, Any]:
        """What LangGraph says of a checkpoint."""
        asked = [question.value for task in state.tasks for question in task.interrupts]
        return {
            "id": state.config["configurable"]["checkpoint_id"],
            "next": sorted(state.next),
            "values": state.values,
            "asked": asked,
        }


def main() -> None:
    """Record all of it."""
    name = sys.argv[1]
    recording = Recording(f"{name}.sqlite")
    given = {"log": ["in"]}
    recording.run("line", line(("a", say("a")), ("b", say("b"))), given, given)
    recording.run("stopped", line(("a", say("a")), ("b", say("b"))), given, None, interrupt_before=["b"])
    recording.run("join", join(), given)
    recording.run("stopped at a join", join(), given, interrupt_before=["d"])
    recording.run("fan", fan(), given)
    recording.run("stopped at sends", fan(), given, interrupt_before=["w"])
    recording.run("failed", line(("a", say("a")), ("x", fail)), given)
    with contextlib.suppress(ImportError):  # in 0.2.57 and later
        from langgraph.types import Command, interrupt

        asking = line(("a", say("a")), ("q", lambda state: {"log": [interrupt({"q": 1})]}))
        around = line(("s", asking.compile()), ("t", say("t")))
        for kind, builder in (("", asking), ("inner ", around)):
            recording.run(f"{kind}question", builder, given)
            recording.run(f"{kind}answer", builder, given, Command(resume="yes"))
    with open(f"{name}.json", "w") as file:
        json.dump(recording.told, file, indent=1, sort_keys=True)
    recording.saver.conn.execute("PRAGMA journal_mode = DELETE")
    recording.saver.conn.execute("VACUUM")
    recording.saver.conn.close()


if __name__ == "__main__":
    main()
