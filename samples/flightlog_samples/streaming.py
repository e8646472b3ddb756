"""Progress as it happens: node updates, and every other stream mode, with or without persistence.

The usual loop over `stream_mode="updates"` is kept as `iter_updates`. Unpacking each chunk as one node's update, as
tutorials do, fails in three cases that real graphs have: nodes that ran in parallel share a chunk, a node that writes
nothing has None for an update, and a pause arrives as a chunk of its own named `__interrupt__`.
"""

import operator
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict, cast

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StreamMode

from flightlog_samples.recording import Recording, run
from flightlog_samples.scripted_model import Reply, chat_model, this_turn

MODES: Final[tuple[StreamMode, ...]] = (
    "values",
    "updates",
    "messages",
    "custom",
    "checkpoints",
    "tasks",
    "debug",
)


class Text(TypedDict, total=False):
    """A text on its way, and the nodes it went through."""

    text: str
    log: Annotated[list[str], operator.add]


Graph = CompiledStateGraph[Text, None, Text, Text]


def build_demo_pipeline(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Graph:
    """Two nodes and no model: `upper`, then `exclaim`."""
    graph = StateGraph(Text)
    graph.add_node("upper", upper)
    graph.add_node("exclaim", exclaim)
    graph.add_edge(START, "upper")
    graph.add_edge("upper", "exclaim")
    return graph.compile(checkpointer=checkpointer, name="pipeline")


def build_narrated_pipeline(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Graph:
    """The same with a third node that asks a model, whose tokens stream, and reports its progress in custom events."""
    model = chat_model(script)

    def narrate(state: Text) -> Text:
        report = get_stream_writer()
        report({"progress": 0.0, "doing": "asking the model"})
        answer = model.invoke([("user", f"Say something about {state['text']}")])
        report({"progress": 1.0, "doing": "done"})
        # What is reported goes to whoever reads the stream; an event goes to the callbacks, and so into the record.
        dispatch_custom_event("narrated", {"characters": len(answer.text)})
        return {"text": answer.text, "log": ["narrate"]}

    graph = StateGraph(Text)
    graph.add_node("upper", upper)
    graph.add_node("exclaim", exclaim)
    graph.add_node("narrate", narrate)
    graph.add_edge(START, "upper")
    graph.add_edge("upper", "exclaim")
    graph.add_edge("exclaim", "narrate")
    return graph.compile(checkpointer=checkpointer, name="narrated_pipeline")


def upper(state: Text) -> Text:
    """Shout."""
    return {"text": state["text"].upper(), "log": ["upper"]}


def exclaim(state: Text) -> Text:
    """Shout louder."""
    return {"text": state["text"] + "!", "log": ["exclaim"]}


def script(messages: Sequence[BaseMessage]) -> Reply:
    """A sentence about the text asked for."""
    question, _ = this_turn(messages)
    return Reply(f"{question.removeprefix('Say something about ')} That was a loud one, and it arrived in order.")


def iter_updates(
    graph: CompiledStateGraph[Any, Any, Any, Any], inputs: Any, config: RunnableConfig | None = None
) -> Iterator[tuple[str, Any]]:
    """Run the graph and yield (node, update) as each node finishes.

    A pause is yielded as ("__interrupt__", interrupts), the interrupts being a tuple, empty at a static breakpoint.
    """
    for chunk in graph.stream(inputs, config, stream_mode="updates"):
        yield from chunk.items()


def iter_modes(
    graph: CompiledStateGraph[Any, Any, Any, Any], inputs: Any, config: RunnableConfig | None = None
) -> Iterator[tuple[StreamMode, Any]]:
    """Run the graph once and yield (mode, chunk) of every stream mode, in the order they happen.

    `checkpoints` and `debug` show checkpoints only of a graph that has a checkpointer.
    """
    for chunk in graph.stream(inputs, config, stream_mode=list(MODES)):
        mode, payload = chunk
        yield cast(StreamMode, mode), payload


def story(out: Path) -> None:
    """One run by updates, then one in every mode; both leave their checkpoints behind as they stream."""
    with Recording(out) as recording:
        config = recording.config("streaming-updates")
        for node, update in iter_updates(build_demo_pipeline(recording.checkpointer), {"text": "hello"}, config):
            print(f"{node:<8} {update}")
        graph = build_narrated_pipeline(recording.checkpointer)
        seen = [mode for mode, _ in iter_modes(graph, {"text": "hello"}, recording.config("streaming-modes"))]
        print("chunks  ", ", ".join(f"{mode} {seen.count(mode)}" for mode in MODES))


if __name__ == "__main__":
    sys.exit(run("streaming", story))
