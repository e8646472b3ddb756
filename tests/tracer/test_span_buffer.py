"""The finished spans of a tracer without a file."""

import pytest
from langchain_core.runnables import RunnableLambda

from flightlog import JsonlTracer
from flightlog.writing import span_buffer


@pytest.mark.parametrize("bound", ["MAX_SPANS", "MAX_BYTES"])
def test_the_latest_spans_are_kept(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of spans, or of bytes, the oldest go and are counted; an ended span is whole."""
    tracer = JsonlTracer()

    def run(number: int) -> None:
        RunnableLambda(int).with_config(run_name=str(number)).invoke(number, {"callbacks": [tracer]})

    run(0)
    size = len(tracer.spans[0].to_json())
    monkeypatch.setattr(span_buffer, bound, {"MAX_SPANS": 3, "MAX_BYTES": size * 3 + 50}[bound])
    for number in range(1, 6):
        run(number)
    assert [span.name for span in tracer.spans] == ["3", "4", "5"]
    assert tracer.stats()["dropped"] == 3
