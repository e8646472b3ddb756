"""Scenarios of what a state may hold: schemas, channels of every kind, and values of every type."""

import operator
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.channels import DeltaChannel, EphemeralValue, LastValue, Topic, UntrackedValue
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.managed import RemainingSteps
from langgraph.prebuilt import ToolNode
from langgraph.pregel import NodeBuilder, Pregel
from langgraph.types import CachePolicy, Command, Overwrite, interrupt
from pydantic import BaseModel, SecretStr

from tests.conformance.replay.flow import graph, node
from tests.conformance.replay.scenario import Run, scenario


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


@scenario
async def a_chat(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(Chat)
    builder.add_node("answer", lambda state: {"messages": [AIMessage(f"answer {len(state['messages'])}")]})
    builder.add_edge(START, "answer")
    run.compile(builder)
    for turn in range(3):
        await run.invoke({"messages": [HumanMessage(f"question {turn}")]})


@scenario
async def messages_of_every_kind(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(Chat)
    call = {"name": "search", "args": {"q": "x", "n": [1, 2]}, "id": "c1", "type": "tool_call"}
    builder.add_node("call", lambda state: {"messages": [AIMessage("", tool_calls=[call], id="a1")]})
    builder.add_node(
        "tool", lambda state: {"messages": [ToolMessage("found", tool_call_id="c1", artifact={"k": b"v"})]}
    )
    builder.add_node("clean", lambda state: {"messages": [RemoveMessage(id="s1"), HumanMessage("edited", id="h1")]})
    builder.add_edge(START, "call").add_edge("call", "tool").add_edge("tool", "clean")
    run.compile(builder)
    content: Any = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    await run.invoke({"messages": [SystemMessage("s", id="s1"), HumanMessage(content, id="h1")]})


@tool
def multiply(left: int, right: int) -> int:
    """Multiply."""
    return left * right


@scenario
async def an_agent_with_tools(run: Run) -> None:
    calls = [
        {"name": "multiply", "args": {"left": 2, "right": 3}, "id": "1", "type": "tool_call"},
        {"name": "multiply", "args": {"left": 4, "right": 5}, "id": "2", "type": "tool_call"},
    ]
    model = GenericFakeChatModel(messages=iter([AIMessage("", tool_calls=calls), AIMessage("done")]))
    builder: StateGraph[Any] = StateGraph(Chat)
    builder.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_node("tools", ToolNode([multiply]))
    builder.add_conditional_edges(
        "model", lambda state: "tools" if state["messages"][-1].tool_calls else "__end__", ["tools", "__end__"]
    )
    builder.add_edge(START, "model").add_edge("tools", "model")
    run.compile(builder)
    await run.invoke({"messages": [HumanMessage("2*3, 4*5?")]})


class Person(BaseModel):
    name: str
    born: date | None = None
    friends: list["Person"] = []


class Form(BaseModel):
    person: Person
    tags: set[str] = set()
    count: int = 0


@scenario
async def a_pydantic_state(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(Form)
    builder.add_node("a", lambda state: {"count": state.count + 1})
    builder.add_node("b", lambda state: {"person": Person(name="B", born=date(2000, 2, 3), friends=[state.person])})
    builder.add_edge(START, "a").add_edge("a", "b")
    run.compile(builder)
    await run.invoke(Form(person=Person(name="A"), tags={"x"}))


@dataclass
class Point:
    x: float
    y: float = 0.5


@dataclass
class Track:
    points: Annotated[list[Point], operator.add] = field(default_factory=list)
    title: str = ""


@scenario
async def a_dataclass_state(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(Track)
    builder.add_node("a", lambda state: {"points": [Point(1.0), Point(2.0, -1.0)]})
    builder.add_node("b", lambda state: {"title": f"{len(state.points)} points"})
    builder.add_edge(START, "a").add_edge("a", "b")
    run.compile(builder)
    await run.invoke(Track())


@scenario
async def a_state_that_is_one_value(run: Run) -> None:
    schema: Any = Annotated[list[str], operator.add]
    builder: Any = StateGraph(schema)
    builder.add_node("a", lambda state: ["a"]).add_node("b", lambda state: ["b"])
    builder.add_edge(START, "a").add_edge("a", "b")
    run.compile(builder)
    await run.invoke(["in"])


class Public(TypedDict):
    question: str


class Whole(Public):
    answer: str


class Private(TypedDict):
    draft: str


@scenario
async def private_channels(run: Run) -> None:
    builder: Any = StateGraph(Whole, input_schema=Public)

    def write(state: Public) -> Private:
        return {"draft": state["question"] * 2}

    def finish(state: Private) -> Whole:
        return {"question": "q", "answer": state["draft"]}

    builder.add_node("write", write).add_node("finish", finish)
    builder.add_edge(START, "write").add_edge("write", "finish")
    run.compile(builder)
    await run.invoke({"question": "x"})


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    left: int
    right: Any


class Anything(TypedDict, total=False):
    value: Any
    seen: Annotated[list[Any], operator.add]


VALUES: list[Any] = [
    None, True, 0, -1, 2**63 - 1, 1.5, [float("inf"), float("nan")],
    "", "text \u202e \x1b[31m", b"\x00\xff", bytearray(b"x"),
    [1, [2, [3]]], (1, "two"), {"a": {"b": None}}, {1: "int key", 2.5: "float key"}, {"x", "y"}, frozenset({1}),
    deque([1, 2]), UUID(int=7), Decimal("1.10"), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), date(2026, 1, 2),
    time(1, 2, 3), timedelta(days=1, seconds=2), ZoneInfo("Europe/Paris"), UTC, Colour.RED, Level.HIGH, Pair(1, [2]),
    Point(1.0), Person(name="P", friends=[Person(name="Q")]), Path("/a/b.txt"), Path("c"), ip_address("127.0.0.1"),
    ip_network("10.0.0.0/8"), ip_address("::1"), np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.ones((2, 2))), Document("page", metadata={"n": 1}), SecretStr("hidden"),
    {"nested": [Point(2.0), {"deep": (UUID(int=1), HumanMessage("m", id="m"))}]},
]  # fmt: skip


@scenario
async def values_of_every_type(run: Run) -> None:
    builder: StateGraph[Any] = StateGraph(Anything)
    for index, value in enumerate(VALUES):
        builder.add_node(f"n{index}", lambda state, value=value: {"value": value, "seen": [value]})
        builder.add_edge(START if index == 0 else f"n{index - 1}", f"n{index}")
    run.compile(builder)
    await run.invoke({"value": "start"}, {**run.config(), "recursion_limit": 100})


def gather(state: list[Any], writes: Any) -> list[Any]:
    return [*state, *(item for write in writes for item in write)]


class Delta(TypedDict, total=False):
    long: Annotated[list[Any], DeltaChannel(gather, list, snapshot_frequency=3)]
    count: int


@scenario
async def a_delta_channel(run: Run) -> None:
    builder: Any = StateGraph(Delta)
    for name in ("a", "b", "c", "d", "e"):
        builder.add_node(name, lambda state, name=name: {"long": [name], "count": len(name)})
    for source, target in zip([START, "a", "b", "c", "d"], "abcde", strict=True):
        builder.add_edge(source, target)
    run.compile(builder)
    await run.invoke({"count": 0})
    await run.invoke({"count": 0})


class Channels(TypedDict, total=False):
    kept: int
    once: Annotated[str, EphemeralValue(str)]
    hidden: Annotated[str, UntrackedValue(str)]
    left: RemainingSteps


@scenario
async def channels_that_forget(run: Run) -> None:
    builder: Any = StateGraph(Channels)
    builder.add_node("a", lambda state: {"once": "now", "hidden": "secret", "kept": state["left"]})
    builder.add_node("b", lambda state: {"kept": 2}).add_node("c", lambda state: {"kept": 3})
    builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c")
    run.compile(builder)
    await run.invoke({"kept": 1})


class Overwritten(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


@scenario
async def a_value_that_is_overwritten(run: Run) -> None:
    builder: Any = StateGraph(Overwritten)
    builder.add_node("a", lambda state: {"log": ["a", "b"]})
    builder.add_node("b", lambda state: {"log": Overwrite(["only"])})
    builder.add_edge(START, "a").add_edge("a", "b")
    run.compile(builder)
    await run.invoke({"log": ["in"]})


@scenario
async def a_cached_node(run: Run) -> None:
    from langgraph.cache.memory import InMemoryCache

    builder = graph("b", ("slow", "b"))
    builder.add_node("slow", node("slow"), cache_policy=CachePolicy(key_func=lambda state: "k"))
    builder.add_edge(START, "slow")
    run.compile(builder, cache=InMemoryCache())
    await run.invoke({"count": 1})
    await run.invoke({"count": 1}, run.config("second"))


@scenario
async def a_graph_made_by_hand(run: Run) -> None:
    double = NodeBuilder().subscribe_only("a").do(lambda value: value * 2).write_to("b")
    shout = NodeBuilder().subscribe_only("b").do(lambda value: f"{value}!").write_to("c", "out")
    run.graph = Pregel(
        nodes={"double": double, "shout": shout},
        channels={
            "a": EphemeralValue(int),
            "b": LastValue(int),
            "c": Topic(str, accumulate=True),
            "out": LastValue(str),
        },
        input_channels="a",
        output_channels=["b", "c", "out"],
        stream_channels=["b", "c", "out"],
        checkpointer=run.saver,
    )
    await run.invoke(3)
    await run.invoke(4)


@scenario
async def the_config_in_a_node(run: Run) -> None:
    def ask(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return {"log": [config["configurable"]["thread_id"], str(interrupt(Point(3.0)))]}

    builder = graph("after", (">", "ask"), ("ask", "after"))
    builder.add_node("ask", ask)
    run.compile(builder)
    await run.invoke({"count": 1})
    await run.invoke(Command(resume=Point(4.0)))
