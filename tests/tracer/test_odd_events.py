"""Events that come in an order nobody promised."""

import enum
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, dispatch_custom_event
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda

from flightlog import JsonlTracer, Span
from tests.tracer.graphs import Log, by_name, graph_of, is_clean, statuses
from tests.tracer.models import USAGE, ScriptedModel

RESULT = LLMResult(generations=[[ChatGeneration(message=AIMessage("late", usage_metadata=USAGE))]])


def test_an_end_without_a_start_is_a_span_without_duration() -> None:
    """Another handler may keep a start from us: tokens and output are recorded all the same."""
    tracer = JsonlTracer()
    parent = uuid4()
    tracer.on_chain_start(None, {}, run_id=parent, name="root")
    tracer.on_llm_end(RESULT, run_id=uuid4(), parent_run_id=parent)
    tracer.on_chain_end({}, run_id=parent)
    llm, root = tracer.spans
    assert (llm.type, llm.status, llm.duration_ms, llm.token_usage) == ("llm", "ok", 0, USAGE)
    assert (llm.parent_run_id, llm.trace_id) == (root.run_id, root.run_id)
    assert llm.tags == ["flightlog:start_missing"]
    assert is_clean(tracer)


def test_the_answer_names_the_call_of_a_tool_when_the_start_did_not() -> None:
    """Older langchain-core says nothing at the start, and another handler may keep it from us."""
    tracer = JsonlTracer()
    run = uuid4()
    tracer.on_tool_start({"name": "add"}, "", run_id=run)
    tracer.on_tool_end(ToolMessage("3", tool_call_id="call-1"), run_id=run)
    tracer.on_tool_end(ToolMessage("4", tool_call_id="call-2"), run_id=uuid4())
    assert [span.tool_call_id for span in tracer.spans] == ["call-1", "call-2"]


class Textless:
    """An id of the application's own that cannot say what it is."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_thread_or_node_without_a_text_harms_nobody(error: type[BaseException]) -> None:
    """The run is recorded, with the name of the class for its thread or node."""
    tracer = JsonlTracer()
    run, odd = uuid4(), Textless(error)
    tracer.on_chain_start(None, {}, run_id=run, name="root", metadata={"thread_id": odd, "langgraph_node": odd})
    tracer.on_chain_end({}, run_id=run)
    assert [(span.thread_id, span.node) for span in tracer.spans] == [(f"{__name__}.Textless",) * 2]
    assert is_clean(tracer)


def test_an_error_without_a_start_is_recorded_too() -> None:
    """Even when it is the very first that is heard of a run."""
    tracer = JsonlTracer()
    tracer.on_tool_error(ValueError("x"), run_id=uuid4())
    assert [(span.type, span.status) for span in tracer.spans] == [("tool", "error")]


def test_the_second_end_of_a_run_is_passed_over() -> None:
    """A handler that raises makes LangChain report an end and then an error for one run."""

    class Raising(BaseCallbackHandler):
        raise_error = True

        def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
            raise RuntimeError("a handler's own")

    tracer = JsonlTracer()
    chain: Any = RunnableLambda(lambda n: n)
    with pytest.raises(RuntimeError, match="own"):
        chain.invoke(1, {"callbacks": [tracer, Raising()]})
    assert statuses(tracer) == [("RunnableLambda", "ok")]


def test_one_run_id_used_twice_is_two_spans() -> None:
    """Two invokes with the same run_id in their config are two records with the same id and different keys."""
    tracer = JsonlTracer()
    chain: Any = RunnableLambda(lambda n: n)
    fixed = uuid4()
    for number in (1, 2):
        chain.invoke(number, {"callbacks": [tracer], "run_id": fixed})
    first, second = tracer.spans
    assert first.run_id == second.run_id == str(fixed)
    assert (first.inputs, second.inputs) == (1, 2)
    assert (first.writer_id, first.seq) != (second.writer_id, second.seq)


def test_one_run_id_open_twice_ends_the_newer_first() -> None:
    """Nested runs of one id each get an end of their own."""
    tracer = JsonlTracer()
    fixed = uuid4()
    tracer.on_chain_start(None, "outer", run_id=fixed, name="outer")
    tracer.on_chain_start(None, "inner", run_id=fixed, parent_run_id=fixed, name="inner")
    tracer.on_chain_end("b", run_id=fixed)
    tracer.on_chain_end("a", run_id=fixed)
    assert [(span.name, span.output) for span in tracer.spans] == [("inner", "b"), ("outer", "a")]
    assert is_clean(tracer)


def test_one_run_id_open_twice_loses_the_older_with_its_parent() -> None:
    """The older run of an id is closed with the parent that was cancelled; the newer one stays open for its own end."""
    tracer = JsonlTracer()
    parent, fixed = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=parent, name="parent")
    for name, above in (("older", parent), ("newer", None), ("newest", None)):
        tracer.on_chain_start(None, name, run_id=fixed, parent_run_id=above, name=name)
    tracer.on_chain_error(KeyboardInterrupt(), run_id=parent)
    for _ in range(3):
        tracer.on_chain_end({}, run_id=fixed)
    closed = [("older", "cancelled"), ("parent", "cancelled")]
    assert statuses(tracer) == [*closed, ("newest", "ok"), ("newer", "ok")]
    assert is_clean(tracer)


def test_a_child_that_ends_after_its_parent_keeps_its_end() -> None:
    """Work that goes on in a thread is recorded with its own result, under its parent."""
    tracer = JsonlTracer()
    parent, child = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=parent, name="root")
    tracer.on_chat_model_start({}, [[]], run_id=child, parent_run_id=parent, name="slow")
    tracer.on_chain_end({}, run_id=parent)
    tracer.on_llm_end(RESULT, run_id=child)
    assert statuses(tracer) == [("root", "ok"), ("slow", "ok")]
    assert tracer.spans[1].parent_run_id == str(parent)
    assert is_clean(tracer)


def test_a_child_that_starts_after_its_parent_has_ended_is_in_its_trace() -> None:
    """The trace of a run is remembered for a while after its end."""
    tracer = JsonlTracer()
    parent, child = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=parent, name="root")
    tracer.on_chain_end({}, run_id=parent)
    tracer.on_tool_start({"name": "late"}, "x", run_id=child, parent_run_id=parent)
    tracer.on_tool_end("y", run_id=child)
    assert tracer.spans[1].trace_id == str(parent)
    assert tracer.spans[1].parent_run_id == str(parent)


def test_children_are_closed_when_their_parent_ends_and_someone_looks() -> None:
    """A child without an end is abandoned at the parent's end, grandchildren first."""
    tracer = JsonlTracer()
    root, node, tool = uuid4(), uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="root")
    tracer.on_chain_start(None, {}, run_id=node, parent_run_id=root, name="node")
    tracer.on_tool_start({"name": "tool"}, "x", run_id=tool, parent_run_id=node)
    tracer.on_chain_end({}, run_id=root)
    assert statuses(tracer) == [("root", "ok"), ("tool", "abandoned"), ("node", "abandoned")]
    assert is_clean(tracer)


@pytest.mark.parametrize(
    ("serialized", "name"),
    [
        ({"name": "A", "id": ["a", "B"]}, "A"),
        ({"id": ["a", "B"]}, "B"),
        ({"name": "", "id": ["a", "B"]}, "B"),
        ({"name": 7, "id": ["a", "B"]}, "B"),
        (None, None), ({}, None), ({"name": None}, None), ({"id": []}, None), ([], None), ("text", None),
    ],
)  # fmt: skip
def test_whatever_is_said_to_be_serialized_gives_a_name(serialized: Any, name: str | None) -> None:
    """The name is the one told, else the class, else what the run is; LangChain passes None, and others anything."""
    tracer = JsonlTracer()
    pairs: Any = (
        (lambda run: tracer.on_chain_start(serialized, {}, run_id=run, name=""), tracer.on_chain_end),
        (lambda run: tracer.on_tool_start(serialized, "", run_id=run, name=7), tracer.on_tool_end),
        (lambda run: tracer.on_retriever_start(serialized, "", run_id=run), tracer.on_retriever_end),
    )
    for start, end in pairs:
        run = uuid4()
        start(run)
        end([], run_id=run)
    assert [span.name for span in tracer.spans] == [name or otherwise for otherwise in ("chain", "tool", "retriever")]
    assert is_clean(tracer)


@pytest.mark.parametrize("state", ["text", 7, None, ["a"], AIMessage("m")])
def test_a_state_need_not_be_a_dict(state: Any) -> None:
    """Inputs and outputs of any type are recorded."""
    tracer = JsonlTracer()
    chain: Any = RunnableLambda(lambda found: found)
    chain.invoke(state, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert span.inputs == span.output


def test_custom_events_are_spans_of_their_own() -> None:
    """An event dispatched in a node is an event span under that node, with its data."""

    def telling(state: Log) -> dict[str, Any]:
        dispatch_custom_event("progress", {"done": 3})
        return {"log": []}

    tracer = JsonlTracer()
    graph_of(Log, telling).invoke({"log": []}, {"callbacks": [tracer]})
    event, node, _ = tracer.spans
    assert (event.type, event.name, event.inputs, event.status) == ("event", "progress", {"done": 3}, "ok")
    assert event.parent_run_id == node.run_id
    assert event.run_id != node.run_id


class Seen(BaseCallbackHandler):
    """Counts what reaches it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        self.events.append("start")

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.events.append("end")


class SeenInline(Seen):
    run_inline = True


class Tier(enum.Enum):
    GOLD = "gold"


@pytest.mark.parametrize("tag", [7, None, Tier.GOLD, ("a",)], ids=str)
def test_a_tag_that_is_no_text_costs_no_span(tag: Any) -> None:
    """LangChain passes on whatever stands among the tags, and so does the tracer, with all else that it knows."""
    tracer = JsonlTracer()
    inner: Any = RunnableLambda(lambda number: number + 1, name="inner")
    outer: Any = RunnableLambda(lambda number: inner.invoke(number), name="outer")
    assert outer.invoke(1, {"callbacks": [tracer], "tags": [tag, "mine", tag]}) == 2
    assert [(span.name, span.inputs, span.output) for span in tracer.spans] == [("inner", 1, 2), ("outer", 1, 2)]
    assert tracer.stats()["faults"] == 0
    written = tag.value if isinstance(tag, Tier) else list(tag) if isinstance(tag, tuple) else tag
    assert all(span.tags and span.tags.count("mine") == 1 and written in span.tags for span in tracer.spans)


def test_a_name_that_looks_like_binary_data_stays_a_name() -> None:
    """Whatever else the record holds, its name is a text, so that its line is a span."""
    tracer = JsonlTracer()
    name = "data:image/png;base64," + "A" * 2000
    odd: Any = RunnableLambda(lambda number: number, name=name)
    odd.invoke(1, {"callbacks": [tracer], "tags": [object()]})
    (span,) = tracer.spans
    assert span.name == name


class SeenAsync(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.events: list[str] = []

    async def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        self.events.append("start")

    async def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.events.append("end")


@pytest.mark.parametrize(
    "kinds", [(Seen,), (SeenAsync,), (Seen, SeenAsync), (SeenInline,), (SeenInline, Seen)], ids=str
)
async def test_attaching_the_tracer_changes_nothing_for_other_handlers(kinds: tuple[type[Any], ...]) -> None:
    """With and without the tracer every other handler receives the same events, and the tracer its own."""

    async def events(*extra: Any) -> list[list[str]]:
        others = [kind() for kind in kinds]
        await FakeListLLM(responses=["x"]).ainvoke("q", {"callbacks": [*others, *extra]})
        return [other.events for other in others]

    tracer = JsonlTracer()
    assert await events(tracer) == await events()
    (span,) = tracer.spans
    assert (span.status, span.inputs, span.tags) == ("ok", {"prompts": ["q"]}, None)


async def test_two_tracers_both_record_a_completion_model() -> None:
    """Tracers do not silence one another."""
    tracers = [JsonlTracer(), JsonlTracer()]
    await FakeListLLM(responses=["x"]).ainvoke("q", {"callbacks": list(tracers)})
    assert [len(tracer.spans) for tracer in tracers] == [1, 1]
    assert [tracer.spans[0].inputs for tracer in tracers] == [{"prompts": ["q"]}] * 2


class Sink:
    """Keeps what it sees; fails when told to."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.started: list[Span] = []
        self.ended: list[Span] = []
        self.closed = False

    def on_start(self, span: Span) -> dict[str, str] | None:
        self.started.append(span)
        if self.fails:
            raise RuntimeError("sink")
        return {"trace_id": "a" * 32, "span_id": "b" * 16}

    def on_end(self, span: Span) -> None:
        self.ended.append(span)
        if self.fails:
            raise RuntimeError("sink")

    def close(self) -> None:
        self.closed = True
        if self.fails:
            raise RuntimeError("sink")


def test_sinks_see_every_span_start_and_end() -> None:
    """A sink sees spans after redaction, gives ids that are recorded, and is closed with the tracer."""
    sink = Sink()
    with JsonlTracer(sinks=[sink]) as tracer:
        ScriptedModel(script=["x"]).invoke("q", {"callbacks": [tracer], "metadata": {"api_key": "k", "u": 1}})
    (span,) = tracer.spans
    assert (sink.started[0].status, sink.started[0].duration_ms) == (None, None)
    assert sink.started[0].inputs == span.inputs
    assert sink.ended == [span]
    assert span.otel == {"trace_id": "a" * 32, "span_id": "b" * 16}
    assert span.metadata == {"api_key": "[redacted]", "u": 1}
    assert sink.closed


def test_a_sink_that_raises_is_contained_and_counted() -> None:
    """The application and the other sinks go on."""
    bad, good = Sink(fails=True), Sink()
    tracer = JsonlTracer(sinks=[bad, good])
    ScriptedModel(script=["x"]).invoke("q", {"callbacks": [tracer]})
    tracer.close()
    assert len(good.ended) == 1
    assert tracer.stats()["sink_failures"] >= 2
    assert by_name(tracer, "scripted-1")[0].status == "ok"


class Talkative:
    """An object whose repr runs something traced, with itself as the input."""

    def __init__(self, tracer: JsonlTracer) -> None:
        self.tracer = tracer

    def __repr__(self) -> str:
        identity: Any = RunnableLambda(lambda found: found)
        identity.invoke(self, {"callbacks": [self.tracer]})
        return "talkative"


def test_code_of_the_application_that_is_itself_traced_cannot_run_away() -> None:
    """Redaction rules, reprs, exceptions and sinks that call traced runs are recorded one level deep, and end."""
    identity: Any = RunnableLambda(lambda found: found)

    def rule(field: str, value: Any) -> Any:
        identity.invoke("in the rule", {"callbacks": [tracer]})
        return value

    class Chatty(Exception):
        def __str__(self) -> str:
            with pytest.raises(Chatty):
                broken.invoke(self, {"callbacks": [tracer]})
            return "chatty"

    def fail(error: Any) -> None:
        raise error

    broken: Any = RunnableLambda(fail)

    class Echo(Sink):
        def on_end(self, span: Span) -> None:
            identity.invoke("in the sink", {"callbacks": [tracer]})

    tracer = JsonlTracer(redact=rule)
    assert identity.invoke(1, {"callbacks": [tracer]}) == 1
    assert len(tracer.spans) == 3
    tracer = JsonlTracer(sinks=[Echo()])
    assert identity.invoke(1, {"callbacks": [tracer]}) == 1
    assert len(tracer.spans) == 2
    tracer = JsonlTracer()
    identity.invoke(Talkative(tracer), {"callbacks": [tracer]})
    with pytest.raises(Chatty):
        broken.invoke(Chatty(), {"callbacks": [tracer]})
    assert is_clean(tracer)
