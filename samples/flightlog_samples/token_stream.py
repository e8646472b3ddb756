"""Tokens the moment the model makes them.

The usual first try reads the model's stream to its end inside the node and streams the graph by node, so that its
reader sees nothing until everything is there; it also changes the state it was given and returns all of it. Here the
node simply invokes the model and returns its own update: LangGraph's `messages` mode carries each token out of the
node, whichever way the model is called inside.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from flightlog_samples.recording import Recording, run
from flightlog_samples.scripted_model import Reply, chat_model

THREAD = "token-stream"


class Poem(TypedDict, total=False):
    """The request and, once it is whole, the answer."""

    prompt: str
    full_response: str


Graph = CompiledStateGraph[Poem, None, Poem, Poem]


@dataclass(frozen=True)
class Token:
    """One piece of the answer as it arrives."""

    text: str
    node: str
    output_tokens: int | None = None
    """What the whole answer cost; only the last piece knows."""


def build(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Graph:
    """One node, `write`."""
    model = chat_model(script)

    def write(state: Poem) -> Poem:
        return {"full_response": model.invoke([("user", state["prompt"])]).text}

    graph = StateGraph(Poem)
    graph.add_node("write", write)
    graph.add_edge(START, "write")
    return graph.compile(checkpointer=checkpointer, name="token_stream")


def script(messages: Sequence[BaseMessage]) -> Reply:
    """Four lines of verse, whatever the request."""
    return Reply(
        "The needle moved, the paper drew,\n"
        "a line for every thing it knew;\n"
        "and when the engine lost its song,\n"
        "the line still told us what went wrong."
    )


def stream_tokens(graph: Graph, prompt: str, config: RunnableConfig | None = None) -> Iterator[Token]:
    """Run the graph and yield the answer's tokens while the model makes them."""
    for chunk in graph.stream({"prompt": prompt}, config, stream_mode="messages"):
        yield from _tokens(chunk)


async def astream_tokens(graph: Graph, prompt: str, config: RunnableConfig | None = None) -> AsyncIterator[Token]:
    """The same for an asynchronous caller, such as a server that pushes events."""
    async for chunk in graph.astream({"prompt": prompt}, config, stream_mode="messages"):
        for token in _tokens(chunk):
            yield token


def _tokens(chunk: Any) -> Iterator[Token]:
    message, metadata = chunk
    if isinstance(message, AIMessageChunk):
        usage = message.usage_metadata
        yield Token(message.text, metadata["langgraph_node"], usage["output_tokens"] if usage else None)


def story(out: Path) -> None:
    """A poem printed as it is made, once synchronously on a thread and once asynchronously without one."""
    with Recording(out) as recording:
        for token in stream_tokens(build(recording.checkpointer), "A poem about recorders", recording.config(THREAD)):
            print(token.text, end="", flush=True)
        print()

        async def collect() -> int:
            config: RunnableConfig = {"callbacks": [recording.tracer]}
            return len([token async for token in astream_tokens(build(), "The same again", config)])

        print(asyncio.run(collect()), "pieces, asynchronously")


if __name__ == "__main__":
    sys.exit(run("token_stream", story))
