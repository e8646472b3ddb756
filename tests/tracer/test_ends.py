"""How runs end: errors and retries, cancellation, dropped generators, and runs that never end."""

import asyncio
import contextlib
import gc
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, interrupt

from flightlog import JsonlTracer
from flightlog.events.failure import MAX_MESSAGE, MAX_STACKTRACE, error_record
from tests.tracer.graphs import Log, by_name, graph_of, is_clean, statuses
from tests.tracer.models import ScriptedModel, StreamingModel, call


class Retriever(BaseRetriever):
    """Finds one document, or fails."""

    fails: bool = False

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        if self.fails:
            raise KeyError(query)
        return [Document("found", metadata={"source": "here"}), Document("more")]


@tool
def broken(x: int) -> int:
    """Fail."""
    raise ValueError("broken tool")


def soft_failure(x: int) -> int:
    """Fail softly."""
    raise ToolException("not today")


def run_tool(one: Any, **options: Any) -> JsonlTracer:
    tracer = JsonlTracer()
    graph: Any = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([one], **options)).add_edge(START, "tools")
    asking = {"messages": [AIMessage("", tool_calls=[call(one.name, {"x": 1})])]}
    graph.compile().invoke(asking, {"callbacks": [tracer]})
    return tracer


def test_a_tool_error_handled_by_the_tool_node_is_the_tools_own() -> None:
    """The tool span is an error; the node that turned it into a message, and the root, are ok."""
    tracer = run_tool(broken, handle_tool_errors=True)
    assert statuses(tracer) == [("broken", "error"), ("tools", "ok"), ("LangGraph", "ok")]
    error = tracer.spans[0].error or {}
    assert (error["type"], error["message"]) == ("ValueError", "broken tool")


def test_a_tool_error_handled_by_the_tool_itself_is_an_error_too() -> None:
    """A tool that answers its exception as an error message has failed."""
    one = StructuredTool.from_function(soft_failure, handle_tool_error=True)
    tracer = run_tool(one)
    assert statuses(tracer)[0] == ("soft_failure", "error")
    assert tracer.spans[0].error == {"type": "ToolException", "message": "not today"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "text", "text": "no such order", "id": "lc_1"}, {"type": "image"}, "see above"],
         "no such order\nsee above"),
        ([{"type": "image", "base64": "aa"}], "[{'type': 'image', 'base64': 'aa'}]"),
    ],
)  # fmt: skip
def test_an_error_in_blocks_is_its_words(content: Any, message: str) -> None:
    """MCP servers answer in blocks: the error is what they say, and all of them where none has words."""

    def refused(x: int) -> ToolMessage:
        """Answer as the adapter of an MCP server does."""
        return ToolMessage(content, tool_call_id="call-1", status="error")

    tracer = run_tool(StructuredTool.from_function(refused))
    assert tracer.spans[0].error == {"type": "ToolException", "message": message}


def test_retrievers_record_their_documents_and_errors() -> None:
    """A retriever span has its query, its documents and their number, or its error."""
    tracer = JsonlTracer()
    Retriever().invoke("q", {"callbacks": [tracer]})
    with pytest.raises(KeyError):
        Retriever(fails=True).invoke("q", {"callbacks": [tracer]})
    found, failed = tracer.spans
    assert (found.type, found.inputs, found.document_count) == ("retriever", "q", 2)
    assert found.output[0]["page_content"] == "found"
    assert found.output[0]["metadata"] == {"source": "here"}
    assert (failed.status, (failed.error or {})["type"]) == ("error", "KeyError")


def test_an_llm_error_is_recorded_and_its_fallback_too() -> None:
    """The failed call is an error, the fallback's call and the chain around both are ok."""
    tracer = JsonlTracer()
    model = ScriptedModel(script=[RuntimeError("overloaded")])
    model.with_fallbacks([ScriptedModel(script=["fine"])]).invoke("q", {"callbacks": [tracer]})
    assert [span.status for span in tracer.spans] == ["error", "ok", "ok"]
    assert (tracer.spans[0].error or {})["message"] == "overloaded"
    assert tracer.summary()["llm"]["errors"] == 1


def test_each_run_has_the_error_that_ended_it() -> None:
    """Of two failures in one trace each is told where it happened, the root tells the one that reached it."""
    tracer = JsonlTracer()

    def fails(text: str) -> str:
        raise ValueError(text)

    def both(text: str, config: Any) -> str:
        for name in ("first", "second"):
            with contextlib.suppress(ValueError):
                RunnableLambda(fails).with_config(run_name=name).invoke(name, config)
        return RunnableLambda(fails).with_config(run_name="third").invoke("third", config)

    with pytest.raises(ValueError, match="third"):
        RunnableLambda(both).with_config(run_name="root").invoke("", {"callbacks": [tracer]})
    told = {span.name: (span.error or {})["message"] for span in tracer.spans}
    assert told == {"first": "first", "second": "second", "third": "third", "root": "third"}
    assert [span.tags for span in tracer.spans] == [None] * 4, "no answer of a human's was refused"


def test_of_a_long_stack_trace_the_end_is_kept() -> None:
    """The cause of an error stands at the end of its trace, and what happened at the beginning of its message."""
    record = error_record(ValueError("x" * 2 * MAX_STACKTRACE + " the end"))
    assert record["stacktrace"].startswith("…x")
    assert record["stacktrace"].endswith("x the end\n")
    assert len(record["stacktrace"]) == MAX_STACKTRACE + 1
    assert record["message"] == "x" * MAX_MESSAGE + "…"


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def __call__(self, state: Any) -> dict[str, Any]:
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("again")
        return {"log": ["done"]}


def test_attempts_of_a_retry_policy_are_numbered() -> None:
    """Each attempt is a span of the same task, numbered from 1; the graph is ok when the last one is."""
    tracer = JsonlTracer()
    graph: Any = StateGraph(Log)
    graph.add_node("flaky", Flaky(2), retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=3))
    graph.add_edge(START, "flaky")
    graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
    attempts = by_name(tracer, "flaky")
    assert [(span.attempt, span.status) for span in attempts] == [(1, "error"), (2, "error"), (3, "ok")]
    assert len({span.task_id for span in attempts}) == 1
    assert tracer.spans[-1].status == "ok"


def test_attempts_of_a_task_are_numbered() -> None:
    """A `@task` that is tried again has one span for each attempt."""
    tracer, flaky = JsonlTracer(), Flaky(1)

    retried: Any = task(retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=3))

    def work(number: int) -> Any:
        return flaky({})

    @entrypoint()
    def flow(number: int) -> Any:
        return retried(work)(number).result()

    flow.invoke(1, {"callbacks": [tracer]})
    assert [(span.attempt, span.status) for span in by_name(tracer, "work")] == [(1, "error"), (2, "ok")]


def test_attempts_of_with_retry_are_numbered() -> None:
    """LangChain tags the second attempt and those after; the number is taken from there."""
    tracer = JsonlTracer()
    flaky: Any = RunnableLambda(Flaky(2), name="flaky").with_retry(
        stop_after_attempt=3, wait_exponential_jitter=False, retry_if_exception_type=(ConnectionError,)
    )
    flaky.invoke({}, {"callbacks": [tracer]})
    assert [span.attempt for span in tracer.spans] == [None, 2, 3, None]
    assert [span.status for span in tracer.spans] == ["error", "error", "ok", "ok"]


class Hanging(ScriptedModel):
    """Never answers."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(60)


@tool
async def hanging(x: int) -> int:
    """Never answer."""
    await asyncio.sleep(60)
    return x


async def test_cancelling_a_task_cancels_every_open_run() -> None:
    """LangChain gives a cancelled model no end; it is closed as cancelled with its parent, and nothing stays."""
    model = Hanging(script=["never"])

    async def think(state: Log) -> dict[str, Any]:
        return {"log": [await model.ainvoke("q")]}

    tracer = JsonlTracer()
    running = asyncio.create_task(graph_of(Log, think).ainvoke({"log": []}, {"callbacks": [tracer]}))
    while tracer.stats()["open"] < 3:
        await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert statuses(tracer) == [("scripted-1", "cancelled"), ("think", "cancelled"), ("LangGraph", "cancelled")]
    assert is_clean(tracer)


async def test_a_run_given_up_inside_a_node_ends() -> None:
    """A tool that timed out is cancelled by LangChain 1.8; an older one tells no end, and it is closed as abandoned."""

    async def impatient(state: Log) -> dict[str, Any]:
        try:
            await asyncio.wait_for(hanging.ainvoke({"x": 1}), 0.02)
        except TimeoutError:
            return {"log": ["gave up"]}
        return {"log": []}

    tracer = JsonlTracer()
    await graph_of(Log, impatient).ainvoke({"log": []}, {"callbacks": [tracer]})
    found = dict(statuses(tracer))
    assert found.pop("hanging") in ("abandoned", "cancelled")
    assert found == {"LangGraph": "ok", "impatient": "ok"}
    assert is_clean(tracer)


def first(state: Log) -> dict[str, Any]:
    return {"log": [1]}


def second(state: Log) -> dict[str, Any]:
    return {"log": [2]}


def test_leaving_a_stream_early_abandons_the_run() -> None:
    """A break out of the loop ends the root as abandoned, and the next node never starts."""
    tracer = JsonlTracer()
    for _ in graph_of(Log, first, second).stream({"log": []}, {"callbacks": [tracer]}):
        break
    gc.collect()
    assert statuses(tracer) == [("first", "ok"), ("LangGraph", "abandoned")]
    assert is_clean(tracer)


async def test_leaving_an_async_stream_early_abandons_the_run() -> None:
    """The same for astream, once the generator is closed."""
    tracer = JsonlTracer()
    stream = graph_of(Log, first, second).astream({"log": []}, {"callbacks": [tracer]})
    async for _ in stream:
        break
    await stream.aclose()
    assert statuses(tracer) == [("first", "ok"), ("LangGraph", "abandoned")]


def test_leaving_a_model_stream_early_abandons_the_call() -> None:
    """What was streamed so far is the output of the abandoned call."""
    tracer = JsonlTracer()
    stream = StreamingModel(script=["one two three"]).stream("q", {"callbacks": [tracer]})
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    (span,) = tracer.spans
    assert (span.status, span.chunks) == ("abandoned", 1)
    assert span.output["content"].strip() == "one"


def test_what_never_ends_is_abandoned_at_close() -> None:
    """A generator that is only held is open until close(), which writes it as abandoned; its late end is ignored."""
    tracer = JsonlTracer()
    stream = StreamingModel(script=["one two three"]).stream("q", {"callbacks": [tracer]})
    next(iter(stream))
    assert tracer.stats()["open"] == 1
    tracer.close()
    assert statuses(tracer) == [("scripted-1", "abandoned")]
    stream.close()  # type: ignore[attr-defined]
    assert len(tracer.spans) == 1


def test_a_keyboard_interrupt_is_a_cancellation() -> None:
    """Ctrl-C in a node reaches the application and is recorded as cancelled."""

    def stopped(state: Log) -> dict[str, Any]:
        raise KeyboardInterrupt

    tracer = JsonlTracer()
    with pytest.raises(KeyboardInterrupt):
        RunnableLambda(stopped).invoke({"log": []}, {"callbacks": [tracer]})
    assert statuses(tracer) == [("stopped", "cancelled")]


def test_a_drained_graph_is_cancelled_and_not_an_error() -> None:
    """A graph asked to stop at a step boundary can go on later: cancelled."""
    from langgraph.errors import GraphDrained

    tracer = JsonlTracer()

    def drained(_: Any) -> None:
        raise GraphDrained("shutdown")

    with pytest.raises(GraphDrained):
        RunnableLambda(drained).invoke(1, {"callbacks": [tracer]})
    assert statuses(tracer) == [("drained", "cancelled")]


@pytest.mark.parametrize("name", ["CancelledError", "Cancelled", "GreenletExit"])
def test_a_task_ended_from_outside_is_cancelled(name: str) -> None:
    """asyncio, trio and gevent each have an exception for it, which is no error of the application's."""
    ended: Any = type(name, (BaseException,), {})

    def work(x: int) -> int:
        raise ended

    tracer = JsonlTracer()
    with pytest.raises(ended):
        RunnableLambda(work, name="work").invoke(1, {"callbacks": [tracer]})
    assert statuses(tracer) == [("work", "cancelled")]


def test_an_attempt_that_asks_is_interrupted_and_not_an_error() -> None:
    """After two failed attempts the third asks a human: it and the graph are interrupted, and ok once resumed."""
    tracer = JsonlTracer()
    flaky = Flaky(2)

    def ask(state: Any) -> dict[str, Any]:
        flaky(state)
        return {"log": [interrupt("go on?")]}

    graph: Any = StateGraph(Log)
    graph.add_node("ask", ask, retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=5))
    graph.add_edge(START, "ask")
    app = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
    app.invoke({"log": []}, config)
    app.invoke(Command(resume="yes"), config)
    attempts = by_name(tracer, "ask")
    assert [(span.attempt, span.status) for span in attempts] == [
        (1, "error"),
        (2, "error"),
        (3, "interrupted"),
        (1, "ok"),
    ]
    assert [span.status for span in by_name(tracer, "LangGraph")] == ["interrupted", "ok"]


def test_a_graph_in_a_tool_that_is_called_twice_at_once_nests_in_each_call() -> None:
    """Two parallel calls of one tool, each running a graph: every span hangs below its own call."""
    tracer = JsonlTracer()

    def note(state: Any) -> dict[str, Any]:
        return {"log": ["inner"]}

    inner = graph_of(Log, note)

    @tool
    def ask_inner(question: str) -> str:
        """Run the inner graph."""
        return str(inner.invoke({"log": []})["log"])

    graph: Any = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([ask_inner]))
    graph.add_edge(START, "tools")
    calls: Any = [call("ask_inner", {"question": "?"}, f"c-{n}") for n in range(2)]
    graph.compile().invoke({"messages": [AIMessage("", tool_calls=calls)]}, {"callbacks": [tracer]})
    spans = {span.run_id: span for span in tracer.spans}
    above = [
        [spans[node.parent_run_id or ""], spans[spans[node.parent_run_id or ""].parent_run_id or ""]]
        for node in by_name(tracer, "note")
    ]
    assert [(graph.kind, call.name) for graph, call in above] == [("graph", "ask_inner")] * 2
    assert {call.tool_call_id for _, call in above} == {"c-0", "c-1"}
    assert len({span.trace_id for span in spans.values()}) == 1
