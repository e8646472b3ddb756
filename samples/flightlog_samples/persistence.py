"""State that survives: an accumulator that counts up once per call, a count for each thread.

Which checkpointer the graph is compiled with is the only difference between state that dies with the process and
state that survives it. Two things that tutorials have wrong or leave out: `PostgresSaver.from_conn_string` is a
context manager by now, not a saver, so `postgres_checkpointer` opens the connection itself with the settings that the
saver needs; and a state of counters needs reducers on its channels, or each call overwrites the last one's.
"""

import operator
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from flightlog_samples.recording import Recording, run, sqlite_saver


class Accumulator(TypedDict, total=False):
    """Both channels have a reducer: an update is added to what is there."""

    count: Annotated[int, operator.add]
    items: Annotated[list[str], operator.add]


Graph = CompiledStateGraph[Accumulator, None, Accumulator, Accumulator]


def memory_checkpointer() -> InMemorySaver:
    """Lives as long as the process."""
    return InMemorySaver()


def sqlite_checkpointer(path: str | Path) -> SqliteSaver:
    """Lives in a file, survives the process; close `.conn` when done."""
    return sqlite_saver(path)


def postgres_checkpointer(url: str) -> PostgresSaver:
    """Lives in a server, shared by many processes; close `.conn` when done. Raises psycopg.OperationalError."""
    # The saver runs its migrations outside a transaction and reads rows by name; prepared statements would break
    # behind a connection pooler.
    connection: Connection[DictRow] = Connection.connect(
        url, autocommit=True, prepare_threshold=None, row_factory=dict_row
    )
    saver = PostgresSaver(connection)
    saver.setup()
    return saver


def build_accumulator(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """One node, `tick`."""
    graph = StateGraph(Accumulator)
    graph.add_node("tick", tick)
    graph.add_edge(START, "tick")
    return graph.compile(checkpointer=checkpointer, name="accumulator")


def tick(state: Accumulator) -> Accumulator:
    """One more, with a mark that says which."""
    return {"count": 1, "items": [f"tick {state.get('count', 0) + 1}"]}


def step(graph: Graph, thread_id: str, callbacks: Sequence[BaseCallbackHandler] = ()) -> dict[str, Any]:
    """Call the graph once on a thread, and return the state that is now saved there."""
    # The zero is the caller's own contribution: a graph wants an input to start a run, and adding 0 changes nothing.
    return graph.invoke({"count": 0}, {"configurable": {"thread_id": thread_id}, "callbacks": list(callbacks)})


def story(out: Path) -> None:
    """Two threads; then the file is opened anew, as another process would, and one of them goes on."""
    for threads in (("alice", "alice", "bob"), ("alice",)):
        with Recording(out) as recording:
            graph = build_accumulator(recording.checkpointer)
            for thread in threads:
                step(graph, f"accumulator-{thread}", [recording.tracer])


if __name__ == "__main__":
    sys.exit(run("persistence", story))
