"""Any callbacks in any order, from any number of threads, with values that refuse everything."""

import asyncio
import random
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from flightlog import JsonlTracer
from flightlog.span import Span
from tests.tracer.models import USAGE

SEEDS = [seed if seed < 40 else pytest.param(seed, marks=pytest.mark.soak) for seed in range(1_000)]


class Refusing:
    """An object that cannot be asked anything."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        return 1

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_tool_whose_answer_cannot_be_asked_has_ended() -> None:
    """It is ok and has its time; it is not taken for abandoned."""
    tracer = JsonlTracer()
    run = uuid4()
    tracer.on_tool_start({"name": "look"}, "", run_id=run)
    tracer.on_tool_end(Refusing(), run_id=run)
    assert [(span.name, span.status) for span in tracer.spans] == [("look", "ok")]


def test_a_model_whose_parameters_and_answer_cannot_be_asked_is_recorded() -> None:
    """Model and usage are unknown then, and nothing else."""
    tracer = JsonlTracer()
    run = uuid4()
    params = {"model": Refusing(), "tools": Refusing()}
    tracer.on_chat_model_start(None, [[HumanMessage("hi")]], run_id=run, invocation_params=params)
    tracer.on_llm_end(Refusing(), run_id=run)
    (span,) = tracer.spans
    assert (span.type, span.status, span.request_model, span.token_usage) == ("llm", "ok", None, None)


def test_metadata_that_cannot_be_compared_costs_no_run() -> None:
    """An array has no answer to whether it equals the number that the run above had."""
    tracer = JsonlTracer()
    root, child = uuid4(), uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="root", metadata={"size": 1})
    tracer.on_chain_start(None, {}, run_id=child, parent_run_id=root, name="child", metadata={"size": np.array([1, 2])})
    tracer.on_chain_end({}, run_id=child)
    tracer.on_chain_end({}, run_id=root)
    assert [(span.name, span.metadata) for span in tracer.spans] == [("child", {"size": [1, 2]}), ("root", {"size": 1})]


def test_a_custom_event_is_named_by_any_value(tmp_path: Path) -> None:
    """A number is no name of a span; its text is."""
    path = tmp_path / "s.jsonl"
    with JsonlTracer(path) as tracer:
        for name in (7, Refusing(), "progress"):
            tracer.on_custom_event(name, {}, run_id=uuid4())  # type: ignore[arg-type]
    names = [Span.from_json(line).name for line in path.read_bytes().splitlines()]
    assert names == ["7", f"{__name__}.Refusing", "progress"]


def test_a_run_that_is_above_itself_is_closed() -> None:
    """Ids that are used again while they are open can make a ring; closing the tracer closes all of it."""
    tracer = JsonlTracer()
    one, two = uuid4(), uuid4()
    for run, parent in ((two, two), (one, two), (two, one), (one, one)):
        tracer.on_chain_start(None, {}, run_id=run, parent_run_id=parent)
    tracer.close()
    assert tracer.stats()["open"] == 0
    assert [span.status for span in tracer.spans] == ["abandoned"] * 4


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_every_line_is_a_span(seed: int, tmp_path: Path) -> None:
    """Nothing is raised, nothing stays open, nothing is lost, and no file is left beside the recording."""
    chance = random.Random(seed)
    options: dict[str, Any] = {
        "redact": chance.choice([(), None, "text"]),
        "capture": chance.choice([None, "metadata", "none", {"inputs": "none"}]),
        "max_field_bytes": chance.choice([64, 1_000, 262_144]),
        "max_bytes": chance.choice([None, None, 5_000]),
        "sample": chance.choice([1.0, 1.0, 0.5]),
        "always_keep": "error",
    }
    tracer = JsonlTracer(tmp_path / "s.jsonl", **options)
    ids = [uuid4() for _ in range(8)]
    raised: list[BaseException] = []

    def play(seed: int) -> None:
        events = Events(tracer, ids, random.Random(seed))
        try:
            for _ in range(60):
                events.one()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=play, args=(1_000 * seed + n,)) for n in range(chance.choice([1, 1, 3]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracer.close()
    assert raised == []
    files = list(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    assert all(file.suffix == ".jsonl" for file in files)
    assert all(Span.from_json(line).status is not None for line in lines)
    stats = tracer.stats()
    assert (stats["open"], stats["in_flight"], stats["lost"], stats["written"]) == (0, 0, 0, len(lines))


class Events:
    """Makes callbacks up."""

    def __init__(self, tracer: JsonlTracer, ids: list[UUID], chance: random.Random) -> None:
        self.tracer = tracer
        self.ids = ids
        self.chance = chance
        self.messages: list[BaseMessage] = [self.message() for _ in range(6)]

    def one(self) -> None:
        """One callback."""
        tracer, pick = self.tracer, self.chance.choice
        run = pick(self.ids)
        start: dict[str, Any] = {
            "run_id": run,
            "parent_run_id": pick([None, *self.ids]),
            "tags": pick([None, [], ["graph:step:1"], ["seq:step:2"], [1]]),
            "metadata": pick([None, {}, {"thread_id": Refusing()}, {"a": self.value()}, NODE]),
        }
        serialized: dict[str, Any] | None = pick([None, {}, {"name": "n"}, {"id": ["a", "b"]}, {"id": []}])
        errors = (ValueError("x"), KeyboardInterrupt(), asyncio.CancelledError())
        match self.chance.randrange(12):
            case 0 | 1 | 2:
                tracer.on_chain_start(serialized, self.value(), **start)
            case 3 | 4:
                tracer.on_chain_end(self.value(), run_id=run)
            case 5:
                tracer.on_chain_error(pick(errors), run_id=run)
            case 6:
                batches: list[list[Any]] = pick([[self.messages], [[]], [], [self.messages[:2], self.messages[2:]]])
                params = pick([None, {"model": "m"}, {"model": Refusing()}])
                tracer.on_chat_model_start(serialized, batches, invocation_params=params, **start)
            case 7:
                answer = LLMResult(generations=[[ChatGeneration(message=AIMessage("yes", usage_metadata=USAGE))]])
                tracer.on_llm_end(pick([answer, answer, self.value()]), run_id=run)
            case 8:
                tracer.on_llm_new_token("x", chunk=self.value(), run_id=run)
            case 9:
                tracer.on_tool_start(serialized, "x", inputs=pick([None, self.value()]), tool_call_id="c", **start)
            case 10:
                tracer.on_tool_end(self.value(), run_id=run)
            case _:
                tracer.on_custom_event("progress", self.value(), run_id=run)
                pick(self.messages).content = "changed in place"

    def value(self, depth: int = 0) -> Any:
        """Anything."""
        kind = self.chance.randrange(6)
        if kind == 0 and depth < 3:
            keys = ["a", "api_key", "messages", 1, None, b"k", (1, 2), "\ud800"]
            return {self.chance.choice(keys): self.value(depth + 1) for _ in range(self.chance.randrange(4))}
        if kind == 1 and depth < 3:
            return [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
        if kind == 2:
            return self.message()
        if kind == 3:
            return self.chance.choice([0, 2**70, float("nan"), float("inf"), True, None, b"\xff", np.array([1.5])])
        if kind == 4:
            return self.chance.choice(
                ["", "é", "\ud800", "\0\x1b[31m", "a" * 5_000, "data:image/png;base64," + "A" * 200]
            )
        return self.chance.choice([Refusing(), Refusing, RING, object(), {1, 2}, uuid4(), ValueError("x"), len])

    def message(self) -> BaseMessage:
        """One of LangChain's own."""
        content: Any = self.chance.choice(["hi", "", [{"type": "text", "text": "x"}], ["a", "b"]])
        kinds: list[type[BaseMessage]] = [HumanMessage, AIMessage, SystemMessage, AIMessageChunk]
        call = {"name": "t", "args": {"api_key": "s"}, "id": "c"}
        special = [AIMessage(content, tool_calls=[call]), ToolMessage(content, tool_call_id="c", status="error")]
        return self.chance.choice([*special, self.chance.choice(kinds)(content)])


NODE = {"langgraph_node": "n", "langgraph_step": 1, "langgraph_checkpoint_ns": "n:abc", "thread_id": "t"}
RING: list[Any] = []
RING.append(RING)
