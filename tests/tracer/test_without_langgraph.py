"""The tracer with LangGraph absent, too old for lifecycle callbacks, or loaded after the tracer was built."""

import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.uncounted

ABSENT = """
    import sys
    from importlib.abc import MetaPathFinder

    class Refuse(MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("langgraph", "langchain"):
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, Refuse())
    from flightlog import JsonlTracer
    from langchain_core.runnables import RunnableLambda

    tracer = JsonlTracer()
    RunnableLambda(lambda n: n).invoke(1, {"callbacks": [tracer]})
    assert [(s.kind, s.status) for s in tracer.spans] == [("runnable", "ok")], tracer.spans
    assert type(tracer) is tracer.__class__
    assert not any(name.startswith("langgraph") for name in sys.modules)
"""

GRAPH = """
    from typing import TypedDict
    from langgraph.graph import START, StateGraph
    from langgraph.types import interrupt
    from langgraph.checkpoint.memory import InMemorySaver

    class State(TypedDict):
        x: int

    def ask(state):
        return {"x": interrupt("sure?")}

    def run(**options):
        app = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile(
            checkpointer=InMemorySaver(), **options)
        app.invoke({"x": 1}, {"callbacks": [tracer], "configurable": {"thread_id": "t"}})
        return [(s.name, s.kind, s.status) for s in tracer.spans]
"""

LATER = (
    """
    import sys
    from flightlog import JsonlTracer

    tracer = JsonlTracer()
    assert "langgraph" not in sys.modules
"""
    + GRAPH
    + """
    found = run(interrupt_before=["ask"])
    assert found == [("LangGraph", "graph", "interrupted")], found
    from langgraph.callbacks import GraphCallbackHandler
    assert isinstance(tracer, GraphCallbackHandler) and isinstance(tracer, JsonlTracer)
"""
)

OLD = (
    """
    import langgraph.callbacks
    from langgraph.pregel import main
    from flightlog import JsonlTracer

    class Nobody:
        pass

    # A LangGraph before 1.1.7 has no such class and asks nobody; the interrupt is all there is to go by.
    del langgraph.callbacks.GraphCallbackHandler
    tracer = JsonlTracer()
    assert type(tracer) is tracer.__class__
"""
    + GRAPH
    + """
    langgraph.callbacks.GraphCallbackHandler = Nobody
    langgraph.callbacks._filter_graph_handlers = lambda handlers: []
    found = run()
    assert found == [("ask", "node", "interrupted"), ("LangGraph", "graph", "interrupted")], found
    assert tracer.spans[-1].interrupts[0]["value"] == "sure?"
"""
)

LIGHT = """
    import sys
    import flightlog
    heavy = ("langgraph", "langchain_core", "duckdb", "textual", "opentelemetry", "pydantic", "numpy")
    assert not any(name in sys.modules for name in heavy), [name for name in heavy if name in sys.modules]
    import langchain_core.callbacks.base
    before = set(sys.modules)
    from flightlog import JsonlTracer
    new = {name for name in set(sys.modules) - before}
    allowed = ("flightlog", "orjson")
    own = {name for name in new if name.partition(".")[0] not in allowed}
    third = sorted(name for name in own if name.partition(".")[0] not in sys.stdlib_module_names)
    assert not third, third
"""


@pytest.mark.parametrize("program", [ABSENT, LATER, OLD, LIGHT], ids=["absent", "later", "old", "light"])
def test_the_tracer_works_whatever_langgraph_is(program: str) -> None:
    """Plain runnables, a LangGraph that comes later, one without lifecycle events, and an import that stays light."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
