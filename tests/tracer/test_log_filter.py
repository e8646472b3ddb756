import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from flightlog import JsonlTracer, TraceLogFilter

logger = logging.getLogger("an.application")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a handler with the filter has logged."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    handler = Handler()
    handler.addFilter(TraceLogFilter())
    handler.setFormatter(logging.Formatter("%(message)s %(trace_id)s %(run_id)s"))
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


@tool
def look(word: str) -> str:
    """Look a word up."""
    logger.warning("in the tool")
    return word


class State(TypedDict, total=False):
    word: str


def _log(state: State) -> State:
    logger.warning("in the node")
    look.invoke({"word": "x"})
    logger.warning("after the tool")
    return {}


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
def test_ids_of_node_and_tool(lines: list[str], how: str) -> None:
    """A record carries the run it was logged in, node or tool, and its trace."""
    graph = StateGraph(State)
    graph.add_node("log", _log)
    graph.add_edge(START, "log")
    agent = graph.compile()
    tracer = JsonlTracer()
    config: Any = {"callbacks": [tracer]}
    if how == "invoke":
        agent.invoke({}, config)
    else:
        asyncio.run(agent.ainvoke({}, config))
    ids = {span.name: span.run_id for span in tracer.spans}
    root = ids["LangGraph"]
    assert lines == [
        f"in the node {root} {ids['log']}",
        f"in the tool {root} {ids['look']}",
        f"after the tool {root} {ids['log']}",
    ]


def test_outside_of_runs_and_tracers(lines: list[str]) -> None:
    """Outside of a run, and inside one that no tracer records, the ids are the dash."""
    logger.warning("outside")
    untraced: Runnable[str, None] = RunnableLambda(logger.warning)
    untraced.invoke("untraced")
    assert lines == ["outside - -", "untraced - -"]


def test_of_several_tracers_one_that_knows_the_run_is_asked(lines: list[str]) -> None:
    """A tracer that is closed in the middle of a run leaves the answer to the next."""
    first, second = JsonlTracer(), JsonlTracer()

    def log(word: str) -> None:
        first.close()
        logger.warning(word)

    RunnableLambda(log).invoke("inside", {"callbacks": [first, second]})
    (span,) = second.spans
    assert lines == [f"inside {span.trace_id} {span.run_id}"]


def test_process_without_langchain() -> None:
    """The filter works where LangChain is not loaded, and does not load it."""
    code = """if True:
        import logging, sys
        from flightlog import TraceLogFilter
        handler = logging.StreamHandler(sys.stdout)
        handler.addFilter(TraceLogFilter(missing="none"))
        logging.basicConfig(handlers=[handler], format="%(message)s %(trace_id)s %(run_id)s")
        logging.warning("hello")
        print([m for m in sys.modules if m.startswith("langchain")])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "hello none none\n[]\n"
