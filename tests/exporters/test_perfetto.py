import errno
import gc
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightlog import JsonlTracer
from flightlog.errors import UsageError
from flightlog.span import Span
from flightlog_exporters import perfetto, slice_file
from flightlog_viewer.cli.app import main
from tests.exporters.agent import run_agent
from tests.exporters.any_span import any_span

MS = 1_000_000


def exported(spans: list[Span]) -> list[dict[str, Any]]:
    """The events of an export, after a check of the format's rules."""
    out = io.BytesIO()
    assert perfetto.write(spans, out) == len(spans)
    document = orjson.loads(out.getvalue())
    events: list[dict[str, Any]] = document["traceEvents"]
    check_rules(events)
    return events


def check_rules(events: list[dict[str, Any]]) -> None:
    """What the Trace Event Format demands of the events that are written."""
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = {}
    flows: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ts"] >= 0
        assert event["ph"] in ("X", "i", "M", "s", "f")
        if event["ph"] == "X":
            assert event["dur"] >= 0
            start, end = round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)
            tracks.setdefault((event["pid"], event["tid"]), []).append((start, end))
        if event["ph"] == "i":
            assert event["s"] == "t"
        if event["ph"] in ("s", "f"):
            flows.setdefault(event["id"], []).append(event)
    for slices in tracks.values():
        around: list[int] = []
        for start, end in sorted(slices, key=lambda one: (one[0], -one[1])):
            while around and around[-1] <= start:
                around.pop()
            assert not around or end <= around[-1], "slices of a track overlap"
            around.append(end)
    for first, second in flows.values():
        assert (first["ph"], second["ph"], second["bp"]) == ("s", "f", "e")
        assert first["ts"] <= second["ts"]
        assert any(start <= round(first["ts"] * 1000) <= end for start, end in tracks[first["pid"], first["tid"]]), (
            "an arrow starts at a slice"
        )


def chain(name: str, start_ms: float, duration_ms: float, parent: str | None = None, **fields: Any) -> Span:
    """A span whose run id is its name."""
    given = {"type": "chain", "kind": "node", "name": name, "run_id": name, "parent_run_id": parent, "trace_id": "r"}
    return Span(**{**given, "start_ns": round(start_ms * MS), "duration_ms": duration_ms, "status": "ok", **fields})


def related(run: int, parent: int, trace: int, start_ms: int, duration_ms: int, span: Span) -> Span:
    """A span that shares its run, parent, trace and time with others."""
    return replace(
        span,
        run_id=f"r{run}",
        parent_run_id=f"r{parent}" if parent else None,
        trace_id=f"t{trace}",
        start_ns=start_ms * MS,
        duration_ms=duration_ms,
    )


def track(events: list[dict[str, Any]], name: str) -> tuple[int, int]:
    """Where the slice of that name is drawn."""
    (event,) = (event for event in events if event["name"] == name and event["ph"] in ("X", "i"))
    return event["pid"], event["tid"]


@settings(max_examples=40)
@given(st.lists(any_span(), max_size=12))
def test_any_spans_make_a_file_that_keeps_the_rules(spans: list[Span]) -> None:
    """Orphans, circles, overlaps and equal times never break the format."""
    exported(spans)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(related, *[st.integers(0, 5)] * 5, any_span()), max_size=14))
def test_what_is_not_in_memory_makes_no_difference(monkeypatch: pytest.MonkeyPatch, spans: list[Span]) -> None:
    """Slices that have to be looked up in the file again are drawn as those that are remembered."""
    expected = exported(spans)
    with monkeypatch.context() as patched:
        patched.setattr(slice_file, "_KNOWN", 1)
        patched.setattr(slice_file, "_BATCH", 3)
        assert exported(spans) == expected


def test_no_room_to_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is one sentence."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(slice_file, "_CACHE_KB", 16)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(UsageError, match="no room to sort the timeline"):
            perfetto.write((chain(f"s{number}", number, 1) for number in range(2000)), io.BytesIO())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_room_for_the_timeline() -> None:
    """Whatever ends it in the middle, what read the slices leaves no traceback of its own behind."""

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if b'"X"' in data:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space left"):
        perfetto.write([chain("a", 0, 1), chain("b", 1, 1)], Full())
    gc.collect()


def test_times_at_the_end_of_the_calendar() -> None:
    """A span of the year 9999 that lasts for ever is drawn, and sorted behind one of before 1970."""
    late = Span.from_json(chain("late", 0, 1e15).to_json().replace(b"1970-", b"9999-"))
    early = Span.from_json(chain("early", 0, 1).to_json().replace(b"1970-", b"1969-"))
    names = [event["name"] for event in exported([late, early]) if event["ph"] == "X"]
    assert names == ["early", "late"]


def test_a_sequence_shares_a_track_and_parallel_runs_do_not() -> None:
    """Children one after the other nest in their parent's track, those at the same time get one each."""
    events = exported(
        [
            chain("root", 0, 100),
            chain("first", 1, 20, "root"),
            chain("second", 30, 40, "root"),
            chain("beside", 35, 40, "root"),
            chain("below", 36, 10, "beside"),
            chain("outlives", 80, 90, "root"),
            chain("late", 95, 5.5, "root"),
        ]
    )
    main_track = track(events, "root")
    assert {track(events, name) for name in ("first", "second", "late")} == {main_track}
    assert track(events, "beside") == track(events, "below") != main_track
    assert track(events, "outlives") != main_track
    names = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert names == ["main", "parallel 1"]


def test_an_arrow_leads_from_the_question_to_the_resumed_run() -> None:
    """A recorded pause and its resume are one process with one arrow; events are instants, failures are marked."""
    tracer = JsonlTracer()
    run_agent([tracer])
    spans = [
        *tracer.spans,
        chain("ping", 1, 0, type="event", kind=None, thread_id="x"),
        chain("bad", 2, 1, status="error", error={"type": "E", "message": "m", "stacktrace": "long"}, thread_id="x"),
    ]
    events = exported(spans)
    start, finish = (event for event in events if event["ph"] in "sf")
    roots = [event for event in events if event["name"] == "assistant"]
    assert start["pid"] == finish["pid"] == roots[0]["pid"] == roots[1]["pid"]
    assert finish["ts"] == roots[1]["ts"]
    assert {event["args"]["name"] for event in events if event["name"] == "process_name"} == {
        "thread thread-1",
        "thread x",
    }
    (bad,) = (event for event in events if event["name"] == "bad")
    assert (bad["cname"], bad["args"]["error"]) == ("terrible", {"type": "E", "message": "m"})


def test_a_slice_tells_what_the_span_was() -> None:
    """Its place, what it was, and the facts that are known; nothing of what is not, and no stack trace."""
    error = {"type": "E", "message": "m"}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    call = chain(
        *("call", 2, 3.5, "root"), type="llm", kind=None, node="agent", step=0, attempt=1, model="m", provider="p",
        token_usage=usage, status="error", error={**error, "stacktrace": "long"}, metadata={"a": 1}, inputs="secret",
    )  # fmt: skip
    events = [event for event in exported([chain("root", 1, 100, kind="graph"), call]) if event["ph"] != "M"]
    time = {"start_time": "1970-01-01T00:00:00.001000Z", "duration_ms": 100}
    place = {"pid": 1, "tid": 1, "ph": "X"}
    assert events == [
        {"name": "root", "cat": "graph", "ts": 0, "dur": 100_000, **place}
        | {"args": {"status": "ok", "run_id": "root", **time}},
        {"name": "call", "cat": "llm", "ts": 1000, "dur": 3500, "cname": "terrible", **place}
        | {
            "args": {
                **{"status": "error", "run_id": "call", "node": "agent", "step": 0, "attempt": 1, "model": "m"},
                **{"provider": "p", "token_usage": usage, "error": error},
                **{"start_time": "1970-01-01T00:00:00.002000Z", "duration_ms": 3.5},
            }
        },
    ]


def test_a_trace_without_a_thread_is_a_process_of_its_own() -> None:
    """Runs of a thread stand together, whatever their traces; those of none stand trace by trace."""
    spans = [chain(name, number, 1, trace_id=name) for number, name in enumerate("ab")]
    spans += [chain(name, number, 1, trace_id=name, thread_id="t") for number, name in enumerate("cd")]
    events = exported(spans)
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    drawn = {event["name"]: names[event["pid"]] for event in events if event["ph"] == "X"}
    assert drawn == {"a": "trace a", "b": "trace b", "c": "thread t", "d": "thread t"}


def test_what_goes_on_after_its_parent_is_drawn_below_the_grandparent_only() -> None:
    """A slice stands within what started it, directly or not, and never within a stranger that runs at the time."""
    events = exported(
        [
            chain("root", 0, 100),
            chain("short", 1, 9, "root"),
            chain("late child", 20, 10, "short"),
            chain("other", 40, 50, "root"),
            chain("later child", 50, 10, "short"),
        ]
    )
    assert track(events, "late child") == track(events, "root") == track(events, "other")
    assert track(events, "later child") != track(events, "other")


def asking(name: str, at: float, thread: str | None, *questions: str) -> Span:
    """A root that stopped to ask."""
    asked = [{"id": question, "value": "?"} for question in questions]
    return chain(name, at, 1, status="interrupted", thread_id=thread, interrupts=asked, trace_id=name)


def resumed(name: str, at: float, thread: str | None, *answers: dict[str, Any]) -> Span:
    """A root that was started with answers."""
    return chain(name, at, 1, thread_id=thread, resumes=list(answers), trace_id=name)


def test_arrows_go_from_each_question_to_its_own_answer() -> None:
    """By the question's id, or else by the thread; not to the answer of another thread, nor from what asked nothing."""
    spans = [
        asking("asks a", 0, "t", "a"),
        asking("asks b", 2, "u", "b"),
        resumed("answers b", 4, "u", {"interrupt_id": "b", "value": 1}),
        resumed("answers any", 6, "t", {"value": 1}),
        asking("asks of no thread", 8, None, "c"),
        resumed("answers of no thread", 10, None, {"value": 1}),
        resumed("answers a stranger", 12, "v", {"interrupt_id": "unknown", "value": 1}),
        chain("ok with questions", 14, 1, thread_id="w", interrupts=[{"id": "d"}], trace_id="ok"),
        resumed("answers what is done", 16, "w", {"interrupt_id": "d"}),
    ]
    events = exported(spans)
    placed = {(event["pid"], event["ts"]): event["name"] for event in events if event["ph"] == "X"}
    ended = {(event["pid"], event["ts"] + event["dur"]): event["name"] for event in events if event["ph"] == "X"}
    arrows = {}
    for event in events:
        if event["ph"] == "s":
            arrows[event["id"]] = ended[event["pid"], round(event["ts"] + 0.001, 3)]
        elif event["ph"] == "f":
            arrows[event["id"]] += " -> " + placed[event["pid"], event["ts"]]
    assert sorted(arrows.values()) == ["asks a -> answers any", "asks b -> answers b"]


def test_how_far_it_is() -> None:
    """Whoever waits is told of both passes over the slices, in order and to the end."""
    told: list[tuple[int, int, int]] = []
    perfetto.write((chain(f"s{number}", number, 1) for number in range(600)), io.BytesIO(), lambda *at: told.append(at))
    assert [done for done, _, _ in told] == [0, 256, 512, 600, 856, 1112]
    assert {at[1:] for at in told} == {(1200, 600)}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes the file and says how many spans are in it; an empty file is no failure."""
    path, out = tmp_path / "spans.jsonl", tmp_path / "trace.json"
    path.write_bytes(chain("a", 0, 1).to_json() + b"\n")
    assert main(["export", "perfetto", str(path), "-o", str(out)]) == 0
    assert capsys.readouterr().err == f"flightlog: 1 span in {out}: open it at ui.perfetto.dev or chrome://tracing\n"
    assert exported([]) == []
