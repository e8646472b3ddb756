"""What is shipped for users' own tests."""

from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from flightlog.testing import MemorySink, SequentialIds, fixed_clock, recording
from tests.tracer import graphs
from tests.tracer.models import ScriptedModel

CHAIN: Any = RunnableLambda(lambda n: n + 1, name="one") | RunnableLambda(lambda n: n * 2, name="two")


def test_recorded_spans_are_the_same_on_every_run() -> None:
    """Times, ids and everything else compare equal between two recordings of the same work."""
    found = []
    for _ in range(2):
        with recording(service="desk") as tracer:
            CHAIN.invoke(1, {"callbacks": [tracer]})
        found.append(tracer.spans)
    assert found[0] == found[1]
    assert [(span.name, span.run_id, span.parent_run_id) for span in found[0]] == [
        ("one", "run-2", "run-1"),
        ("two", "run-3", "run-1"),
        ("RunnableSequence", "run-1", None),
    ]
    one = found[0][0]
    assert (one.start_time, one.duration_ms, one.writer_id) == ("2026-01-01T00:00:00.002000Z", 1.0, "writer-1")


def test_recorded_graphs_are_the_same_on_every_run() -> None:
    """The ids that LangGraph makes of tasks, checkpoints and questions are numbers too, wherever they stand."""

    def review(state: graphs.Log) -> dict[str, Any]:
        return {"log": [interrupt("go on?")]}

    found = []
    for _ in range(2):
        app = graphs.graph_of(graphs.Log, review, checkpointer=InMemorySaver())
        with recording() as tracer:
            config: Any = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
            waiting = app.invoke({"log": []}, config)["__interrupt__"][0]
            app.invoke(Command(resume={waiting.id: "yes"}), config)
        found.append(tracer.spans)
    assert found[0] == found[1]
    asked, resumed = (next(span for span in found[0] if getattr(span, name)) for name in ("interrupts", "resumes"))
    assert (asked.task_id, asked.checkpoint_ns) == ("task-1", "review:task-1")
    assert asked.interrupts == [{"id": "interrupt-1", "value": "go on?"}]
    assert resumed.resumes == [{"interrupt_id": "interrupt-1", "value": "yes"}]


def test_recorded_messages_are_the_same_on_every_run() -> None:
    """LangChain names a message by its run, LangGraph by chance: both are numbers, in payloads too."""
    found = []
    for _ in range(2):
        with recording() as tracer:
            graphs.agent(ScriptedModel(script=["3"])).invoke(
                {"messages": [("user", "1 + 2?")]}, {"callbacks": [tracer]}
            )
        found.append(tracer.spans)
    assert found[0] == found[1]
    root, called = found[0][-1], next(span for span in found[0] if span.type == "llm")
    messages = root.output["messages"]
    assert (messages[0]["id"], messages[1]["id"]) == ("message-1", called.message_id)


def test_the_memory_sink_sees_starts_and_ends() -> None:
    """A sink for tests of sinks."""
    sink = MemorySink()
    with recording(sinks=[sink]) as tracer:
        CHAIN.invoke(1, {"callbacks": [tracer]})
    assert [span.name for span in sink.started] == ["RunnableSequence", "one", "two"]
    assert [span.name for span in sink.ended] == ["one", "two", "RunnableSequence"]
    assert sink.closed


def test_clock_and_ids_count() -> None:
    """The clock moves by its step, ids are numbered once each."""
    clock = fixed_clock(10, 5)
    assert [clock.wall_ns(), clock.monotonic_ns(), clock.wall_ns()] == [10, 15, 20]
    ids = SequentialIds("x")
    assert [ids("a"), ids("b"), ids("a")] == ["x-1", "x-2", "x-1"]
