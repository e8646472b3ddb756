"""One tracer over persistence, approval and streaming at once, and what it adds up to.

The tracer that tutorials build on LangChain's callback base class records LLM and tool calls only, and would file a
graph that waits for a person under errors. JsonlTracer records the graph and its nodes as well, knows a pause from
a fault, and writes each span as it ends. Without a path it keeps the spans in memory, which is what tests want.
"""

import sys
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from flightlog import JsonlTracer
from flightlog_samples import human_in_the_loop, persistence, react_agent, streaming
from flightlog_samples.recording import Recording, run


def traced_in_memory(text: str) -> JsonlTracer:
    """Stream a text through the pipeline and return the tracer, whose `spans` hold what happened."""
    tracer = JsonlTracer()
    config: RunnableConfig = {"callbacks": [tracer]}
    for _ in streaming.iter_updates(streaming.build_demo_pipeline(), {"text": text}, config):
        pass
    return tracer


def trace_everything(recording: Recording) -> dict[str, Any]:
    """Run the three patterns and an agent under the recording's tracer, and return its summary."""
    saver = recording.checkpointer
    accumulator = persistence.build_accumulator(saver)
    for _ in range(2):
        persistence.step(accumulator, "tracing-accumulator", [recording.tracer])
    approval = human_in_the_loop.build_approval_graph(saver, human_in_the_loop.transfer)
    config = recording.config("tracing-approval")
    human_in_the_loop.start(approval, "renew the domain", "tracing-approval", config)
    human_in_the_loop.resume(approval, "ok", "tracing-approval", config)
    pipeline = streaming.build_narrated_pipeline(saver)
    for _ in streaming.iter_updates(pipeline, {"text": "traced"}, recording.config("tracing-streaming")):
        pass
    agent = react_agent.build(saver)
    agent.invoke({"messages": [("user", "From ZRH to KEF?")]}, recording.config("tracing-agent"))
    sums: dict[str, Any] = recording.tracer.summary()
    return sums


def story(out: Path) -> None:
    """Everything once more, under one tracer, and its summary printed."""
    with Recording(out) as recording:
        for kind, sums in trace_everything(recording).items():
            print(f"{kind:<6} {sums}")


if __name__ == "__main__":
    sys.exit(run("tracing", story))
