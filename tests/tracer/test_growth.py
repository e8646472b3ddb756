"""What the tracer remembers is bounded, however many runs pass and however they end."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.tracer_memory import one_trace
from flightlog import JsonlTracer
from flightlog.events.runs import REMEMBERED


def test_ended_runs_are_forgotten_in_time(tmp_path: Path) -> None:
    """After twice as many runs as are remembered, no run is open and no more than that are known."""
    with JsonlTracer(tmp_path / "trace.jsonl", max_bytes=1_000_000, max_total_bytes=2_000_000) as tracer:
        for number in range(2 * REMEMBERED // 10 + 10):
            one_trace(tracer, number)
        tracer.flush()
        assert tracer.stats()["open"] == 0
        assert tracer.stats()["in_flight"] == 0
        assert len(tracer._runs._new) + len(tracer._runs._old) <= 2 * REMEMBERED
        assert not tracer._runs.left_behind


def test_runs_left_behind_by_one_root_do_not_gather() -> None:
    """A root that never ends, with children that never end, lets go of them once their own parents have ended."""
    tracer = JsonlTracer()
    root = uuid4()
    tracer.on_chain_start(None, {}, run_id=root, name="root")
    for _ in range(100):
        node = uuid4()
        tracer.on_chain_start(None, {}, run_id=node, parent_run_id=root, name="node")
        tracer.on_tool_start({"name": "lost"}, "", run_id=uuid4(), parent_run_id=node)
        tracer.on_chain_end({}, run_id=node)
    tracer.flush()
    assert tracer.stats()["open"] == 1


def test_runs_are_let_go_however_deep_they_are() -> None:
    """A root that is cancelled lets go of runs nested deeper than Python calls, the innermost first."""
    tracer = JsonlTracer()
    runs = [uuid4() for _ in range(2 * sys.getrecursionlimit())]
    for above, run in zip([None, *runs], runs, strict=False):
        tracer.on_chain_start(None, {}, run_id=run, parent_run_id=above, name="task")
    tracer.on_chain_error(asyncio.CancelledError(), run_id=runs[0])
    assert [span.run_id for span in tracer.spans] == [str(run) for run in reversed(runs)]
    assert tracer.stats()["faults"] == tracer.stats()["open"] == 0


@pytest.mark.soak
def test_a_million_spans_leave_memory_flat() -> None:
    """Resident memory after a million spans is within 5 MB of that after the first hundred thousand."""
    program = Path(__file__).parents[2] / "benchmarks" / "tracer_memory.py"
    done = subprocess.run([sys.executable, program, "--json"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert figures["open"] == 0
    assert figures["grown_mb"] < 5
