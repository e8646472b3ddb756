"""summary, traces, show and sql on a file with a known story."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import SpanLines, story, usage

Run = Callable[..., str]


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The story as a span file."""
    return str(story().write(tmp_path_factory.mktemp("spans") / "spans.jsonl"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line and give back its stdout; stderr must be what is expected."""

    def call(*argv: str, status: int = 0, err: str = "") -> str:
        code = main(argv)
        shown = capsys.readouterr()
        assert code == status, shown.err
        assert err in shown.err
        assert shown.err if err else not shown.err
        return shown.out

    return call


def groups(run: Run, *argv: str) -> dict[str, dict[str, Any]]:
    """The groups of a summary by key."""
    return {group["key"]: group for group in json.loads(run("summary", *argv, "--json"))["groups"]}


def test_a_summary_counts_everything_once(run: Run, spans: str) -> None:
    """Totals are of spans, tokens of the model calls alone."""
    found = json.loads(run("summary", spans, "--json"))
    assert {key: found[key] for key in ("spans", "traces", "errors", "interrupted", "rejects")} == {
        "spans": 10, "traces": 2, "errors": 2, "interrupted": 1, "rejects": 0
    }  # fmt: skip
    assert found["total_tokens"] == 120
    agent = next(group for group in found["groups"] if group["key"] == "agent")
    assert (agent["type"], agent["count"], agent["p50_ms"], agent["total_ms"]) == ("chain", 1, 2200, 2200)
    assert agent["total_tokens"] is None


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("type", {"chain": (6, 1, None), "llm": (2, 0, 120), "tool": (2, 1, None)}),
        ("model", {"gpt-4o-mini": (1, 0, 120), "nobody-knows": (1, 0, None)}),
        ("tool", {"search": (2, 1, None)}),
        ("node", {"agent": (1, 0, 120), "tools": (2, 1, None), "approve": (1, 0, None)}),
        ("thread", {"t-19": (1, 0, 120), "t-20": (1, 0, None)}),
        ("day", {"2026-11-20": (2, 0, 120)}),
        ("week", {"2026-W47": (2, 0, 120)}),
        ("service", {"desk": (2, 0, 120)}),
        ("version", {None: (2, 0, 120)}),
        ("waste", {"useful": (8, 0, 120), "retried": (2, 2, None)}),
    ],
)
def test_a_summary_by_any_key(
    run: Run, spans: str, by: str, expected: dict[str | None, tuple[int, int, int | None]]
) -> None:
    """Nodes count each node run once, threads, days and services whole runs, waste what was done in vain."""
    found = groups(run, spans, "--by", by)
    assert {key: (g["count"], g["errors"], g["total_tokens"]) for key, g in found.items()} == expected


def test_a_summary_by_what_the_metadata_says(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole runs by what their root was started with, a member inside another too, whatever its name."""
    lines = SpanLines()
    runs: tuple[Any, ...] = ({"tenant": "acme"}, {"tenant": "acme"}, {"a": {'b"c\\': 7}}, None)
    for number, metadata in enumerate(runs):
        lines.add(f"r{number}", None, 0, **({} if metadata is None else {"metadata": metadata}))
        lines.add(f"c{number}", f"r{number}", 1, type="llm", token_usage=usage(5, 1), metadata={"tenant": "inner"})
    path = str(lines.write(tmp_path / "s.jsonl"))
    for key, expected in (("tenant", {"acme": (2, 12), None: (2, 12)}), ('a.b"c\\', {"7": (1, 6), None: (3, 18)})):
        found = groups(run, path, "--by", f"metadata.{key}")
        assert {name: (group["count"], group["total_tokens"]) for name, group in found.items()} == expected
    assert main(["summary", path, "--by", "metadata."]) == 2
    assert main(["summary", path, "--by", "metadata.tenat"]) == 0
    assert "no run was started with metadata.tenat" in capsys.readouterr().err


def test_what_waits_stands_outside_percentiles(run: Run, spans: str) -> None:
    """A node that waits for a human is counted, its time has no percentile."""
    approve = groups(run, spans, "--by", "node")["approve"]
    assert (approve["count"], approve["interrupted"], approve["p50_ms"]) == (1, 1, None)


def test_days_are_those_of_the_zone(run: Run, spans: str) -> None:
    """Noon in UTC is the next day on Kiritimati."""
    assert list(groups(run, spans, "--by", "day", "--tz", "Pacific/Kiritimati")) == ["2026-11-21"]


def test_a_terminal_without_unicode_gets_ascii(spans: str) -> None:
    """Where the encoding has no lines and ellipses the tree is drawn with ASCII."""
    done = subprocess.run(
        [sys.executable, "-m", "flightlog", "show", "aroot", spans],
        capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert b"|  `- search" in done.stdout
    assert b"\\u" not in done.stdout


def test_wasted_time_counts_once(run: Run, spans: str) -> None:
    """The retried attempt's 30 ms are its own 2 and its tool's 28."""
    assert groups(run, spans, "--by", "waste")["retried"]["total_ms"] == pytest.approx(30)


def test_what_a_dead_run_finished_is_not_lost(run: Run, tmp_path: Path) -> None:
    """With a thread only the nodes that were given up are abandoned, without one everything is."""
    for thread, abandoned in (("t", {"root", "n2", "call"}), (None, {"root", "n1", "n2", "call"})):
        lines = (
            SpanLines()
            .add("root", None, 0, 10, kind="graph", status="abandoned", thread_id=thread)
            .add("n1", "root", 1, 2, kind="node", thread_id=thread)
            .add("n2", "root", 4, 5, kind="node", status="cancelled", thread_id=thread)
            .add("call", "n2", 5, 1, type="llm", thread_id=thread)
        )
        found = groups(run, str(lines.write(tmp_path / "s.jsonl")), "--by", "waste")
        assert found["abandoned"]["count"] == len(abandoned)


def test_a_filter_holds_for_the_totals_as_well(run: Run, spans: str) -> None:
    """With --filter everything shown is of the spans that match."""
    found = json.loads(run("summary", spans, "--filter", "type:tool", "--json"))
    assert (found["spans"], found["errors"], [g["key"] for g in found["groups"]]) == (2, 1, ["search"])


def test_a_summary_in_words(run: Run, spans: str) -> None:
    """Without a terminal it is plain text, with unknown prices and missing usage said."""
    shown = run("summary", spans)
    assert "10 spans in 2 traces, 2 failed (in 1 trace), 1 trace stopped to ask a human" in shown
    assert "2 model calls, 120 tokens (100 in, 20 out), " in shown
    assert "1 call without usage (see flightlog doctor)" in shown
    assert "\x1b" not in shown


def test_the_end_of_a_span_is_explained(run: Run, tmp_path: Path) -> None:
    """A run that brought an answer and asks again says both, and a model that was cut short says why it stopped."""
    lines = SpanLines()
    asks: dict[str, Any] = {"interrupts": [{"id": "i1", "value": "sure?"}], "resumes": [{"value": "go on"}]}
    lines.add("root", None, 0, kind="graph", status="interrupted", **asks)
    for run_id, reason in (("long", "max_tokens"), ("whole", "END_TURN")):
        lines.add(run_id, "root", 1, type="llm", name=run_id, finish_reason=reason)
    shown = run("show", "root", str(lines.write(tmp_path / "s.jsonl"))).splitlines()
    assert shown[2].endswith('  answered "go on", then asks "sure?"')
    assert shown[3].endswith("  finish: max_tokens")
    assert "finish" not in shown[4]


def test_what_is_known_of_a_cost_is_shown(run: Run, tmp_path: Path) -> None:
    """With a plus where the cost of some call is unknown, and a question mark where that of all is."""
    lines = SpanLines()
    for run_id, known in (("a", True), ("b", False)):
        lines.add(run_id, None, 0, kind="graph", thread_id=run_id)
        failed: dict[str, Any] = {"status": "error", "error": {"type": "RateLimitError", "message": "429"}}
        lines.add(f"{run_id}1", run_id, 1, type="llm", model="gpt-4o", provider="openai", **failed)
        if known:
            fields: dict[str, Any] = {"model": "gpt-4o", "provider": "openai", "token_usage": usage(1_000_000, 0)}
            lines.add(f"{run_id}2", run_id, 2, type="llm", **fields)
    path = str(lines.write(tmp_path / "s.jsonl"))
    shown = run("summary", path, "--by", "thread")
    assert "$2.50 and 2 calls of unknown cost" in shown
    assert [row.split()[-1] for row in shown.splitlines()[-2:]] == ["$2.50+", "?"]
    assert [row.split()[-2] for row in run("traces", path).splitlines()[1:]] == ["$2.50+", "?"]


def test_what_could_not_be_written_is_said_by_all(run: Run, tmp_path: Path) -> None:
    """Every command that reads spans says on stderr how many are missing, whatever a tracer wrote as their number."""
    lines = SpanLines().add("root", None, 0)
    for lost in (7, "many", -3, 2):
        fields: dict[str, Any] = {
            "type": "event",
            "name": "flightlog.loss",
            "status": "error",
            "metadata": {"lost": lost},
        }
        lines.add(f"loss {lost}", None, 1, **fields)
    path = str(lines.write(tmp_path / "s.jsonl"))
    for command in (["summary"], ["traces"], ["sql", "FROM traces"]):
        run(*command, path, err="9 spans could not be written (`flightlog doctor` says when and why)")


def test_what_a_later_version_wrote_is_said_by_all(run: Run, tmp_path: Path) -> None:
    """Spans of a later record are loaded, and every command that reads them says how many there are."""
    first, second = SpanLines().add("a", None, 0).add("b", None, 1).lines
    path = tmp_path / "s.jsonl"
    path.write_bytes(first + b"\n" + second.replace(b'"v":1', b'"v":2,"colour":"red"') + b"\n")
    said = "1 span was written by a later flightlog than this one, which may not know all of it"
    for command in (["summary"], ["traces"]):
        run(*command, str(path), err=said)
    assert run("sql", "SELECT raw->>'colour' AS colour FROM spans WHERE v = 2", str(path), "--csv", err=said) == (
        "colour\nred\n"
    )


def test_csv_of_a_summary_is_safe(run: Run, spans: str) -> None:
    """CSV has one row a group and the names of the JSON."""
    rows = list(csv.DictReader(io.StringIO(run("summary", spans, "--by", "model", "--csv"))))
    assert {row["key"]: row["total_tokens"] for row in rows} == {"gpt-4o-mini": "120", "nobody-knows": ""}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["broot", "aroot"]),
        (["--sort", "slowest"], ["aroot", "broot"]),
        (["--min-duration", "1s"], ["aroot"]),
        (["--since", "2026-11-20T12:00:30"], ["broot"]),
        (["--since", "2026-11-20T13:00:30", "--tz", "Europe/Paris"], ["broot"]),
        (["--until", "2026-11-20T12:00:30"], ["aroot"]),
        (["--since", "2026-11-20T12:00:30", "--until", "2026-11-20T12:01:01"], ["broot"]),
        (["--filter", "status:error"], ["aroot"]),
        (["--status", "ok", "--filter", "model:gpt*"], ["aroot"]),
        (["-n", "1"], ["broot"]),
    ],
)
def test_traces_are_chosen(run: Run, spans: str, options: list[str], ids: list[str]) -> None:
    """Each option leaves over what it says."""
    assert [row["trace_id"] for row in json.loads(run("traces", spans, *options, "--json"))] == ids


def test_a_cut_list_says_so(run: Run, spans: str) -> None:
    """A table that shows fewer traces than there are says how many there are."""
    run("traces", spans, "-n", "1", err="1 of 2 traces shown")
    run("traces", spans, "--filter", "nothing", err="no trace matches; a word is sought in names and ids, inputs:WORD")


def test_a_filter_that_leaves_nothing_says_so(run: Run, spans: str) -> None:
    """A status that there is not is named as what it may be; JSON and a filter that finds something are left alone."""
    run("traces", spans, "--filter", "status:eror", err="no trace matches; a status is one of ok, error,")
    run("summary", spans, "--filter", "status:eror", err="no span matches; a status is one of ok, error,")
    run("summary", spans, "--filter", "name:nobody", err="no span matches\n")
    run("summary", spans, "--filter", "status:error")


def test_a_trace_is_a_tree(run: Run, spans: str) -> None:
    """A beginning of an id of a run finds its trace; children stand under their parents; no control passes."""
    shown = run("show", "o1", spans)
    assert "support" in shown.splitlines()[2]
    assert "│  └─ search" in shown
    assert "tools (attempt 2)" in shown
    assert "ValueError: =cmd()[2J" in shown
    found = json.loads(run("show", "aroot", spans, "--payloads", "--json"))
    assert [(s["depth"], s["run_id"]) for s in found["spans"]][:3] == [(0, "aroot"), (1, "n1"), (2, "l1")]
    assert found["spans"][2]["output"] == "yes"
    assert "\x1b" not in run("show", "aroot", spans, "--payloads")


@pytest.mark.parametrize(
    ("word", "trace"), [("last", "broot"), ("slowest", "aroot"), ("failed", "aroot"), ("interrupted", "broot")]
)
def test_a_word_stands_for_a_trace(run: Run, spans: str, word: str, trace: str) -> None:
    """The newest, slowest, failed or waiting trace needs no id."""
    assert json.loads(run("show", word, spans, "--json"))["trace_id"] == trace


def test_a_trace_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """None and several are told apart."""
    lines = story().add("aother", None, 0, trace_id="aother")
    path = str(lines.write(tmp_path / "s.jsonl"))
    run("show", "zzz", path, status=2, err="no trace or run begins with 'zzz'")
    run("show", "a", path, status=2, err="several traces begin with 'a': aother, aroot")
    run("show", "", path, status=2, err="empty")


def test_sql_in_every_format(run: Run, spans: str, tmp_path: Path) -> None:
    """Table, JSON, CSV and Parquet have the same rows."""
    query = (
        "SELECT name, count(*) AS n, any_value(error.message) AS why FROM spans GROUP BY 1 ORDER BY n DESC, 1 LIMIT 3"
    )
    rows = json.loads(run("sql", query, spans, "--json"))
    assert rows[0] == {"name": "search", "n": 2, "why": "=cmd()\x1b[2J"}
    table = run("sql", query, spans)
    assert "\x1b" not in table
    assert table.splitlines()[1].split() == ["search", "2", "=cmd()[2J"]
    assert next(csv.DictReader(io.StringIO(run("sql", query, spans, "--format", "csv"))))["why"] == "'=cmd()[2J"
    for suffix, option in (("json", "--json"), ("csv", "--csv")):
        run("sql", query, spans, "-o", str(tmp_path / f"out.{suffix}"), err="the answer is in")
        assert (tmp_path / f"out.{suffix}").read_text() == run("sql", query, spans, option)
    target = tmp_path / "out.parquet"
    run("sql", query, spans, "-o", str(target), err="the answer is in")
    import pyarrow.parquet as parquet

    assert parquet.read_table(target).to_pylist() == rows


def test_sql_names_every_column_and_says_what_is_cut(run: Run, spans: str) -> None:
    """Two columns of one name are both in JSON; a table of more than a thousand rows says that it is cut."""
    assert json.loads(run("sql", "SELECT 1 AS a, 2 AS a", spans, "--json")) == [{"a": 1, "a_2": 2}]
    run("sql", "FROM range(1001)", spans, err="1,000 rows shown, more exist")
    assert json.loads(run("sql", "FROM range(0)", spans, "--json")) == []


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELEC 1", "syntax error"),
        ("FROM nowhere", "nowhere"),
        ("DROP TABLE rejects", "read-only"),
        ("SELECT 1; SELECT 2", "exactly one"),
        ("", "empty"),
        ("spans.jsonl", "the query comes before the files"),
    ],
)
def test_wrong_sql_is_one_sentence(run: Run, spans: str, query: str, why: str) -> None:
    """What DuckDB or the lock refuses is a sentence and status 2."""
    assert run("sql", query, spans, status=2, err=why) == ""


@pytest.mark.parametrize(
    "argv",
    [
        ["summary", "--by", "colour"],
        ["summary", "--json", "--csv"],
        ["summary", "--tz", "Mars/Olympus"],
        ["summary", "--filter", "staus:ok"],
        ["summary", "--since", "soon"],
        ["traces", "--sort", "up"],
        ["traces", "--status", "eror"],
        ["traces", "--min-duration", "long"],
        ["sql", "SELECT 1", "--format", "xml"],
        ["sql", "SELECT 1", "--format", "csv", "--json"],
        ["sql", "SELECT 1", "--json", "--csv"],
        ["sql", "SELECT 1", "-o", "/nowhere/x.csv"],
    ],
)
def test_a_wrong_option_is_one_sentence(run: Run, spans: str, argv: list[str]) -> None:
    """An option that cannot be meant is status 2 with nothing on stdout."""
    arguments = [*argv[:2], spans, *argv[2:]] if argv[0] == "sql" else [*argv, spans]
    assert run(*arguments, status=2, err="flightlog: ") == ""


def test_an_answer_without_rows_says_so(run: Run, spans: str) -> None:
    """A heading alone could be a table that was cut, so a sentence stands beside it."""
    assert run("sql", "SELECT name FROM spans WHERE false", spans, err="flightlog: no rows\n") == "name\n"
    assert run("sql", "SELECT name FROM spans WHERE false", spans, "--csv") == "name\n"
    run("sql", "SELECT step FROM checkpoints", spans, err="no rows: no checkpoint database was given\n")
    run("sql", "SELECT name FROM spans WHERE name = 'writes'", spans, err="flightlog: no rows\n")


def test_a_plan_is_drawn_as_duckdb_draws_it(run: Run, spans: str) -> None:
    """EXPLAIN is a drawing of several lines, and not one cell."""
    plan = run("sql", "EXPLAIN SELECT name FROM spans WHERE duration_ms > 5", spans)
    assert len(plan.splitlines()) > 5
    assert "explain_key" not in plan
    assert run("sql", "EXPLAIN SELECT 1", spans, "--csv").startswith("explain_key,explain_value\n")


def test_a_query_for_a_file_is_told_what_else_there_is(run: Run, spans: str) -> None:
    """No setting would let it: the sentence names the ways to bring rows of one's own together with the answer."""
    run("sql", "FROM 'tenants.csv'", spans, status=2, err="a query reads what was loaded and no other")
    run("sql", "FROM read_csv('tenants.csv')", spans, status=2, err="--table NAME=FILE")


def test_tables_of_ones_own(run: Run, spans: str, tmp_path: Path) -> None:
    """`--table` loads a file beside the spans, and what is no pair of a name and a file is a sentence."""
    customers, plans = tmp_path / "customers=1.csv", tmp_path / "plans.jsonl"
    customers.write_text("run_id,plan_id\naroot,1\n")
    plans.write_text('{"plan_id": 1, "plan": "gold"}\n')
    query = "SELECT plan FROM spans JOIN customers USING (run_id) JOIN plans USING (plan_id)"
    given = ["--table", f"customers={customers}", "--table", f"plans={plans}"]
    assert run("sql", query, spans, *given, "--csv") == "plan\ngold\n"
    assert run("sql", "SHOW TABLES", spans, *given).split()[-2:] == ["customers", "plans"]
    for pair, why in (
        ("customers.csv", "--table takes NAME=FILE, as in customers=customers.csv, not 'customers.csv'"),
        ("=customers.csv", "--table takes NAME=FILE"),
        ("customers=", "--table takes NAME=FILE"),
        (f"spans={plans}", "there is a table spans already"),
        (f"order={plans}", "'order' cannot be the name of a table"),
        (f"plans={tmp_path}/nothing.csv", "nothing.csv does not exist"),
        (f"plans={spans}.xlsx", "does not exist"),
    ):
        assert run("sql", "SELECT 1", spans, "--table", pair, status=2, err=why) == ""
    run("sql", "SELECT 1", spans, *given, *given, status=2, err="--table names customers twice")


def test_a_name_that_promises_another_format_is_refused(run: Run, spans: str, tmp_path: Path) -> None:
    """A table of text in a file named like a spreadsheet would be opened by none; a name that says nothing gets one."""
    run("sql", "SELECT 1", spans, "-o", str(tmp_path / "a.xlsx"), status=2, err="ends in .xlsx: .csv (which spread")
    assert not (tmp_path / "a.xlsx").exists()
    run("sql", "SELECT 1 AS a", spans, "-o", str(tmp_path / "a.xlsx"), "--format", "csv", err="the answer is in")
    for name in ("a.txt", "a"):
        run("sql", "SELECT 1 AS a", spans, "-o", str(tmp_path / name), err="the answer is in")
        assert (tmp_path / name).read_text() == "a\n1\n"
