"""How fast a checkpoint database is read, as ratios taken in one run, values consumed and equal.

1. The history of 2,000 checkpoints against LangGraph's own `get_state_history` on the same database: chats of common
   length (20 chats of 100 checkpoints, 50 messages in one on average), long chats (5 of 400, 200 messages), and state
   in which nothing repeats. Every value of every checkpoint of every thread is compared.
2. A database of 1 GB with 10,000 threads: the time to list them all with their pending questions.
3. The same database while it is followed: what one new row costs, against a first look at threads and questions.
"""

import argparse
import gc
import sqlite3
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

from flightlog_viewer.checkpoints import normal_form, open_source
from flightlog_viewer.tui.questions.known_threads import KnownThreads

CHECKPOINTS = 2000
CHECKPOINTS_A_TURN = 4
ROUNDS = 5
ROUNDS_OF_LONG_CHATS = 3
LISTED_THREADS = 10_000
CHECKPOINTS_A_THREAD = 10
TEXT = "The quick brown fox jumps over the lazy dog. " * 8


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Fresh(TypedDict, total=False):
    messages: list[AnyMessage]
    turn: int


def chat() -> Any:
    """A graph that adds four messages a turn, as an agent with a tool that it calls twice does."""
    calls = [{"name": "search", "args": {"query": TEXT[:40]}, "id": name, "type": "tool_call"} for name in "ab"]
    builder: Any = StateGraph(Chat)
    usage: Any = {"input_tokens": 900, "output_tokens": 80, "total_tokens": 980}
    answered = {"model_name": "some-model", "finish_reason": "tool_calls", "logprobs": None}
    answer = {"tool_calls": calls, "usage_metadata": usage, "response_metadata": answered}
    builder.add_node("model", lambda state: {"messages": [AIMessage(TEXT, **answer)]})
    builder.add_node("tool", lambda state: {"messages": [ToolMessage(TEXT, tool_call_id=name) for name in "ab"]})
    return builder.add_edge(START, "model").add_edge("model", "tool")


def question(turn: int) -> dict[str, Any]:
    """What a turn of a chat begins with."""
    return {"messages": [HumanMessage(f"{turn} {TEXT}")]}


def fresh() -> Any:
    """A graph whose every step writes fifty messages that no other step holds."""

    def write(state: Fresh) -> Fresh:
        turn = state.get("turn", 0) + 1
        return {"turn": turn, "messages": [HumanMessage(f"{turn} {n} {TEXT}", id=f"{turn}-{n}") for n in range(50)]}

    builder: Any = StateGraph(Fresh)
    builder.add_node("one", write).add_node("two", write)
    return builder.add_edge(START, "one").add_edge("one", "two")


def record(path: Path, builder: Any, threads: int, given: Callable[[int], dict[str, Any]]) -> Any:
    """Write the threads; gives the graph."""
    saver = SqliteSaver(sqlite3.connect(path, check_same_thread=False))
    graph = builder.compile(checkpointer=saver)
    for thread in range(threads):
        for turn in range(CHECKPOINTS // CHECKPOINTS_A_TURN // threads):
            graph.invoke(given(turn), config(thread), durability="async")
    return graph


def config(thread: int) -> Any:
    """The config of a thread."""
    return {"configurable": {"thread_id": f"t{thread}"}}


def consume(snapshots: Iterator[Any]) -> tuple[int, int]:
    """Read every value: checkpoints, and characters of all messages in all of them."""
    checkpoints = characters = 0
    for snapshot in snapshots:
        checkpoints += 1
        for message in snapshot.values.get("messages", ()):
            characters += len(message["content"] if isinstance(message, dict) else message.content)
        characters += len(snapshot.next)
    return checkpoints, characters


def theirs(graph: Any, threads: int) -> tuple[int, int]:
    """The history as LangGraph tells it."""
    return consume(snapshot for thread in range(threads) for snapshot in graph.get_state_history(config(thread)))


def ours(path: Path, threads: int) -> tuple[int, int]:
    """The history as we read it."""
    with open_source(path) as source:
        return consume(step for thread in range(threads) for step in source.history(f"t{thread}").steps)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and the result."""
    gc.collect()
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def compared(graph: Any, path: Path, threads: int) -> int:
    """How many checkpoints have the same form on both sides; ends the program when one has not."""
    equal = 0
    with open_source(path) as source:
        for thread in range(threads):
            mine = {step.checkpoint_id: normal_form(step) for step in source.history(f"t{thread}").steps}
            for snapshot in graph.get_state_history(config(thread)):
                form = normal_form(snapshot)
                if mine.pop(form["checkpoint_id"], None) != form:
                    raise SystemExit(f"thread t{thread}: checkpoint {form['checkpoint_id']} differs")
                equal += 1
            if mine:
                raise SystemExit(f"thread t{thread}: {len(mine)} checkpoints are read here only")
    return equal


def history(
    name: str, builder: Any, threads: int, given: Callable[[int], dict[str, Any]], folder: Path, rounds: int = ROUNDS
) -> None:
    """Print the ratio of the two readers, alternating."""
    path = folder / f"{name}.sqlite"
    graph = record(path, builder, threads, given)
    pairs = []
    for _ in range(rounds):
        slow, expected = timed(lambda: theirs(graph, threads))
        fast, found = timed(lambda: ours(path, threads))
        if found != expected:
            raise SystemExit(f"{name}: {found} read, {expected} expected")
        pairs.append((slow, fast))
    equal = compared(graph, path, threads)
    slow, fast = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    ratios = sorted(slow / fast for slow, fast in pairs)
    size = path.stat().st_size / 1e6
    tracemalloc.start()
    ours(path, threads)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(
        f"{name:<10} {threads} x {expected[0] // threads} checkpoints, {size:.0f} MB: "
        f"get_state_history {expected[0] / slow:.0f}/s, ours {expected[0] / fast:.0f}/s, "
        f"ratio {slow / fast:.1f}x ({ratios[0]:.1f} to {ratios[-1]:.1f}), "
        f"{equal} of {expected[0]} equal, our peak memory {peak:.0f} MB",
        flush=True,
    )


def listing(folder: Path, threads: int) -> None:
    """Print the time to list a large database."""
    path = folder / "large.sqlite"
    fill(path, threads)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with open_source(path) as source:
            found = list(source.threads())
        times.append(time.perf_counter() - started)
    waiting = sum(len(thread.pending) for thread in found)
    print(
        f"listing  {len(found)} threads, {path.stat().st_size / 1e9:.2f} GB, {waiting} pending questions: "
        f"{median(times):.2f} s (best {min(times):.2f} s); budget 2 s"
    )


def following(folder: Path) -> None:
    """Print what a look costs that finds one thread changed, as a ratio to the first look."""
    path = folder / "large.sqlite"
    known = KnownThreads()

    def look() -> tuple[int, int]:
        with open_source(path) as source:
            return len(known.threads(source)), len(known.approvals(source, {}))

    first, found = timed(look)
    times = []
    for number in range(ROUNDS):
        with sqlite3.connect(path) as connection:
            changed = f"thread-{number + 1:06}"
            connection.execute("INSERT OR REPLACE INTO writes SELECT * FROM writes WHERE thread_id = ?", (changed,))
        connection.close()
        again, found_again = timed(look)
        if found_again != found:
            raise SystemExit(f"following: {found_again} found, {found} expected")
        times.append(again)
    print(
        f"following {found[0]} threads, {found[1]} questions: {median(times):.2f} s of CPU for a look after one thread "
        f"has changed, {first:.2f} s for the first, ratio {first / median(times):.1f}x"
    )


def fill(path: Path, threads: int) -> None:
    """A database of many threads, copied from two that LangGraph has written: one finished, one that waits."""
    builder: Any = StateGraph(Chat)
    size = "x" * 3000
    builder.add_node("model", lambda state: {"messages": [AIMessage(size)]})
    builder.add_node("ask", lambda state: {"messages": [HumanMessage(str(interrupt({"question": "ok?"})))]})
    builder.add_conditional_edges("model", lambda state: "ask" if "ask" in state["messages"][-2].content else "__end__")
    builder.add_edge(START, "model")
    connection = sqlite3.connect(path, check_same_thread=False)
    graph = builder.compile(checkpointer=SqliteSaver(connection))
    for name, turns in (("plain", 3), ("ask", 3)):
        for turn in range(turns):
            text = name if turn == turns - 1 or name == "plain" else "talk"
            graph.invoke({"messages": [HumanMessage(f"{text} {size}")]}, {"configurable": {"thread_id": name}})
    connection.execute("PRAGMA synchronous = OFF")
    for table in ("checkpoints", "writes"):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")][1:]
        listed = ", ".join(columns)
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            f"INSERT INTO {table} (thread_id, {listed}) SELECT printf('thread-%06d', i), {listed} FROM n, {table} "
            f"WHERE thread_id = CASE WHEN i % 10 = 0 THEN 'ask' ELSE 'plain' END",
            (threads,),
        )
        connection.execute(f"DELETE FROM {table} WHERE thread_id IN ('ask', 'plain')")
    connection.commit()
    connection.close()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=LISTED_THREADS, help="threads of the large database")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="flightlog-history-") as name:
        folder = Path(name)
        history("chats", chat(), 20, question, folder)
        history("long chats", chat(), 5, question, folder, ROUNDS_OF_LONG_CHATS)
        history("fresh", fresh(), 5, lambda turn: {}, folder)
        listing(folder, arguments.threads)
        following(folder)


if __name__ == "__main__":
    main()
