import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from langchain_core.runnables import Runnable, RunnableLambda

from flightlog import JsonlTracer, read_spans


def work(tracer: JsonlTracer) -> None:
    step: Runnable[int, int] = RunnableLambda(int).with_config(run_name="elsewhere")
    step.invoke(1, {"callbacks": [tracer]})
    tracer.close()


def test_copy_of_a_config_keeps_the_tracer(tmp_path: Path) -> None:
    """A config that is copied, deeply too, records through the same tracer."""
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        assert copy.copy(tracer) is tracer
        config = copy.deepcopy({"callbacks": [tracer], "metadata": {"a": [1]}})
        assert config["callbacks"] == [tracer]


@pytest.mark.uncounted
def test_tracer_travels_to_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickled tracer writes the same file with the same options, wherever it arrives."""
    import langgraph.callbacks  # makes tracers of a class of their own  # noqa: F401

    monkeypatch.chdir(tmp_path)
    tracer = JsonlTracer("trace.jsonl", capture="none", max_bytes=10_000)
    monkeypatch.chdir("/")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, tracer).result()
    (span,) = read_spans(tmp_path / "trace.jsonl")
    assert (span.name, span.inputs) == ("elsewhere", None)
    again = pickle.loads(pickle.dumps(JsonlTracer(path=tmp_path / "other.jsonl", sample=0.5)))
    assert again.path == str(tmp_path / "other.jsonl")
    assert pickle.loads(pickle.dumps(JsonlTracer())).path is None


def test_a_tracer_of_a_tracers_type_is_of_that_type() -> None:
    """Beside LangGraph, tracers made from one another share one class."""
    import langgraph.callbacks  # makes tracers of a class of their own  # noqa: F401

    made = type(JsonlTracer())
    assert made is not JsonlTracer
    assert type(made()) is made
