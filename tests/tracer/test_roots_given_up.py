"""Models, tools and retrievers that are called by themselves and given up: LangChain tells of no end."""

import asyncio
import contextlib
import gc
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

from flightlog import JsonlTracer
from flightlog.clock import Clock
from flightlog.testing import MemorySink

_answers = asyncio.Event()


class SlowChat(BaseChatModel):
    """Answers when it may."""

    _llm_type = "slow"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("at last"))])

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        await _answers.wait()
        return self._generate()


class SlowCompletion(BaseLLM):
    """Answers when it may."""

    _llm_type = "slow"

    def _generate(self, *_: Any, **__: Any) -> LLMResult:
        return LLMResult(generations=[[Generation(text="at last")]])

    async def _agenerate(self, *_: Any, **__: Any) -> LLMResult:
        await _answers.wait()
        return self._generate()


class SlowRetriever(BaseRetriever):
    """Finds when it may."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return []

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        await _answers.wait()
        return []


@tool
async def slow(x: str) -> str:
    """Answer when it may."""
    await _answers.wait()
    return x


GIVEN_UP = {"abandoned", "cancelled"}
"""Completion models tell that they were cancelled, in later versions of LangChain chat models and tools too."""
CALLED: list[Any] = [SlowChat(), SlowCompletion(), SlowRetriever(), slow]


@pytest.fixture(autouse=True)
def nothing_answers() -> None:
    """Nothing answers yet, in an event loop of the test's own."""
    global _answers
    _answers = asyncio.Event()


@pytest.mark.parametrize("called", CALLED, ids=lambda one: type(one).__name__)
def test_a_call_given_up_ends(called: Any) -> None:
    """Nothing stays open of calls that nobody waited for; what is still awaited does, and ends well."""
    tracer = JsonlTracer()

    async def serve() -> None:
        awaited = asyncio.create_task(called.ainvoke("q", {"callbacks": [tracer]}))
        for _ in range(5):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(called.ainvoke("q", {"callbacks": [tracer]}), 0.01)
        await asyncio.sleep(0)  # from Python 3.12 on, the loop holds the exception that ended the newest until it turns
        gc.collect()
        assert len(tracer.spans) == 5
        assert {span.status for span in tracer.spans} <= GIVEN_UP
        assert tracer.stats()["open"] == 1
        _answers.set()
        await awaited

    asyncio.run(serve())
    assert [span.status for span in tracer.spans][5:] == ["ok"]
    assert tracer.stats()["open"] == 0


def test_they_end_in_a_worker_that_lives_on() -> None:
    """Calls that a living task gave up are written a minute later, without being asked for."""
    now = 0
    sink = MemorySink()
    tracer = JsonlTracer(clock=Clock(time.time_ns, lambda: now), sinks=[sink])
    finder = SlowRetriever()

    async def worker() -> None:
        nonlocal now
        for _ in range(3):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await finder.ainvoke("q", {"callbacks": [tracer]})
            gc.collect()
        assert sink.ended == []
        now = 61_000_000_000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await finder.ainvoke("q", {"callbacks": [tracer]})

    asyncio.run(worker())
    # The exception that ended the newest may still hold it.
    assert [span.status for span in sink.ended][:2] == ["abandoned"] * 2


def test_an_end_told_with_another_object_of_the_same_id_counts() -> None:
    """Whoever calls the tracer by hand may write the id anew; within a minute that is the run's end."""
    tracer = JsonlTracer()
    text = str(uuid4())
    tracer.on_tool_start({"name": "t"}, "x", run_id=UUID(text))
    tracer.on_tool_end("y", run_id=UUID(text))
    assert [span.status for span in tracer.spans] == ["ok"]
