"""An application that forbids slow calls in its event loop, as LangGraph's development server does."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from flightlog import JsonlTracer, read_open_spans, read_spans

WRAPPED = ("rename", "unlink", "mkdir", "stat", "listdir", "getcwd", "replace", "remove", "readlink", "access")
WRAPPED_PATHS = ("abspath", "islink")


class BlockingCallError(Exception):
    """What the wrappers raise in a coroutine."""


def forbidden(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call for threads without an event loop only."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return call(*arguments, **named)
        raise BlockingCallError(call.__name__)

    return wrapped


@pytest.mark.parametrize("path", ["trace.jsonl", "logs/today/trace.jsonl"])
async def test_every_span_and_every_start_is_there(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, written, rotated, bounded and closed in the event loop, the file has what it has elsewhere."""
    monkeypatch.chdir(tmp_path)
    seen: list[list[str]] = []

    def look(given: int) -> int:
        seen.append([one.span.name for one in read_open_spans(tmp_path / path)])
        return given

    async def record(path: str) -> JsonlTracer:
        with JsonlTracer(path, max_bytes=2000, max_total_bytes=100_000) as tracer:
            for number in range(30):
                await RunnableLambda(look, name="look").ainvoke(number, {"callbacks": [tracer]})
        return tracer

    # Coverage looks up each file whose code runs for the first time, by calls that are forbidden below.
    await record("before/trace.jsonl")
    seen.clear()
    with monkeypatch.context() as patch:
        for name in WRAPPED:
            patch.setattr(os, name, forbidden(getattr(os, name)))
        for name in WRAPPED_PATHS:
            patch.setattr(os.path, name, forbidden(getattr(os.path, name)))
        tracer = await record(path)
    assert seen == [["look"]] * 30
    assert len(list(read_spans(tmp_path / path))) == 30
    assert tracer.stats()["rotations"] > 1
    assert all(name.suffix == ".jsonl" for name in (tmp_path / path).parent.iterdir() if name.is_file())


def test_what_the_application_put_there_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper that lets the call through, or fails as a system call does, has the word."""
    renamed: list[Any] = []
    rename = os.rename

    def noted(*names: Any) -> None:
        renamed.append(names)
        rename(*names)

    monkeypatch.setattr(os, "rename", noted)
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        RunnableLambda(lambda given: given).invoke(1, {"callbacks": [tracer]})
    assert len(renamed) == 1

    def full(*names: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        RunnableLambda(lambda given: given).invoke(1, {"callbacks": [tracer]})
        assert tracer.stats()["in_flight_lost"] == 1
