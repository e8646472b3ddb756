import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from flightlog.errors import UnreadableError, UsageError
from flightlog_viewer import open_store
from flightlog_viewer.store.views import TRACES
from tests.viewer.store.records import llm, span, write


def test_import_is_light() -> None:
    """Importing the viewer loads neither DuckDB nor Textual."""
    code = "import flightlog_viewer, sys; assert not {'duckdb', 'textual', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_totals_and_groups(tmp_path: Path) -> None:
    """Tokens count LLM calls once, and a waiting span is counted but stands outside percentiles."""
    path = write(
        tmp_path / "a.jsonl",
        span("r", kind="graph", duration_ms=300),
        llm("a", "r", (10, 5), duration_ms=100),
        llm("b", "r", (20, 5), duration_ms=200),
        span("n", "r", kind="node", node="ask", status="interrupted", duration_ms=5000),
        span("m", "r", kind="node", node="ask", duration_ms=50, status="error", error={"type": "E", "message": "no"}),
    )
    with open_store(path) as store:
        (totals,) = store.query("overview")
        (model,) = store.query("summary", by="model")
        (node,) = store.query("summary", by="node")
    assert totals["spans"] == 5
    assert (totals["traces"], totals["errors"], totals["interrupted"]) == (1, 1, 1)
    assert (totals["input_tokens"], totals["total_tokens"]) == (30, 40)
    assert (model["key"], model["count"], model["p50_ms"], model["total_ms"]) == ("gpt-4o", 2, 150, 300)
    assert (node["key"], node["type"], node["count"], node["interrupted"]) == ("ask", "node", 2, 1)
    assert (node["p50_ms"], node["p95_ms"], node["p99_ms"], node["total_ms"]) == (50, 50, 50, 5050)
    assert totals["last_end"] - totals["first_start"] == timedelta(seconds=5)


def test_views_and_types(tmp_path: Path) -> None:
    """Nested values are structs, times are UTC, and payloads are read from the file when named."""
    path = write(
        tmp_path / "a.jsonl",
        span("r", start_time="2026-11-20T14:00:00+02:00", duration_ms=1500.5, inputs={"q": "é"}, later="x"),
        llm("a", "r", start_time="2026-11-20T12:00:01Z", duration_ms=100, metadata={"big": "x" * 2000}),
        span("t", "r", type="tool", start_time="2026-11-20T12:00:01.050Z", duration_ms=100),
    )
    with open_store([path]) as store:
        rows = store.sql(
            "SELECT start_time, end_time, self_ms, inputs, raw, file FROM spans WHERE run_id = 'r'"
        ).fetchall()
        assert rows == [
            (
                datetime(2026, 11, 20, 12),
                datetime(2026, 11, 20, 12, 0, 1, 500500),
                1350.5,
                '{"q":"é"}',
                '{"later":"x"}',
                str(path),
            )
        ]
        calls = store.sql("SELECT token_usage.total_tokens, strlen(metadata), payload_gone FROM llm_calls").fetchall()
        assert calls == [(15, 2010, False)]
        assert store.sql("SELECT name FROM tool_calls").fetchall() == [("t",)]
        assert store.sql("SELECT span_count, total_tokens FROM traces").fetchall() == [(3, 15)]
        assert store.payload(0) == {"inputs": {"q": "é"}, "raw": {"later": "x"}}
        assert store.payload(99) == {"payload_gone": True}


def test_rejects(tmp_path: Path) -> None:
    """Lines that are not spans become rejects with offset and reason, and their neighbours load."""
    good = span("r")
    lines: list[bytes | dict[str, object]] = [
        b"{bad",
        good,
        b'{"v":1}',
        good | {"run_id": 5},
        good | {"duration_ms": "5"},
        good | {"v": True},
        good | {"status": "fine"},
        good | {"start_time": "yesterday"},
        b"[" * 5000 + b"]" * 5000,
        b'{"v":1,"name":"\xff"}',
        b"\0\0",
        good | {"run_id": "12", "step": "x", "model": {"a": 1}, "token_usage": {"input_tokens": "many"}},
    ]
    path = write(tmp_path / "a.jsonl", *lines)
    with open_store(path) as store:
        assert store.sql("SELECT run_id, step, model, token_usage FROM spans ORDER BY 1 DESC").fetchall() == [
            ("r", None, None, None),
            ("12", None, None, None),
        ]
        rejects = store.rejects
    assert [reject["reason"] for reject in rejects][1:9] == [
        "`name` is not a string",
        "`run_id` is not a string",
        "`duration_ms` is not a finite number from 0 on",
        "no record version `v`",
        "unknown `status`",
        "`start_time` is not an RFC 3339 time",
        "nested too deep",
        "not UTF-8",
    ]
    content = path.read_bytes()
    assert [content[reject["byte_offset"] :][:4] for reject in rejects[:2]] == [b"{bad", b'{"v"']


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.jsonl", None, "does not exist"),
        ("empty.jsonl", b"", "is empty"),
        ("prose.txt", b"Dear diary\n", "is not a span file"),
        ("tempo.json", b'{\n  "batches": []\n}\n', "one JSON document is for `flightlog import`"),
        ("s.jsonl.716fbacaee84e9f5.open", b"{}\n", r"is a sidecar, .*: name .*/s\.jsonl$"),
        ("s.jsonl.xz", b"\xfd7zXZ\n", r"only \.gz and \.zst can be unpacked here, unpack it first"),
        ("nothing*.jsonl", None, "no file matches"),
        ("", None, "no span file"),
    ],
)
def test_unreadable(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    """What cannot be loaded is refused with a sentence."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableError, match=sentence):
        open_store(path)


def test_newest_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without paths the span file last written here is loaded, with its rotated parts."""
    write(tmp_path / "old.jsonl", span("old"))
    write(tmp_path / "spans.20261120T120000.000001Z.jsonl", span("before"))
    write(tmp_path / "spans.jsonl", span("now"))
    write(tmp_path / "other.jsonl", {"not": "a span"})
    monkeypatch.chdir(tmp_path)
    with open_store() as store:
        assert store.sql("SELECT run_id FROM spans").fetchall() == [("before",), ("now",)]


def test_empty_is_allowed_to_those_who_wait(tmp_path: Path) -> None:
    """An empty file opens for a reader that waits for spans."""
    with open_store(write(tmp_path / "a.jsonl"), allow_empty=True) as store:
        assert store.span_count == 0
        assert store.query("overview")[0]["spans"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE rejects",
        "SELECT 1; SELECT 2",
        "EXPLAIN ANALYZE DELETE FROM rejects",
        "",
        "SELECT nope",
        "SELEC",
        "WITH x AS (DELETE FROM rejects RETURNING *) SELECT * FROM x",
        "SELECT * FROM read_text('/etc/passwd')",
    ],
)
def test_refused_sql(tmp_path: Path, query: str) -> None:
    """Wrong or writing SQL is refused with one sentence."""
    with open_store(write(tmp_path / "a.jsonl", span("r"))) as store:
        with pytest.raises(UsageError) as caught:
            store.sql(query).fetchall()
        assert "\n" not in str(caught.value)


def test_opentelemetry_lines(tmp_path: Path) -> None:
    """A file of OTLP JSON lines is recognised by its content, packed or not, and its bad lines are rejects."""
    import gzip

    fixture = Path(__file__).parents[2] / "exporters/fixtures/openinference.jsonl"
    path = tmp_path / "spans.jsonl.gz"
    path.write_bytes(gzip.compress(fixture.read_bytes() + b'{"resourceSpans":5}\n'))
    with open_store(path) as store:
        assert store.span_count > 5
        assert store.sql("SELECT count(*) > 0 FROM llm_calls WHERE token_usage.total_tokens > 0").fetchall() == [
            (True,)
        ]
        assert [reject["file"] for reject in store.rejects] == [str(path)]
        assert store.payload(0)
        assert store.query("trace_rows")


@pytest.mark.slow
def test_long_lines(tmp_path: Path) -> None:
    """A line of 40 MB is a span like any other; one beyond the limit is a reject, and its neighbours load."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for run_id, size in (
            ("r", 1),
            ("long", 40 << 20),
            ("s", 1),
            ("longer", 70 << 20),
            ("longest", 150 << 20),
            ("t", 1),
        ):
            record = orjson.dumps(span(run_id) | {"inputs": "@"})
            file.write(record.replace(b"@", b"x" * size) + b"\n")
    with open_store(path, cache=False) as store:
        rows = store.sql("SELECT run_id, row_id FROM spans ORDER BY run_id").fetchall()
        assert [run_id for run_id, _ in rows] == ["long", "r", "s", "t"]
        assert len(store.payload(rows[0][1])["inputs"]) == 40 << 20
        assert store.payload(rows[3][1]) == {"inputs": "x"}
        assert [reject["reason"] for reject in store.rejects] == ["longer than 64 MiB"] * 2


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """A query after the end is one sentence, not DuckDB's."""
    with open_store(write(tmp_path / "a.jsonl", span("r"))) as store:
        pass
    with pytest.raises(UsageError, match="the store is closed"):
        store.sql("SELECT 1")
    with pytest.raises(UsageError, match="the store is closed"):
        store.query("overview")
    store.close()


def test_the_table_of_traces_has_the_types_of_its_query(tmp_path: Path) -> None:
    """What is worked out when it is first needed goes into columns that were there before, type for type."""
    with open_store(write(tmp_path / "a.jsonl", span("r"))) as store, store.cursor() as cursor:
        described = "SELECT column_name, column_type FROM (DESCRIBE {})"
        wanted = cursor.execute(described.format(TRACES.format(scope="true"))).fetchall()
        assert cursor.execute(described.format("trace_rows")).fetchall() == wanted
