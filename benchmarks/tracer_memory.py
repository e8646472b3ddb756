"""Whether the tracer grows: a million spans through one of them, resident memory and rate on the way.

    python benchmarks/tracer_memory.py [--spans N] [--json]

Traces of ten spans with fresh messages, some of them never ended by LangChain, some failed, are driven into the
callbacks directly, to a span file that rotates. The budget: memory after all spans within 5 MB of that after the
first tenth, and a rate (CPU) in the last tenth within a fifth of that in the second.
"""

import argparse
import gc
import json
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from flightlog import JsonlTracer

SPANS_A_TRACE = 10


def one_trace(tracer: JsonlTracer, number: int) -> None:
    """A root, four nodes with a model call each, and an event; one call in some traces never ends, one node fails."""
    root = uuid4()
    messages: list[Any] = [HumanMessage(f"question {number}", id=str(number))]
    metadata = {"thread_id": f"thread-{number}", "user": number}
    tracer.on_chain_start(None, {"messages": messages}, run_id=root, name="graph", metadata=metadata)
    for step in range(4):
        node, call = uuid4(), uuid4()
        about = {
            **metadata,
            "langgraph_node": "model",
            "langgraph_step": step,
            "langgraph_checkpoint_ns": f"model:{node}",
        }
        tracer.on_chain_start(
            None,
            {"messages": messages},
            run_id=node,
            parent_run_id=root,
            name="model",
            metadata=about,
            tags=[f"graph:step:{step}"],
        )
        tracer.on_chat_model_start({}, [messages], run_id=call, parent_run_id=node, name="m", metadata=about)
        answer = AIMessage(f"answer {step}", id=f"{number}-{step}")
        if number % 7 or step:
            tracer.on_llm_end(LLMResult(generations=[[ChatGeneration(message=answer)]]), run_id=call)
        messages = [*messages, answer]
        if number % 11 == 0 and step == 3:
            tracer.on_chain_error(ValueError("failed"), run_id=node)
        else:
            tracer.on_chain_end({"messages": [answer]}, run_id=node)
    tracer.on_custom_event("done", {"number": number}, run_id=root)
    tracer.on_chain_end({"messages": messages}, run_id=root)


def main() -> None:
    """Print resident memory and rate after each tenth."""
    parser = argparse.ArgumentParser(description="whether the tracer grows over a million spans")
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    process = import_module("psutil").Process()
    tenths: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        tracer = JsonlTracer(Path(folder) / "trace.jsonl", max_bytes=20_000_000, max_total_bytes=60_000_000)
        traces = options.spans // SPANS_A_TRACE
        for tenth in range(10):
            began = time.process_time()
            for number in range(tenth * traces // 10, (tenth + 1) * traces // 10):
                one_trace(tracer, number)
                if number % 1_000 == 999:
                    tracer.flush()
            seconds = time.process_time() - began
            gc.collect()
            spans = traces // 10 * SPANS_A_TRACE
            tenths.append({"rss_mb": process.memory_info().rss / 1e6, "spans_per_cpu_second": spans / seconds})
            if not options.json:
                print(
                    f"{(tenth + 1) * spans:>10,} spans {tenths[-1]['rss_mb']:8.1f} MB {spans / seconds:10,.0f} spans/s"
                )
        stats = tracer.stats()
        tracer.close()
    grown = tenths[-1]["rss_mb"] - tenths[0]["rss_mb"]
    rate = tenths[-1]["spans_per_cpu_second"] / tenths[1]["spans_per_cpu_second"]
    if options.json:
        print(json.dumps({"tenths": tenths, "grown_mb": grown, "rate": rate, "open": stats["open"]}))
    else:
        print(
            f"grown {grown:+.1f} MB, rate {rate:.2f} of the second tenth's; {stats['open']} open, {stats['lost']} lost"
        )


if __name__ == "__main__":
    main()
