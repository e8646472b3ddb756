"""What doctor finds, each made on purpose."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog_viewer.cli.app import main
from flightlog_viewer.store import instance
from tests.viewer.span_lines import SpanLines, usage


def healthy() -> SpanLines:
    """A run without fault."""
    return (
        SpanLines()
        .add("root", None, 0, 100)
        .add("call", "root", 10, 50, type="llm", model="gpt-4o-mini", provider="openai", token_usage=usage(5, 5))
    )


def sick(kind: str, tmp_path: Path) -> Path:
    """A file with one fault."""
    spans = healthy()
    extra: list[bytes] = []
    match kind:
        case "orphans":
            spans.add("lost", "nowhere", 20, trace_id="root")
        case "missing_roots":
            spans.add("lost", "nowhere", 20, trace_id="gone")
        case "cycles":
            spans.add("x", "y", 20, trace_id="root").add("y", "x", 21, trace_id="root")
        case "recorded_twice":
            other = SpanLines("w2").add("root", None, 0.1, 100)
            extra = other.lines
        case "duplicated_ids":
            spans.add("root", None, 5000)
        case "nested_calls":
            spans.add("again", "call", 11, 40, type="llm", token_usage=usage(5, 5))
        case "missing_usage":
            spans.add("free", "root", 20, type="llm", model="m", chunks=3)
        case "clock":
            spans.add("early", "root", -3000)
        case "losses":
            spans.add("loss", None, 30, type="event", name="flightlog.loss", status="error", metadata={"lost": 7})
        case "abandoned":
            spans.add("left", "root", 20, status="abandoned")
        case "unanswerable":
            spans.add("asks", "root", 20, kind="node", status="interrupted", checkpoint_ns="asks:1")
            spans.add("imported", None, 30, status="interrupted")
        case "newer":
            extra = [spans.lines[0].replace(b'"root"', b'"later"').replace(b'"v":1', b'"v":2')]
        case "truncated":
            spans.add("cut", "root", 20, truncated={"inputs": {"bytes": 9, "sha256": "x"}})
        case "unpriced":
            spans.add("odd", "root", 20, type="llm", model="nobody-knows", token_usage=usage(1, 1))
        case "rejects":
            extra = [b"garbage", b'{"v":1}']
        case "unfinished_line":
            path = spans.write(tmp_path / "s.jsonl")
            with path.open("ab") as file:
                file.write(b'{"v":1,"type":"ll')
            return path
        case "zero_bytes":
            spans.lines.append(spans.lines[0][:40] + bytes(5000))
        case "wrong_fields":
            extra = [spans.lines[0].replace(b'"root"', b'"other"').replace(b'"status"', b'"step":"x","status"')]
    return spans.write(tmp_path / "s.jsonl", extra)


def examine(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings by kind."""
    status = main(["doctor", str(path), "--json"])
    shown = capsys.readouterr()
    assert not shown.err
    return status, {finding["kind"]: finding for finding in json.loads(shown.out)["findings"]}


def test_a_healthy_file_has_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0 and no findings."""
    assert examine(healthy().write(tmp_path / "s.jsonl"), capsys) == (0, {})
    assert main(["doctor", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2 spans: nothing wrong\n"


PROBLEMS = {
    "orphans": 1,
    "missing_roots": 1,
    "cycles": 2,
    "recorded_twice": 1,
    "duplicated_ids": 1,
    "nested_calls": 1,
    "missing_usage": 1,
    "clock": 1,
    "losses": 7,
    "rejects": 2,
    "zero_bytes": 1,
    "wrong_fields": 1,
}
"""How many are counted of each fault where it is the only one."""


def test_problems_are_counted_shown_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault of a file is a problem of its own with its count and an example; the status is 1."""
    lines: dict[bytes, None] = {}
    for kind in PROBLEMS:
        lines |= dict.fromkeys(sick(kind, tmp_path).read_bytes().splitlines(keepends=True))
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join(lines))
    status, findings = examine(path, capsys)
    assert status == 1
    # What has lost its root is an orphan too, and behind the other root, seconds later, the clock goes back once more.
    problems = {kind: finding for kind, finding in findings.items() if finding["problem"]}
    assert {kind: finding["count"] for kind, finding in problems.items()} == {**PROBLEMS, "orphans": 2, "clock": 2}
    assert all(finding["examples"] for finding in problems.values())


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "count"), PROBLEMS.items())
def test_a_problem_alone_is_counted_shown_and_explained(
    kind: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the same count, whatever else there is."""
    status, findings = examine(sick(kind, tmp_path), capsys)
    assert status == 1
    assert findings[kind]["count"] == count
    assert findings[kind]["problem"]
    assert findings[kind]["examples"]


def test_findings_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json each finding has its example and what to do."""
    assert main(["doctor", str(sick("losses", tmp_path))]) == 1
    shown = capsys.readouterr().out
    assert "problem: 7 spans could not be written" in shown
    assert "max_total_bytes" in shown
    assert shown.endswith("\n2 spans: 1 problem\n")


@pytest.mark.parametrize("kind", ["abandoned", "unanswerable", "newer", "truncated", "unpriced", "unfinished_line"])
def test_what_is_no_fault_is_a_note(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and the status stays 0."""
    status, findings = examine(sick(kind, tmp_path), capsys)
    assert status == 0
    assert list(findings) == [kind]
    assert not findings[kind]["problem"]


@pytest.mark.parametrize("content", [bytes(9000), b"[{}]", healthy().lines[0][:-1] + b"\r" + healthy().lines[1]])
def test_a_file_of_nothing_but_an_unfinished_line_is_a_problem(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No spans and nothing wrong cannot both be: zero bytes, a list and lines that end otherwise are told of."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    status, findings = examine(path, capsys)
    assert (status, [finding["problem"] for finding in findings.values()]) == (1, [True])


def test_records_that_are_there_twice_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file beside its copy is no fault: nothing counts twice, and a note says how many records were left out."""
    for name in ("s.jsonl", "copy.jsonl"):
        healthy().write(tmp_path / name)
    status, findings = examine(tmp_path, capsys)
    assert (status, list(findings), findings["repeated"]["count"]) == (0, ["repeated"], 2)
    assert not findings["repeated"]["problem"]


def test_a_process_that_died_in_its_first_span(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its file is empty and what it was doing stands beside it: that is told, here and in a report."""
    file = tmp_path / "s.jsonl"
    file.touch()
    start = orjson.loads(healthy().lines[0])
    start = {name: value for name, value in start.items() if name not in ("status", "duration_ms")}
    (tmp_path / "s.jsonl.w1.open").write_bytes(orjson.dumps(start) + b"\n\0")
    status, findings = examine(file, capsys)
    assert status == 1
    assert findings["unfinished"]["examples"] == ["root root"]
    assert main(["report", str(file)]) == 0
    assert "From 2026-11-20 12:00:00 (UTC)" in capsys.readouterr().out


def test_a_sidecar_that_cannot_be_read_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A start that was cut off or is none, and a link, hide what was running; what has ended hides nothing."""
    file = tmp_path / "s.jsonl"
    file.touch()
    start, ended = (line + b"\n" for line in healthy().lines)
    sidecars = [tmp_path / f"s.jsonl.w{number}.open" for number in range(5)]
    sidecars[0].write_bytes(b"#" + ended[1:] + b"\0" + start[:20])
    sidecars[1].write_bytes(start[:20] + b"\0")
    sidecars[2].write_bytes(b"{}\n\0")
    sidecars[3].symlink_to(file)
    sidecars[4].mkdir()
    status, findings = examine(file, capsys)
    assert (status, list(findings), findings["sidecars"]["count"]) == (1, ["sidecars"], 4)
    assert [one.split(":")[0] for one in findings["sidecars"]["examples"]] == list(map(str, sidecars[1:4]))


def test_what_only_looks_like_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers of a cache without usage, a call of another size inside a call, and spans of no known writer."""
    spans = healthy()
    spans.add("cached", "root", 20, type="llm", model="gpt-4o-mini", provider="openai", cache_hit=True)
    spans.add("smaller", "call", 21, type="llm", model="gpt-4o-mini", provider="openai", token_usage=usage(4, 1))
    nobody = [line.replace(b'"writer_id":"w1",', b"") for line in SpanLines().add("b", None, 9000).lines]
    nobody += [
        line.replace(b'"writer_id":"w1",', b"") for line in SpanLines().add("x", None, 0).add("a", None, 0).lines
    ]
    assert examine(spans.write(tmp_path / "s.jsonl", nobody), capsys) == (0, {})


def test_a_call_without_usage_has_no_price_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It misses its usage, whatever its model costs."""
    _, findings = examine(sick("missing_usage", tmp_path), capsys)
    assert list(findings) == ["missing_usage"]


def test_losses_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However often a tracer could not write."""
    spans = healthy()
    for number in (3, 4):
        spans.add(
            f"loss {number}", None, number, type="event", name="flightlog.loss", status="error",
            metadata={"lost": number},
        )  # fmt: skip
    _, findings = examine(spans.write(tmp_path / "s.jsonl"), capsys)
    assert findings["losses"]["count"] == 7


def test_a_price_is_missing_for_a_model_at_a_provider(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A well-known model of a provider that nobody has prices for is named with it."""
    spans = SpanLines()
    spans.add("root", None, 0)
    spans.add("odd", "root", 20, type="llm", model="gpt-4o-mini", provider="m", token_usage=usage(1, 1))
    _, findings = examine(spans.write(tmp_path / "s.jsonl"), capsys)
    assert findings["unpriced"]["examples"] == ["gpt-4o-mini of provider m"]


@pytest.mark.soak
def test_many_spans_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit goes to the disk: nothing is looked for in memory alone, but in the traces that may have it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spans = SpanLines()
    for number in range(200_000):
        root = number // 20 * 20
        spans.add(
            f"run-{number:032}", f"run-{number - 1:032}" if number > root else None, number, trace_id=f"run-{root:032}"
        )
    path = spans.write(tmp_path / "s.jsonl")
    assert main(["summary", str(path)]) == 0  # makes the index
    capsys.readouterr()
    monkeypatch.setattr(instance, "MOST_BYTES", 96 << 20)
    assert examine(path, capsys) == (0, {})


def test_a_file_of_nothing_but_bad_lines_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other commands refuse such a file; doctor says what is wrong with it."""
    path = tmp_path / "s.jsonl"
    path.write_text("one\ntwo\n")
    status, findings = examine(path, capsys)
    assert (status, findings["rejects"]["count"]) == (1, 2)
