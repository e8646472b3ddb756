"""bundle, compare and schema."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from flightlog import read_spans
from flightlog.span import Span
from flightlog_viewer.cli.app import main
from flightlog_viewer.cli.commands.compare import pair
from flightlog_viewer.cli.commands.schema import read_json_query
from flightlog_viewer.cli.record_fields import RECORD, json_schema
from tests.viewer.span_lines import SpanLines, story, usage

SECRETS = [
    "sk-proj-abcdefghij0123456789",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "Bearer abcdefgh12345678",
    "postgres://ann:hunter2@db/x",
    "redis://:hunter2@cache:6379",
    "ann@example.org",
    "4111 1111 1111 1111",
    "5500000000000004",
    "3782-822463-10005",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


def with_secrets(path: Path) -> Path:
    """A trace with a secret in every field of words."""
    secret = " and ".join(SECRETS)
    return (
        SpanLines()
        .add("root", None, 0, 10, status="error", error={"type": "E", "message": secret}, host="box", pid=7,
             tags=[secret])
        .add(
            "call", "root", 1, 5, inputs={"q": [secret, {"password": "hunter2"}], secret: 1}, output=secret,
            metadata={"api-key": "plain", "n": 1}, resumes=[{"value": secret}], model_params={"stop": [secret]},
            interrupts=[{"id": "i", "value": secret}], extra={"future": {"x": secret, "n": 2}, "Cookie": "plain"},
        )
        .write(path)
    )  # fmt: skip


def test_a_bundle_has_the_trace_and_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys and texts that look secret are hidden in every field, host and process left out, the rest is as it was."""
    source = with_secrets(tmp_path / "spans.jsonl")
    target = tmp_path / "bundle.jsonl"
    assert main(["bundle", "roo", str(source), "-o", str(target)]) == 0
    assert "2 spans" in capsys.readouterr().err
    text = target.read_text()
    for secret in [*SECRETS, "hunter2", "plain", "box"]:
        assert orjson.dumps(secret).decode()[1:-1] not in text
    assert target.stat().st_mode & 0o77 == 0
    root, call = read_spans(target)
    assert root.host is None
    assert root.pid is None
    assert call.metadata == {"api-key": "[redacted]", "n": 1}
    assert call.interrupts is not None
    assert call.interrupts[0].get("id") == "i"
    assert call.extra["future"]["n"] == 2
    assert main(["show", "root", str(target)]) == 0


@pytest.mark.parametrize("text", ["a.", "sk-", "-eyJ", "a://b:", "a@", "-----BEGIN PRIVATE KEY-----"])
def test_no_text_makes_a_bundle_take_for_ever(text: str, tmp_path: Path) -> None:
    """A megabyte of beginnings of secrets is looked at once."""
    source = SpanLines().add("r", None, 0, 1, output=text * (1_000_000 // len(text))).write(tmp_path / "spans.jsonl")
    assert main(["bundle", "r", str(source), "-o", str(tmp_path / "b")]) == 0


def test_a_bundle_is_the_same_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without secrets nothing changes, wherever the machine's clock says that it is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        source = story().write(tmp_path / "spans.jsonl")
        assert main(["bundle", "aroot", str(source), "-o", str(tmp_path / "b.jsonl")]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()
    kept = {span.run_id: span for span in read_spans(tmp_path / "b.jsonl")}
    assert kept == {span.run_id: span for span in read_spans(source) if span.trace_id == "aroot"}


def test_a_bundle_keeps_the_last_microsecond_there_is(tmp_path: Path) -> None:
    """A time is the same in the bundle, however far away it is."""
    late = b"9999-12-31T23:59:59.999999Z"
    line = SpanLines().add("r", None, 0).lines[0].replace(b"2026-11-20T12:00:00.000000Z", late)
    (tmp_path / "spans.jsonl").write_bytes(line + b"\n")
    assert main(["bundle", "r", str(tmp_path / "spans.jsonl"), "-o", str(tmp_path / "b")]) == 0
    assert late in (tmp_path / "b").read_bytes()


def test_a_bundle_hides_in_names_and_ids(tmp_path: Path) -> None:
    """A thread or a node may be called by a mail address or a number of a customer; what links spans stays."""
    lines = SpanLines().add("root", None, 0, 10, thread_id="ann@example.org", service="desk", name="ACME-7 root")
    lines.add("call", "root", 1, 5, thread_id="ann@example.org", node="ACME-7")
    source, target = lines.write(tmp_path / "spans.jsonl"), tmp_path / "b"
    assert main(["bundle", "root", str(source), "-o", str(target), "--redact", "ACME-[0-9]+"]) == 0
    root, call = read_spans(target)
    assert (root.thread_id, root.service, root.name) == ("[redacted]", "desk", "[redacted] root")
    assert (call.thread_id, call.node, call.parent_run_id) == ("[redacted]", "[redacted]", root.run_id)


def test_a_bundle_can_hide_more(tmp_path: Path) -> None:
    """Texts of one's own are hidden, payloads left out on demand."""
    source = story().write(tmp_path / "spans.jsonl")
    assert main(["bundle", "aroot", str(source), "-o", str(tmp_path / "b"), "--redact", "cmd", "--no-payloads"]) == 0
    spans = list(read_spans(tmp_path / "b"))
    assert {span.error["message"] for span in spans if span.error} == {"=[redacted]()\x1b[2J"}
    assert all(span.inputs is None and span.output is None for span in spans)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "missing option '-o'"),
        (["-o", "{spans}"], "is there already"),
        (["-o", "{folder}/none/b.jsonl"], "cannot write"),
        (["-o", "{folder}/b.jsonl", "--redact", "("], "not a regular expression"),
    ],
)
def test_a_bundle_that_cannot_be_written(
    argv: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is overwritten, and the reason is one sentence."""
    source = story().write(tmp_path / "spans.jsonl")
    before = source.read_bytes()
    filled = [part.format(spans=source, folder=tmp_path) for part in argv]
    assert main(["bundle", "aroot", str(source), *filled]) == 2
    assert why in capsys.readouterr().err
    assert source.read_bytes() == before


def test_ids_and_times_are_no_numbers_of_cards(tmp_path: Path) -> None:
    """Digits that are a part of an id, or count microseconds, stay."""
    said = "run 01a1fefe-4111-7111-8111-411111111111 of x4111111111111111 at 1795176010000000, order 41111"
    source = SpanLines().add("r", None, 0, output=said).write(tmp_path / "spans.jsonl")
    assert main(["bundle", "last", str(source), "-o", str(tmp_path / "bundle.jsonl")]) == 0
    (root,) = read_spans(tmp_path / "bundle.jsonl")
    assert root.output == said


def test_two_traces_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each group has the figures of both sides and the difference; a group of one side has none."""
    source = str(story().write(tmp_path / "spans.jsonl"))
    assert main(["compare", "aroot", "broot", source, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    groups = {group["key"]: group for group in found["groups"]}
    assert (found["a"]["spans"], found["b"]["spans"]) == (7, 3)
    assert groups["support"]["difference"]["p50_ms"] == -7900
    assert (groups["agent"]["b"], groups["agent"]["difference"]) == (None, {})
    assert main(["compare", "aroot", "broot", source]) == 0
    assert "8.40 s -> 500 ms (-94%)" in capsys.readouterr().out


def test_what_two_filters_leave_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before and after a time of the zone, of the same files."""
    source = str(story().write(tmp_path / "spans.jsonl"))
    sides = ["start<2026-11-20T13:00:30", "start>=2026-11-20T13:00:30"]
    assert main(["compare", *sides, source, "--tz", "Europe/Paris", "--by", "type", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["a"]["name"], found["a"]["spans"], found["b"]["spans"]) == (sides[0], 7, 3)
    assert main(["compare", "status:error", "NOT status:error", source, "--by", "tool"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.endswith("2 failed, no model call")
    assert " ".join(last.split()) == "search 1 1 -> 0 (-100%) 28 ms -> 38 ms (+36%) 28 ms -> 38 ms (+36%)"


def test_two_files_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are compared whole, by any key of spans."""
    first = (
        SpanLines().add("r", None, 0, 10, type="llm", model="m", token_usage=usage(1, 1)).write(tmp_path / "a.jsonl")
    )
    other = (
        SpanLines().add("r", None, 0, 20, type="llm", model="m", token_usage=usage(2, 2)).write(tmp_path / "b.jsonl")
    )
    assert main(["compare", str(first), str(other), "--by", "model", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert group["difference"] == {
        "count": 0, "errors": 0, "p50_ms": 10, "p95_ms": 10, "total_ms": 10, "total_tokens": 2,
            "unknown_costs": 0,
    } | {name: group["difference"][name] for name in ("cost_usd",) if name in group["difference"]}  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["aroot", "{spans}"], "'aroot' is not a file"),
        (["aroot", "zzz", "{spans}"], "no trace or run begins with 'zzz'"),
        (["{spans}", "{spans}", "{spans}"], "compared whole"),
        (["{spans}", "{spans}", "--by", "day"], "cannot compare by"),
        (["{spans}", "{folder}/none.jsonl"], "does not exist"),
        (["start<12:00", "last", "{spans}"], "'last' is no filter"),
        (["start<12:00", "foo:1", "{spans}"], "no field 'foo'"),
    ],
)
def test_what_cannot_be_compared(argv: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pair that makes no sense is one sentence."""
    source = story().write(tmp_path / "spans.jsonl")
    assert main(["compare", *(part.format(spans=source, folder=tmp_path) for part in argv)]) == 2
    assert why in capsys.readouterr().err


def test_groups_of_both_sides_are_paired() -> None:
    """A zero on the first side has no percentage and no division."""
    row = {"key": "k", "type": "llm", "errors": 0, "p50_ms": None, "p95_ms": None, "total_tokens": None}
    more = {"count": 0, "total_ms": 0.0, "cost_usd": None, "unknown_costs": 0}
    (group,) = pair([row | more], [row | more | {"count": 2}])
    assert group["difference"] == {"count": 2, "errors": 0, "total_ms": 0.0, "unknown_costs": 0}


def test_a_cost_of_which_a_part_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Groups have the plus of the headlines, without a percentage; a question mark where nothing is known."""
    lines = SpanLines()
    for trace, known, unknown in (("a", 1, 1), ("b", 2, 0), ("c", 0, 1), ("d", 4, 0)):
        lines.add(trace, None, 0, kind="graph")
        for number in range(known + unknown):
            told = {"token_usage": usage(1_000_000, 0)} if number < known else {"status": "error"}
            model: dict[str, Any] = {"model": "gpt-4o", "provider": "openai", **told}
            lines.add(f"{trace}{number}", trace, 1, type="llm", **model)
    source = str(lines.write(tmp_path / "s.jsonl"))

    def ask(*argv: str) -> str:
        assert main(["compare", *argv, source, "--by", "model"]) == 0
        return capsys.readouterr().out

    for a, b, shown in (
        ("a", "b", "$2.50+ -> $5.00"),
        ("c", "a", "? -> $2.50+"),
        ("c", "c", "?"),
        ("a", "a", "$2.50+"),
        ("b", "d", "$5.00 -> $10.00 (+100%)"),
    ):
        assert ask(a, b).splitlines()[-1].endswith(f"  {shown}"), (a, b)
    assert "A: a  3 spans, 1 failed, 1,000,000 tokens, cost $2.50+" in ask("a", "b")
    found = json.loads(ask("a", "b", "--json"))
    (group,) = found["groups"]
    assert (found["a"]["unknown_costs"], group["b"]["unknown_costs"]) == (1, 0)
    assert "cost_usd" not in group["difference"]


def test_the_schema_names_every_field_of_the_record() -> None:
    """Fields and order are those of the record itself."""
    span = Span.__dataclass_fields__
    names = ["start_time" if name == "start_ns" else name for name in span if name != "extra"]
    assert [field.name for field in RECORD if field.name != "v"] == names
    assert {field.name for field in RECORD if field.required} == set(json_schema()["required"])  # type: ignore[call-overload]


def test_the_duckdb_query_reads_span_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The query that schema prints runs in a plain DuckDB, broken lines left out, payloads and times typed."""
    source = story().write(tmp_path / "it's.jsonl", [b"garbage", b'{"v":1,"type":"llm"'])
    assert main(["schema", "--duckdb", str(source)]) == 0
    query = capsys.readouterr().out
    assert query.strip() == read_json_query(str(source))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE mine AS " + query.strip().removesuffix(";"))
        found = connection.execute(
            "SELECT count(*), sum(token_usage.total_tokens), min(start_time)::VARCHAR, any_value(output) FROM mine"
        ).fetchall()
    assert found == [(10, 120, "2026-11-20 12:00:00", '"yes"')]


def test_the_schema_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Both forms have the record, the tables and the query."""
    assert main(["schema"]) == 0
    shown = capsys.readouterr().out
    assert "time_to_first_token_ms" in shown
    assert shown.count("time_to_first_token_ms") == 3  # of the record, the spans and the query, not of every view
    assert "\ntool_calls: the columns of spans\n\nnodes: the columns of spans\n" in shown
    assert "\nllm_calls: the columns of spans, and\n" in shown
    assert main(["schema", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"spans", "traces", "llm_calls", "rejects"} <= set(found["tables"])
    assert found["tables"]["spans"]["start_time"] == "TIMESTAMP"


@pytest.mark.slow
def test_a_report_is_text_that_stays_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page has totals, models, nodes, errors, lost work and what waits, and markup in the data shows as it is."""
    bad = {"type": "E", "message": "<img src=x onerror=alert(1)> | [click](javascript:x)\x1b[2J\n# big"}
    lines = story().add("evil", None, 90_000, name="a|b`c", status="error", error=bad)
    lines.add("asked", None, 95_000, name="desk", status="interrupted", thread_id="t-9")
    source = str(lines.write(tmp_path / "spans.jsonl"))
    assert main(["report", source, "-o", str(tmp_path / "r.md")]) == 0
    page = (tmp_path / "r.md").read_text()
    for title in ("Models", "Slowest nodes", "Tools", "Where errors began", "Lost work", "Stopped to ask a human"):
        assert f"## {title}" in page
    assert "<img" not in page
    assert "\\[click\\]" in page
    assert "a\\|b\\`c" in page
    assert "\x1b" not in page
    assert "| retried | 2 | 30 ms |" in page
    capsys.readouterr()
    assert main(["report", source]) == 0
    assert capsys.readouterr().out == page
    assert main(["report", source, "-o", str(tmp_path / "none" / "r.md")]) == 2


def test_a_report_says_what_became_of_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked, who answered what and how late, and what waits; only of the runs that the filter leaves."""
    lines = story()
    question = [{"id": "q1", "value": {"question": "refund 20?", "amount": 20}}]
    lines.add("ask1", None, 10_000, name="desk", status="interrupted", thread_id="t-1", interrupts=question)
    answer = [{"interrupt_id": "q1", "value": {"approved": False, "by": "ana"}}]
    lines.add("go1", None, 20_000, name="desk", thread_id="t-1", resumes=answer)
    waits = [{"id": "q2", "value": "send it?"}]
    lines.add("ask2", None, 30_000, name="mail", status="interrupted", thread_id="t-2", interrupts=waits)
    lines.add("ask3", None, 40_000, name="other", status="interrupted", thread_id="t-3")
    source = str(lines.write(tmp_path / "spans.jsonl"))
    assert main(["report", source]) == 0
    asked = capsys.readouterr().out.partition("## Stopped to ask a human")[2]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in asked.splitlines() if row.startswith("| t-")]
    told = {row[0]: (row[1], row[2], re.sub(r"\d.*", "LAG", row[3]), row[5]) for row in rows}
    assert told == {
        "t-1": ("desk", '"refund 20?" (amount: 20)', "reject by ana after LAG", "ask1"),
        "t-2": ("mail", '"send it?"', "waits LAG", "ask2"),
        "t-3": ("other", "", "", "ask3"),
    }
    assert main(["report", source, "--filter", "name:mail"]) == 0
    shown = capsys.readouterr().out
    assert "send it?" in shown
    assert "refund" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("command", [["report"], ["bundle", "last"]], ids=lambda command: command[0])
def test_a_file_is_replaced_when_that_is_asked_for(command: list[str], tmp_path: Path) -> None:
    """What is there, the span file above all, is kept otherwise, and nothing half-written is left on a full disk."""
    source = story().write(tmp_path / "spans.jsonl")
    before = source.read_bytes()
    assert main([*command, str(source), "-o", str(source)]) == 2
    assert source.read_bytes() == before
    target = tmp_path / "out"
    target.write_text("old")
    script = 'ulimit -f 0; exec "$@" 2>&1'
    full = [sys.executable, "-m", "flightlog", *command, str(source), "--no-cache", "--overwrite", "-o", str(target)]
    run = subprocess.run(["sh", "-c", script, "sh", *full], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (2, f"flightlog: cannot write {target}: File too large\n")
    assert target.read_text() == "old"
    assert main([*command, str(source), "-o", str(target), "--overwrite"]) == 0
    assert target.read_text() != "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "spans.jsonl"]
