"""What tracing costs: net CPU and p99 wall per invoke of a ReAct-shaped LangGraph, for us and for the peers installed.

    python benchmarks/tracer_overhead.py [--json] [--blocks N] [--only NAME,...]

Handlers run in one process, in blocks of invokes that take turns with blocks without callbacks; instrumentors patch
LangChain and have processes of their own. Every figure is the median of (block with - block without), process CPU of
all threads, through the subject's own flush or close. Every invoke gets fresh messages. Peers send to a local server
that accepts everything, in another process; one that is not installed is left out (``pip install --group bench -c
constraints.txt`` brings them all). Read ratios, not milliseconds.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.tracer_subjects import SUBJECTS, Subject

INVOKES = 20
HISTORIES = (2, 100)
SETTINGS = [f"{mode}_{history}" for mode in ("sync", "async") for history in HISTORIES]
BARE = "without"
WARM_UP = 2
"""Blocks that warm caches, imports and connections, and do not count."""


class Model(BaseChatModel):
    """Calls the tool once, then answers; new message objects every time."""

    model_name: str = "bench-1"

    @property
    def _llm_type(self) -> str:
        return "bench"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        usage: Any = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
        if isinstance(messages[-1], ToolMessage):
            message = AIMessage("It is sunny in Paris, 24 degrees.", usage_metadata=usage)
        else:
            calls = [{"name": "weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}]
            message = AIMessage("", tool_calls=calls, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@tool("weather")
async def async_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def build(is_async: bool) -> Any:
    """model -> tools -> model: nine runs an invoke, the routing included."""
    model = Model()

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def athink(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", athink if is_async else think)
    graph.add_node("tools", ToolNode([async_weather if is_async else weather]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile()


def fresh(history: int) -> dict[str, Any]:
    """An input of new messages; texts of the length people and models write."""
    messages: list[BaseMessage] = []
    for turn in range(history // 2):
        messages.append(HumanMessage(f"Question {turn}: what is the weather in Paris today, and should I take a coat?"))
        messages.append(AIMessage(f"Answer {turn}: it is sunny and 24 degrees, so that a coat is not needed. " * 3))
    messages[-1] = HumanMessage("And in Paris tomorrow?")
    return {"messages": messages}


class Arm:
    """The figures of one kind of block."""

    def __init__(self) -> None:
        self.cpu_ms: list[float] = []
        """Per invoke, one figure a block."""
        self.wall_ms: list[float] = []
        """One figure an invoke."""


def block(graph: Any, is_async: bool, history: int, arm: Arm, handlers: list[Any], close: Callable[[], None]) -> None:
    """Run the invokes of one block, then close, all of it on the clock."""
    inputs = [fresh(history) for _ in range(INVOKES)]
    config = {"callbacks": handlers} if handlers else {}
    gc.collect()
    began = time.process_time()
    if is_async:

        async def run() -> None:
            for one in inputs:
                start = time.perf_counter()
                await graph.ainvoke(one, config)
                arm.wall_ms.append((time.perf_counter() - start) * 1e3)

        asyncio.run(run())
    else:
        for one in inputs:
            start = time.perf_counter()
            graph.invoke(one, config)
            arm.wall_ms.append((time.perf_counter() - start) * 1e3)
    close()
    arm.cpu_ms.append((time.process_time() - began) * 1e3 / INVOKES)


def measure(subjects: dict[str, Subject], is_async: bool, history: int, blocks: int) -> dict[str, dict[str, float]]:
    """Net figures of some subjects in one setting, in turn with blocks without any."""
    graph = build(is_async)
    arms = {name: Arm() for name in (BARE, *subjects)}

    def one(name: str) -> None:
        handlers, close = ([], _nothing) if name == BARE else subjects[name].attach()
        block(graph, is_async, history, arms[name], handlers, close)
        if name != BARE:
            subjects[name].discard()

    names, rounds = list(arms), blocks + WARM_UP
    if all(subject.alternates for subject in subjects.values()):
        # In another order each time: what comes first leaves pages to be written to what comes next.
        order = random.Random(0)
        steps = [name for _ in range(rounds) for name in order.sample(names, len(names))]
    else:
        steps = [name for name in names for _ in range(rounds)]
    for name in steps:
        one(name)
    for arm in arms.values():
        del arm.cpu_ms[:WARM_UP], arm.wall_ms[: WARM_UP * INVOKES]
    bare = arms.pop(BARE)
    return {
        name: {
            "net_cpu_ms": statistics.median(t - b for t, b in zip(arm.cpu_ms, bare.cpu_ms, strict=True)),
            "bare_cpu_ms": statistics.median(bare.cpu_ms),
            "net_p99_wall_ms": percentile(arm.wall_ms) - percentile(bare.wall_ms),
        }
        for name, arm in arms.items()
    }


def _nothing() -> None:
    """Ends a block that has nothing to end."""


def percentile(values: list[float]) -> float:
    """The 99th."""
    return statistics.quantiles(values, n=100)[98]


def child(names: list[str], setting: str, blocks: int) -> None:
    """Some subjects in one setting in this process; their figures as JSON on standard output."""
    mode, _, history = setting.partition("_")
    with tempfile.TemporaryDirectory() as folder:
        subjects = {}
        for name in names:
            try:
                subjects[name] = SUBJECTS[name](Path(folder) / name)
            except ImportError as error:
                print(f"{name}: left out: {error}", file=sys.stderr)
        if not subjects:
            print("{}")
            return
        figures = measure(subjects, mode == "async", int(history), blocks)
        for name, subject in subjects.items():
            if subject.bytes:
                figures[name]["bytes_per_invoke"] = subject.bytes / (INVOKES * (blocks + WARM_UP))
        print(json.dumps(figures))


def run_all(names: list[str], blocks: int) -> dict[str, Any]:
    """Every subject in every setting, beside the accepting server.

    Handlers share a process and take turns, so that what else the machine does meets them alike; each instrumentor
    that patches LangChain has a process of its own.
    """
    groups = [[name for name in names if SUBJECTS[name].alternates]]
    groups += [[name] for name in names if not SUBJECTS[name].alternates]
    figures: dict[str, Any] = {}
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "accepting_server.py")], stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        environment = {**os.environ, "BENCH_SERVER": server.stdout.readline().strip()}
        try:
            for group in filter(None, groups):
                for setting in SETTINGS:
                    command = [sys.executable, __file__, "--child", ",".join(group), setting, "--blocks", str(blocks)]
                    done = subprocess.run(command, env=environment, capture_output=True, text=True)
                    if done.returncode:
                        print("".join(done.stderr.splitlines(keepends=True)[-20:]), file=sys.stderr)
                        raise SystemExit(f"{','.join(group)} failed in {setting}")
                    # Peers write a line for every span they cut; only what was left out matters here.
                    for line in done.stderr.splitlines():
                        if ": left out: " in line and setting == SETTINGS[0]:
                            print(line, file=sys.stderr)
                    for name, row in json.loads(done.stdout.splitlines()[-1]).items():
                        figures.setdefault(name, {})[setting] = row
        finally:
            server.terminate()
    return figures


def main() -> None:
    """Run every subject that is installed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--only", default="")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0].split(","), options.child[1], options.blocks)
        return
    figures = run_all(options.only.split(",") if options.only else list(SUBJECTS), options.blocks)
    print(json.dumps(figures, indent=1) if options.json else table(figures))


def table(figures: dict[str, Any]) -> str:
    """The figures, and the ratios the budget speaks of."""
    lines = ["net CPU ms per invoke (p99 wall ms)", f"{'':22}" + "".join(f"{name:>20}" for name in SETTINGS)]
    for name, rows in figures.items():
        cells = [f"{rows[key]['net_cpu_ms']:.3f} ({rows[key]['net_p99_wall_ms']:+.2f})" for key in SETTINGS]
        lines.append(f"{name:22}" + "".join(f"{cell:>20}" for cell in cells))
    ours, naive = figures.get("flightlog"), figures.get("naive")
    if ours:
        lines.append("")
        for other, rows in figures.items():
            if other not in ("flightlog", "empty", "empty_inline"):
                cells = [f"{ours[key]['net_cpu_ms'] / rows[key]['net_cpu_ms']:.2f}x" for key in SETTINGS]
                lines.append(f"{'flightlog / ' + other:22}" + "".join(f"{cell:>20}" for cell in cells))
        if inline := figures.get("empty_inline"):
            for history in HISTORIES:
                net = [
                    ours[f"{mode}_{history}"]["net_cpu_ms"] - inline[f"{mode}_{history}"]["net_cpu_ms"]
                    for mode in ("async", "sync")
                ]
                lines.append(f"(async - empty) / (sync - empty), history {history}: {net[0] / net[1]:.2f}x")
        for key in SETTINGS[:2]:
            sizes = f"flightlog {ours[key].get('bytes_per_invoke', 0):.0f}"
            if naive:
                sizes += f", naive {naive[key].get('bytes_per_invoke', 0):.0f}"
            lines.append(f"bytes on disk per invoke, {key}: {sizes}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
