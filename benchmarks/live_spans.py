"""CPU milliseconds per invoke that ways of tracing add to a small ReAct graph: a part of exporters_speed.py.

Run by the Python of an environment that has OpenInference. Blocks of each way take turns in one process. Content is
recorded by all, and the OpenTelemetry spans go to an exporter that throws them away.
"""

import statistics
import time
from importlib import import_module
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from flightlog import JsonlTracer
from flightlog_exporters import OTelBridge
from tests.exporters.agent import ScriptedModel, weather

BLOCKS, INVOKES = 40, 15


class Nowhere(SpanExporter):
    """Throws everything away."""

    def export(self, spans: Any) -> SpanExportResult:
        """Say it worked."""
        return SpanExportResult.SUCCESS


def react() -> Any:
    """llm -> tools -> llm."""
    model = ScriptedModel()
    graph = StateGraph(MessagesState)
    graph.add_node("agent", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", tools_condition)
    graph.add_edge("tools", "agent")
    return graph.compile(name="react")


def main() -> None:
    """Print, for each way, the CPU of its blocks less that of the blocks without; lower quartiles, since CPU time grows
    with what else runs on the cores.
    """
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Nowhere()))
    agent = react()
    instrumentor: Any = import_module("openinference.instrumentation.langchain").LangChainInstrumentor()
    bridge = OTelBridge(tracer_provider=provider, content=True)
    ways: dict[str, list[Any]] = {
        "nothing": [],
        "tracer": [JsonlTracer()],
        "bridge": [JsonlTracer(sinks=[bridge])],
        "openinference": [],
    }
    inputs = {"messages": [("user", "How is the weather in Oslo?"), ("user", "Really?")]}

    def block(way: str) -> float:
        if way == "openinference":
            instrumentor.instrument(tracer_provider=provider)
        started = time.process_time()
        for _ in range(INVOKES):
            agent.invoke(inputs, {"callbacks": ways[way]})
        taken = time.process_time() - started
        if way == "openinference":
            instrumentor.uninstrument()
        return taken / INVOKES * 1000

    for way in ways:
        block(way)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(BLOCKS):
        for way in ways:
            taken[way].append(block(way))
    quartiles = {way: statistics.quantiles(blocks, n=4)[0] for way, blocks in taken.items()}
    for way, quartile in quartiles.items():
        print(way, quartile - quartiles["nothing"])


if __name__ == "__main__":
    main()
