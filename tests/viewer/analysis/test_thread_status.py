from dataclasses import replace

import pytest

from flightlog_viewer.analysis.thread_line import left_open
from flightlog_viewer.analysis.thread_status import NewestRun, refined
from flightlog_viewer.checkpoints.model import Pending, ThreadStatus, ThreadSummary

DUE = ThreadSummary("t", "paused_or_running", 3, 1, "2026-11-20T12:00:10+00:00", (), ["pay"], source="loop")
TEN = 1_795_176_010_000_000
"""The time of that checkpoint, microseconds since the epoch."""


def run(status: str, start: int = -5, end: int | None = 5) -> NewestRun:
    """A run from and until so many seconds after the newest checkpoint."""
    return NewestRun(status, TEN + start * 1_000_000, None if end is None else TEN + end * 1_000_000, "Boom", ["call"])


@pytest.mark.parametrize(
    ("newest", "breakpoints", "found"),
    [
        (run("running", end=None), (), ("running", False)),
        (run("unfinished", end=None), (), ("crashed", False)),
        (run("ok"), (), ("interrupted", True)),
        (run("interrupted"), (), ("interrupted", True)),
        (run("error"), (), ("errored", True)),
        (run("cancelled"), (), ("errored", True)),
        (run("abandoned"), ("pay",), ("errored", True)),
        (replace(run("ok"), in_vain=True), (), ("errored", True)),
        (replace(run("ok", end=-1), in_vain=True), (), ("interrupted", True)),
        (None, ("pay",), ("interrupted", True)),
        (None, ("ship",), ("paused_or_running", False)),
    ],
)
def test_spans_refine_a_status(
    newest: NewestRun | None, breakpoints: tuple[str, ...], found: tuple[ThreadStatus, bool]
) -> None:
    """Of a thread with nodes due the newest run tells more, or a breakpoint that the user names."""
    thread = refined(DUE, newest, breakpoints)
    assert (thread.status, thread.inferred) == found
    finished = replace(DUE, status="finished")
    assert refined(finished, newest, breakpoints) == finished


@pytest.mark.parametrize(
    ("newest", "source", "status"),
    [
        (run("error", end=-1), "update", "interrupted"),
        (run("error", end=-1), "fork", "interrupted"),
        (run("error", end=-1), "loop", "paused_or_running"),
        (run("cancelled", end=-1), "loop", "paused_or_running"),
        (run("abandoned", end=-1), "update", "interrupted"),
        (run("error", end=1), "update", "errored"),
        (run("unfinished", end=None), "update", "interrupted"),
        (run("unfinished", end=None), "fork", "crashed"),
        (run("unfinished", start=1, end=None), "update", "crashed"),
        (run("running", end=None), "update", "running"),
        (run("interrupted", end=-1), "update", "interrupted"),
    ],
)
def test_a_failure_before_the_newest_checkpoint_is_over(newest: NewestRun, source: str, status: ThreadStatus) -> None:
    """After a change by hand a thread waits for somebody to run it; after any other step the failure says nothing."""
    assert refined(replace(DUE, source=source), newest).status == status


@pytest.mark.parametrize(
    ("newest", "status"),
    [
        (run("running", end=None), "running"),
        (run("unfinished", end=None), "crashed"),
        (run("error"), "errored"),
        (run("cancelled"), "errored"),
        (run("error", end=-1), "unknown"),
        (run("interrupted"), "interrupted"),
        (run("ok"), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_closed_checkpoint_leaves_the_status_to_the_run(newest: NewestRun | None, status: ThreadStatus) -> None:
    """An encrypted thread is what its newest run was, except that one which ended well may have paused."""
    closed = replace(DUE, status="unknown", next=[], note="this checkpoint is encrypted (aes)")
    assert refined(closed, newest).status == status


def test_what_is_open_in_a_thread() -> None:
    """The failure, what was running, or what is due and whether somebody changed the state before."""
    assert left_open(DUE) == ["due: pay"]
    assert left_open(replace(DUE, source="update")) == ["due: pay, after a change by hand"]
    assert left_open(refined(DUE, run("error"))) == ["failed: Boom"]
    assert left_open(refined(DUE, run("cancelled"))) == ["failed: the run was cancelled"]
    assert left_open(refined(DUE, run("unfinished", end=None))) == ["was running call"]
    assert left_open(replace(DUE, status="running", in_flight=list("abcde"))) == ["runs a, b, c and 2 more"]
    assert left_open(replace(DUE, pending=[Pending("i", "pay", "?", "", "c")])) == []
    assert left_open(replace(DUE, next=[])) == ["what was due is done, and no checkpoint has followed"]
    assert left_open(replace(DUE, status="finished", next=[])) == []
    assert left_open(replace(DUE, status="unknown", note="encrypted")) == ["encrypted"]
