from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver

from flightlog import JsonlTracer, read_open_spans, read_spans
from flightlog.sampling import MAX_HELD_BYTES, Held, Sampler, sampling_options
from tests.faults.agents import converse
from tests.tracer.graphs import Log, graph_of


def _sometimes(x: int) -> int:
    if x % 10 == 9:
        raise ValueError(x)
    return x


chain: Any = RunnableLambda(lambda x: x) | RunnableLambda(_sometimes)


def run(tracer: JsonlTracer, count: int) -> None:
    for n in range(count):
        try:
            chain.invoke(n, {"callbacks": [tracer]})
        except ValueError:
            assert n % 10 == 9


def test_share_of_whole_traces(tmp_path: Path) -> None:
    """About the given share of traces is there, each with all of its spans, and the summary counts every run."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sample=0.3) as tracer:
        run(tracer, 300)
        sizes = Counter(span.trace_id for span in read_spans(path))
        assert 50 < len(sizes) < 130
        assert set(sizes.values()) == {3}
        assert tracer.summary()["chain"]["count"] == 900
        assert tracer.stats()["sampled_out"] == 900 - 3 * len(sizes)
        assert tracer.stats()["open"] == 0


@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.9, 1])
def test_the_share_is_that_of_many_traces(share: float) -> None:
    """Of ten thousand ids as many are taken as were asked for, give or take a hundred."""
    sampler = Sampler(share, ())
    assert sum(sampler.takes(f"trace {n}") for n in range(10_000)) == pytest.approx(
        10_000 * share, abs=100 * (share % 1 > 0)
    )


@pytest.mark.parametrize(
    ("sample", "always_keep", "options"),
    [
        (None, None, {}),
        ("", "", {}),
        ("0.2", None, {"sample": 0.2}),
        (None, " error,interrupted, ", {"always_keep": ("error", "interrupted")}),
    ],
)
def test_options_from_outside_are_those_that_are_set(
    sample: str | None, always_keep: str | None, options: dict[str, Any]
) -> None:
    """A variable that is empty or missing sets nothing; statuses have commas between them."""
    assert sampling_options(sample, always_keep) == options


@pytest.mark.parametrize(("share", "count"), [(0, 0), (1, 90)])
def test_all_or_nothing(tmp_path: Path, share: float, count: int) -> None:
    """A share of 0 records nothing and touches no disk; 1 records everything."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sample=share) as tracer:
        run(tracer, 30)
    assert path.exists() == (share == 1)
    assert (len(list(read_spans(path))) if share else 0) == count


def test_failed_traces_are_always_kept(tmp_path: Path) -> None:
    """With `always_keep` every trace with such a span is there, whole, and the others are not."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sample=0, always_keep=("error",)) as tracer:
        run(tracer, 40)
        assert tracer.stats()["sampled_out"] == 36 * 3
    spans = list(read_spans(path))
    assert [span.status for span in spans] == ["ok", "error", "error"] * 4
    assert set(Counter(span.trace_id for span in spans).values()) == {3}


def test_what_is_held_shows_in_flight(tmp_path: Path) -> None:
    """While the fate of a trace is open, its open spans are in the sidecar: a crash would show them."""
    path = tmp_path / "trace.jsonl"
    found: list[str] = []

    def look(x: int) -> int:
        found.extend(one.span.name for one in read_open_spans(path))
        return x

    with JsonlTracer(path, sample=0, always_keep="error") as tracer:
        (RunnableLambda(look) | RunnableLambda(look)).invoke(1, {"callbacks": [tracer]})
    assert "RunnableSequence" in found
    assert path.stat().st_size == 0


def test_trace_too_large_to_hold_is_kept_whole() -> None:
    """A trace that would need too much memory while its fate is open is recorded, not cut."""
    sampler = Sampler(0, ["error"])
    held, line = Held(), b"x" * (MAX_HELD_BYTES // 4)
    written = [len(sampler.ended(held, line, "ok", is_root=False)) for _ in range(6)]
    assert written == [0, 0, 0, 0, 5, 1]
    assert len(sampler.ended(held, line, "ok", is_root=True)) == 1
    assert (sampler.held_bytes, sampler.sampled_out) == (0, 0)


def test_spans_after_the_end_of_a_dropped_trace_are_not_held() -> None:
    """What ends after the root of a trace that was left out is left out too, and takes no memory."""
    sampler, held = Sampler(0, ["error"]), Held()
    assert sampler.ended(held, b"one", "ok", is_root=False) == []
    assert sampler.ended(held, b"root", "ok", is_root=True) == []
    assert sampler.ended(held, b"late", "ok", is_root=False) == []
    assert sampler.ended(held, b"too late", "error", is_root=False) == []
    assert (held.lines, sampler.held_bytes, sampler.sampled_out) == ([], 0, 4)


def test_sampling_of_the_memory_buffer() -> None:
    """Without a path the same traces are left out of `spans`."""
    tracer = JsonlTracer(sample=0, always_keep=("error",))
    run(tracer, 20)
    assert len(tracer.spans) == 6


def test_interrupted_traces_are_always_kept(tmp_path: Path) -> None:
    """The run that asked a human is kept whole, and so is the one that brings the answer; the rest is left out."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sample=0, always_keep=("interrupted",)) as tracer:
        run(tracer, 9)
        converse({"callbacks": [tracer]})
    roots = {span.run_id: span for span in read_spans(path) if span.parent_run_id is None}
    assert [(span.status, bool(span.resumes)) for span in roots.values()] == [("interrupted", False), ("ok", True)]
    assert list(Counter(span.trace_id for span in read_spans(path)).values()) == [16, 6]


def test_who_keeps_failures_alone_keeps_no_answers(tmp_path: Path) -> None:
    """The run that goes on after a pause is kept for the sake of the pause only."""
    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, sample=0, always_keep=("error",)) as tracer:
        converse({"callbacks": [tracer]})
    assert not any(span.resumes for span in read_spans(path))


def test_a_run_that_goes_on_from_a_breakpoint_is_kept(tmp_path: Path) -> None:
    """Whoever keeps pauses keeps the run that follows one at a static breakpoint, which holds no answer."""
    path = tmp_path / "trace.jsonl"
    graph = graph_of(Log, lambda state: {"log": ["done"]}, checkpointer=InMemorySaver(), interrupt_before="*")
    with JsonlTracer(path, sample=0, always_keep=("interrupted",)) as tracer:
        given: Any
        for given in ({"log": []}, None):
            graph.invoke(given, {"callbacks": [tracer], "configurable": {"thread_id": "t"}})
    assert [span.status for span in read_spans(path) if span.parent_run_id is None] == ["interrupted", "ok"]
