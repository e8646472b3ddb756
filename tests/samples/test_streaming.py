"""Updates, stream modes and tokens."""

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from flightlog import JsonlTracer
from flightlog_samples import breakpoints, token_stream
from flightlog_samples.streaming import (
    MODES,
    build_demo_pipeline,
    build_narrated_pipeline,
    iter_modes,
    iter_updates,
)
from flightlog_samples.token_stream import astream_tokens, stream_tokens
from flightlog_samples.tracing import traced_in_memory


def test_updates_come_node_by_node() -> None:
    """Each node's own update, in order."""
    assert list(iter_updates(build_demo_pipeline(), {"text": "hello"})) == [
        ("upper", {"text": "HELLO", "log": ["upper"]}),
        ("exclaim", {"text": "HELLO!", "log": ["exclaim"]}),
    ]


def test_streaming_composes_with_persistence() -> None:
    """With a thread in the config the streamed run is saved as it goes."""
    graph = build_demo_pipeline(InMemorySaver())
    stream = iter_updates(graph, {"text": "hello"}, {"configurable": {"thread_id": "t"}})
    assert next(stream)[0] == "upper"
    assert list(stream)
    assert graph.get_state({"configurable": {"thread_id": "t"}}).values["log"] == ["upper", "exclaim"]


def test_a_pause_is_streamed_as_such() -> None:
    """A breakpoint ends the updates with `__interrupt__`."""
    graph = breakpoints.build(InMemorySaver(), "before")
    nodes = [node for node, _ in iter_updates(graph, {"request": "x"}, {"configurable": {"thread_id": "t"}})]
    assert nodes == ["prepare", "__interrupt__"]


def test_every_mode_streams_from_one_run() -> None:
    """Values, updates, tokens, custom events, checkpoints, tasks and debug all come, and the tokens add up."""
    graph = build_narrated_pipeline(InMemorySaver())
    chunks = list(iter_modes(graph, {"text": "hello"}, {"configurable": {"thread_id": "t"}}))
    by_mode = {mode: [chunk for m, chunk in chunks if m == mode] for mode in MODES}
    assert all(by_mode.values())
    assert [event["progress"] for event in by_mode["custom"]] == [0.0, 1.0]
    assert "".join(message.text for message, _ in by_mode["messages"]) == by_mode["values"][-1]["text"]
    assert [chunk["metadata"]["step"] for chunk in by_mode["checkpoints"]] == [-1, 0, 1, 2, 3]


def test_tokens_arrive_before_the_answer_is_whole() -> None:
    """The first token is out while the graph's state has no answer yet; the last one knows the cost."""
    graph = token_stream.build(InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    stream = stream_tokens(graph, "a poem", config)
    first = next(stream)
    assert "full_response" not in graph.get_state(config).values
    rest = list(stream)
    assert first.text + "".join(token.text for token in rest) == graph.get_state(config).values["full_response"]
    assert rest[-1].output_tokens == len(rest)
    assert {token.node for token in rest} == {"write"}


async def test_tokens_arrive_asynchronously() -> None:
    """The asynchronous stream gives the same tokens."""
    expected = [token.text for token in stream_tokens(token_stream.build(), "a poem")]
    assert [token.text async for token in astream_tokens(token_stream.build(), "a poem")] == expected


def test_a_tracer_without_a_path_keeps_the_spans() -> None:
    """The spans of a run are in memory, the summary counts them."""
    tracer = traced_in_memory("hello")
    assert isinstance(tracer, JsonlTracer)
    assert [span.name for span in tracer.spans if span.kind == "node"] == ["upper", "exclaim"]
    assert tracer.summary()["chain"]["count"] == len(tracer.spans)
