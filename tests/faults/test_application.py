"""Whatever happens to the tracer, the application's answer is the one it gives without it."""

import asyncio
import errno
import itertools
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import Runnable, RunnableLambda

from flightlog import JsonlTracer, read_spans
from flightlog.clock import Clock
from tests.faults.agents import SPANS, converse
from tests.faults.breaker import Breaker, failing
from tests.faults.children import run
from tests.faults.lines import broken, losses

ANSWER = converse()


def answer_of(tracer: JsonlTracer, **arguments: Any) -> list[Any]:
    return converse({"callbacks": [tracer]}, **arguments)


def recorded(path: Path) -> int:
    return sum(span.name != "flightlog.loss" for span in read_spans(path))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Faults that we contain are logged; they are expected here."""
    logging.getLogger("flightlog").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("flightlog").setLevel(logging.NOTSET)


def test_nothing_happens(tmp_path: Path) -> None:
    """Without a fault everything is recorded."""
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        assert answer_of(tracer) == ANSWER
        assert tracer.stats()["written"] == SPANS


@pytest.mark.parametrize(
    "what", ["folder", "symlink", "pipe", "proc", "file as folder", "too long", "nul", "surrogate"]
)
def test_path_that_cannot_be_written(tmp_path: Path, what: str) -> None:
    """Every span that the path refuses is counted, and nothing else happens."""
    path = tmp_path / "trace.jsonl"
    if what == "folder":
        path.mkdir()
    elif what == "symlink":
        path.symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "file as folder":
        path.touch()
        path = path / "trace.jsonl"
    else:
        path = Path("/proc/flightlog/trace.jsonl" if what == "proc" else "x" * 5000)
    with JsonlTracer(path) as tracer:
        assert answer_of(tracer) == ANSWER
        assert tracer.stats()["lost"] == SPANS
        assert tracer.summary()["llm"]["count"] == 4


def test_full_disk(small_disk: Path) -> None:
    """On a full disk spans are lost and counted; with room again the count is in the file."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 250_000)
    with JsonlTracer(small_disk / "trace.jsonl") as tracer:
        assert answer_of(tracer) == ANSWER
        assert tracer.stats()["lost"] > 0
        ballast.unlink()
        assert answer_of(tracer, thread="2") == ANSWER
        lost = tracer.stats()["lost"]
    assert recorded(small_disk / "trace.jsonl") == 2 * SPANS - lost
    assert losses(small_disk / "trace.jsonl") == lost


def sweep(folder: Path, code: int, *, length: int, step: int) -> int:
    """Let calls fail from the n-th on, for n = 1 until a conversation is clean; how many runs that took."""
    for n in itertools.count(1, step):
        breaker = Breaker(n, n + length - 1, code)
        path = folder / str(n) / "logs" / "trace.jsonl"
        path.parent.mkdir(parents=True)
        tracer = JsonlTracer(path, max_bytes=20_000)
        with failing(breaker):
            answer = answer_of(tracer)
        assert answer == ANSWER
        lost = tracer.stats()["lost"]
        tracer.close()
        # A line whose way into the file could not be verified counts as lost, though it may be there.
        assert SPANS - lost <= recorded(path) <= SPANS
        assert losses(path) == lost
        assert list(path.parent.glob("*.open")) == []
        if breaker.calls < n:
            return n // step
    raise AssertionError


def test_calls_that_fail(tmp_path: Path) -> None:
    """Stretches of failing calls at many places of a conversation."""
    assert sweep(tmp_path, errno.EIO, length=8, step=7) > 10


@pytest.mark.soak
@pytest.mark.parametrize("length", [1, 2, 50])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_every_call_that_fails(tmp_path: Path, code: int, length: int) -> None:
    """The n-th call of a conversation fails, for n = 1 until a run is clean."""
    # A span is four calls: its start, and a look, the line and another look at its end; files are opened besides.
    assert sweep(tmp_path, code, length=length, step=1) > 4 * SPANS


@pytest.mark.parametrize("what", ["rename", "delete", "folder"])
def test_file_taken_away_in_the_middle(tmp_path: Path, what: str) -> None:
    """The file is renamed or deleted, or its folder removed, while a tool runs."""
    path = tmp_path / "logs" / "trace.jsonl"

    def disturb() -> None:
        if what == "rename":
            path.rename(tmp_path / "moved.jsonl")
        elif what == "delete":
            path.unlink()
        else:
            shutil.rmtree(path.parent)

    with JsonlTracer(path) as tracer:
        assert answer_of(tracer, disturb=disturb) == ANSWER
        assert tracer.stats()["lost"] == 0
    before = 3
    if what == "rename":
        # The line that follows at once may still go to the renamed file.
        moved = recorded(tmp_path / "moved.jsonl")
        assert before <= moved <= before + 1
        before = moved
    assert recorded(path) == SPANS - before


def test_descriptors_closed_by_the_application(tmp_path: Path) -> None:
    """A program that closes every descriptor, as a daemon does, loses no span and gets none in its own files."""
    script = """
        import os, sys
        from flightlog import JsonlTracer
        from tests.faults.agents import converse
        mine = []
        def disturb():
            os.closerange(3, 100)
            mine.extend(os.open(f"{sys.argv[1]}.{n}", os.O_RDWR | os.O_CREAT) for n in range(20))
        tracer = JsonlTracer(sys.argv[1])
        answer = converse({"callbacks": [tracer]}, disturb=disturb)
        assert tracer.stats()["lost"] == 0
        tracer.close()
        assert [os.fstat(fd).st_size for fd in mine] == [0] * 20
        print(answer)
    """
    assert run(script, tmp_path / "trace.jsonl").strip() == str(ANSWER)
    assert recorded(tmp_path / "trace.jsonl") == SPANS


def test_no_descriptor_left(tmp_path: Path) -> None:
    """A program that has used up its descriptors gets its answer; the spans are counted as lost."""
    script = """
        import os, resource, sys
        from flightlog import JsonlTracer
        from tests.faults.agents import converse
        converse()
        tracer = JsonlTracer(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) - 1, 4096))
        answer = converse({"callbacks": [tracer]})
        stats = tracer.stats()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
        assert stats["lost"] == int(sys.argv[2]), stats
        tracer.close()
        print(answer)
    """
    assert run(script, tmp_path / "trace.jsonl", SPANS).strip() == str(ANSWER)
    assert losses(tmp_path / "trace.jsonl") == SPANS


class Rude:
    """An object that turns on whoever looks at it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __repr__(self) -> str:
        return str(self.act())

    __str__ = __repr__


def test_reentrant_calls(tmp_path: Path) -> None:
    """A value whose repr runs a traced chain, a log handler that does, a redactor that does: all recorded, no loop."""
    path = tmp_path / "trace.jsonl"
    inner: Runnable[int, int] = RunnableLambda(int).with_config(run_name="inner")

    def act(*_: Any) -> int:
        return inner.invoke(1, {"callbacks": [tracer]})

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            act()
            raise ValueError

    def redactor(path: Any, value: Any) -> Any:
        if value == "boom":
            raise ValueError
        return value

    logger = logging.getLogger("flightlog")
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler := Handler())
    try:
        with JsonlTracer(path, redact=redactor) as tracer:
            outer: Runnable[Any, int] = RunnableLambda(act).with_config(run_name="outer")
            assert outer.invoke([Rude(act), "boom"], {"callbacks": [tracer]}) == 1
            assert answer_of(tracer) == ANSWER
    finally:
        logger.removeHandler(handler)
    names = [span.name for span in read_spans(path)]
    assert names.count("outer") == 1
    assert "inner" in names
    assert broken(path) == []


def test_sinks_that_fail(tmp_path: Path) -> None:
    """A sink that raises everywhere harms neither the answer nor the file."""

    class Sink:
        def on_start(self, span: object) -> None:
            raise ValueError

        def on_end(self, span: object) -> None:
            raise RecursionError

        def close(self) -> None:
            raise MemoryError

    with JsonlTracer(tmp_path / "trace.jsonl", sinks=[Sink()]) as tracer:
        assert answer_of(tracer) == ANSWER
        assert tracer.stats()["sink_failures"] == 2 * SPANS
    assert recorded(tmp_path / "trace.jsonl") == SPANS


def test_clock_that_goes_back(tmp_path: Path) -> None:
    """Under a wall clock that runs backwards durations stay what they were."""
    moments = itertools.count(time.time_ns(), -3_600_000_000_000)
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, clock=Clock(lambda: next(moments), time.perf_counter_ns)) as tracer:
        assert answer_of(tracer) == ANSWER
    spans = sorted(read_spans(path), key=lambda span: span.seq or 0)
    assert len(spans) == SPANS
    hours = [(later.start_ns - earlier.start_ns) / 3.6e12 for earlier, later in pairwise(spans)]
    assert all(round(passed) == -1 for passed in hours)
    assert all(span.duration_ms is not None and 0 <= span.duration_ms < 60_000 for span in spans)


def test_two_hundred_threads(tmp_path: Path) -> None:
    """Two hundred threads converse through one tracer at once."""
    path = tmp_path / "trace.jsonl"
    half: Runnable[int, int] = RunnableLambda(int)
    chain = half | half
    barrier = threading.Barrier(200)
    answers: list[int] = []

    def work(n: int) -> None:
        barrier.wait()
        answers.extend(chain.invoke(n, {"callbacks": [tracer]}) for _ in range(3))

    with JsonlTracer(path) as tracer:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tracer.stats()["open"] == 0
    assert sorted(answers) == sorted([*range(200)] * 3)
    assert recorded(path) == 200 * 3 * 3
    assert broken(path) == []


async def test_cancellation(tmp_path: Path) -> None:
    """Tasks cancelled at any moment leave whole lines, the others' answers, and nothing open after close()."""
    path = tmp_path / "trace.jsonl"

    async def slow(x: int) -> int:
        for _ in range(x):
            await asyncio.sleep(0)
        return x

    chain: Runnable[int, int] = RunnableLambda(slow) | RunnableLambda(slow)
    with JsonlTracer(path) as tracer:
        tasks = [asyncio.create_task(chain.ainvoke(n, {"callbacks": [tracer]})) for n in range(20)]
        for n in range(0, 20, 2):
            for _ in range(n):
                await asyncio.sleep(0)
            tasks[n].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[1::2] == [*range(1, 20, 2)]
    assert broken(path) == []
    assert tracer.stats()["open"] == 0
