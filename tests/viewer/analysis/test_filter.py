"""The filter language over real rows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightlog_viewer.analysis import filter_fields, question_filter, thread_filter
from flightlog_viewer.analysis.filter import FilterError, Table, compile_filter
from flightlog_viewer.analysis.filter_fields import FIELDS, complete
from flightlog_viewer.analysis.filter_syntax import Term, parse, words_hint
from flightlog_viewer.analysis.times import zone

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKENS = "STRUCT(input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT)"
SPANS = [
    # run, trace, parent, type, name, status, ms, model, node, tokens, error, tags, start, metadata
    ("r1", "t1", None, "chain", "support", "ok", 9000.0, None, None, None, None, ["prod"], 10, {"user": "ann"}),
    ("a1", "t1", "r1", "llm", "gpt", "ok", 2100.0, "gpt-4o", "agent", 5000, None, None, 10, None),
    ("b1", "t1", "r1", "tool", "search", "error", 30.0, None, "tools", None, ("Value", "no 100% hit"), None, 10, None),
    ("r2", "t2", None, "chain", "billing", "error", 500.0, None, None, None, ("Key", "x"), None, 11, {"user": "bob"}),
    ("a2", "t2", "r2", "llm", "gpt", "error", 400.0, "gpt-4o-mini", "agent", 10, ("RateLimit", "slow"), None, 11, None),
    ("r3", "t3", None, "chain", "quiet", "ok", 5.0, None, None, None, None, None, 9, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> Iterator[duckdb.DuckDBPyConnection]:
    """Six spans of three traces in tables with the columns of the store."""
    with duckdb.connect() as connection:
        text = [
            f.span for f in FIELDS.values() if f.kind in ("text", "id") and f.span is not None and f.span.isidentifier()
        ]
        others = {
            "duration_ms": "DOUBLE", "self_ms": "DOUBLE", "time_to_first_token_ms": "DOUBLE", "cost_usd": "DOUBLE",
            "token_usage": TOKENS, "error": "STRUCT(type VARCHAR, message VARCHAR)", "tags": "VARCHAR[]",
            "step": "BIGINT", "attempt": "BIGINT", "document_count": "BIGINT", "chunks": "BIGINT", "pid": "BIGINT",
            "start_time": "TIMESTAMP", "end_time": "TIMESTAMP", "cache_hit": "BOOLEAN",
            "inputs": "JSON", "output": "JSON", "metadata": "JSON", "model": "VARCHAR", "row_id": "BIGINT",
        }  # fmt: skip
        columns = {**dict.fromkeys(text, "VARCHAR"), **others}
        connection.execute(f"CREATE TABLE spans ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        for row_id, each in enumerate(SPANS):
            run, trace, parent, kind, name, status, ms, model, node, tokens, error, tags, hour, metadata = each
            asked = "request_model" if status == "error" else "model"  # a call that failed was answered by none
            row = {
                "row_id": row_id,
                "run_id": run, "trace_id": trace, "parent_run_id": parent, "type": kind, "name": name, "status": status,
                "duration_ms": ms, asked: model, "node": node, "tags": tags, "metadata": metadata,
                "start_time": datetime(2026, 11, 20, hour),
                "token_usage": tokens and {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens},
                "error": error and {"type": error[0], "message": error[1]},
            }  # fmt: skip
            connection.execute(
                f"INSERT INTO spans ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )
        connection.execute(
            """CREATE VIEW traces AS SELECT trace_id, any_value(r.row_id) AS row_id,
            any_value(r.name) AS name, any_value(r.status) AS status,
            any_value(r.thread_id) AS thread_id, any_value(r.service) AS service,
            any_value(r.duration_ms) AS duration_ms,
            any_value(r.start_time) AS start_time, any_value(r.end_time) AS end_time, count(*) AS span_count,
            count(*) FILTER (s.status = 'error') AS error_count, sum(s.token_usage.total_tokens) AS total_tokens,
            sum(s.token_usage.input_tokens) AS input_tokens, sum(s.token_usage.output_tokens) AS output_tokens,
            sum(s.cost_usd) AS cost_usd FROM spans s JOIN spans r USING (trace_id) WHERE r.parent_run_id IS NULL
            GROUP BY trace_id"""
        )
        yield connection


def found(rows: duckdb.DuckDBPyConnection, text: str, table: Table = "traces") -> str:
    """The ids that match, in order; with its values written out the condition finds the same."""
    compiled = compile_filter(text, table, now=NOW)
    key = "trace_id" if table == "traces" else "run_id"
    result: list[tuple[Any, ...]] = rows.execute(
        f"SELECT {key} FROM {table} WHERE {compiled.where} ORDER BY 1", compiled.params
    ).fetchall()
    assert rows.execute(f"SELECT {key} FROM {table} WHERE {compiled.as_sql()} ORDER BY 1").fetchall() == result
    return " ".join(row[0] for row in result)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", "t1 t2 t3"),
        ("status:error", "t1 t2"),
        ("-status:error", "t3"),
        ("NOT status:error", "t3"),
        ("root:status:error", "t2"),
        ("status:error model:gpt*", "t2"),
        ("any:status:error any:model:gpt*", "t1 t2"),
        ("dur>2s model:gpt*", "t1"),
        ("root:dur>2s", "t1"),
        ("dur<=5ms", "t3"),
        ("tokens>4k", "t1"),
        ("root:tokens>4k", "t1"),
        ("tokens>=10 -tokens>4k", "t2"),
        ("name:quiet OR model:gpt-4o", "t1 t3"),
        ("(name:quiet OR model:gpt-4o) -status:error", "t3"),
        ("name:QUIET", "t3"),
        ("name:quiet,billing", "t2 t3"),
        ("name:~^(qu|bil)", "t2 t3"),
        ("spans>2", "t1"),
        ("errors:2", "t2"),
        ("errors:0 OR spans>2", "t1 t3"),
        ("error:rate*", "t2"),
        ('error:"100%"', "t1"),
        ("error:*0%*", "t1"),
        ("error:slow", "t2"),
        ("error:slow*", ""),
        ("error:*", "t1 t2"),
        ("-error:*", "t3"),
        ("name:s_arch", ""),
        ("trace:?", ""),
        ("root:model:gpt*", ""),
        ("tag:prod", "t1"),
        ("-tag:*", "t2 t3"),
        ("model:*", "t1 t2"),
        ("start>1h", ""),
        ("start>=10:30", "t2"),
        ("start<2026-11-20T09:30", "t3"),
        ("metadata.user:ann", "t1"),
        ("root:metadata.user:b*", "t2"),
        ("metadata:bob", "t2"),
        ("tool:search", "t1"),
        ("trace:t1", "t1"),
        ("billing", "t2"),
        ("gpt -billing", "t1"),
        ("cost>$0.01", ""),
        ("root:(status:error dur<1s)", "t2"),
        ("-(status:error OR name:quiet)", ""),
        ("cached:no name:quiet", "t3"),
    ],
)  # fmt: skip
def test_a_filter_finds_the_traces_it_describes(rows: duckdb.DuckDBPyConnection, text: str, ids: str) -> None:
    """Terms that stand together hold for one span, a negation for all, root: for the trace."""
    assert found(rows, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("status:error", "a2 b1 r2"),
        ("-status:error", "a1 r1 r3"),
        ("status:error root:status:ok", "b1"),
        ("errors>1 type:llm", "a2"),
        ("type:llm OR type:tool", "a1 a2 b1"),
        ("metadata:ann type:chain", "r1"),
        ("-model:gpt*", "b1 r1 r2 r3"),
    ],
)
def test_over_spans_a_filter_is_about_the_span(rows: duckdb.DuckDBPyConnection, text: str, ids: str) -> None:
    """The same language over spans asks each span, and root: the trace that it is in."""
    assert found(rows, text, "spans") == ids


def test_a_quote_in_quotes() -> None:
    """A backslash stands before the mark or itself; before anything else it is one."""
    term = parse(r'name:"say \"hi\", a\b \\"')
    assert isinstance(term, Term)
    assert [value.text for value in term.values] == [r'say "hi", a\b ' + "\\"]


def test_a_comma_in_parentheses() -> None:
    """It belongs to its value, as in a regular expression."""
    term = parse("name:~^get(Price,Stock),buy")
    assert isinstance(term, Term)
    assert [value.text for value in term.values] == ["^get(Price,Stock)", "buy"]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("staus:error", 0, "did you mean `status`"),
        ("dur>2s model:", 13, "a value is missing"),
        ('name:"x', 5, "never closed"),
        ("(a OR b", 0, "never closed"),
        ("a)", 1, "never opened"),
        ("a OR", 4, "missing"),
        ("OR a", 0, "missing"),
        ("dur>fast", 4, "not a length of time"),
        ("tokens>many", 7, "not a number"),
        ("start>soon", 6, "not a point in time"),
        ("status>error", 0, "no order"),
        ("name:~a(", 7, "not a regular expression"),
        ("name:~a(?=b)", 7, "look-around"),
        ("dur:~1", 5, "not text"),
        ("cached:maybe", 7, "neither"),
        ("- a", 1, "missing"),
        ("(" * 60 + "a", 40, "too deep"),
        ("-" * 60 + "a", 40, "too deep"),
    ],
)
def test_a_wrong_filter_says_where_and_why(text: str, position: int, message: str) -> None:
    """The error carries the position for the caret and a sentence."""
    with pytest.raises(FilterError) as raised:
        compile_filter(text)
    assert raised.value.position == position
    assert message in raised.value.message


_PIECES = st.sampled_from(
    [
        "status:error",
        "-",
        "(",
        ")",
        "OR ",
        " ",
        "dur>2s",
        "name:",
        '"',
        "'",
        "*",
        "root:",
        "any:",
        "~",
        ",",
        "%",
        "\\",
        "x",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_any_text_is_a_filter_or_an_error_with_a_place(rows_text: str) -> None:
    """Nothing typed raises anything but a FilterError, and values never become SQL."""
    try:
        compiled = compile_filter(rows_text, now=NOW)
    except FilterError as error:
        place = error.position
    else:
        place = 0
        assert compiled.where.count("?") == len(compiled.params)
    assert 0 <= place <= len(rows_text)


@pytest.mark.parametrize("table", ["traces", "spans"])
@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_can_be_asked(rows: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
    """Each field compiles, alone and under root:, to SQL that DuckDB runs."""
    value = {"duration": "1s", "time": "today", "flag": "yes"}.get(FIELDS[name].kind, "1")
    for text in (f"{name}:{value}", f"-{name}:{value}", f"root:{name}:{value}", f"{name}:*"):
        found(rows, text, table)


def test_times_are_meant_in_the_zone_of_the_user() -> None:
    """A time without an offset is local to the zone that was given, the parameter is UTC."""
    paris = compile_filter("start>2026-11-20T12:00", tz=zone("Europe/Paris"))
    assert paris.params == [datetime(2026, 11, 20, 11)]


def test_field_names_complete() -> None:
    """A beginning lists the fields that begin so."""
    assert complete("st") == ["status", "step", "start"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("status:error or dur>2s", "; `or` is looked for as a word, OR is the operator"),
        ("not (status:error)", "; `not` is looked for as a word, NOT is the operator"),
        ("dur > 2s", "; no space stands before or behind a sign: dur>2s"),
        ("start:today", "; a time is seldom met to the microsecond: start>=today"),
        ("updated=2026-11-20", "; a time is seldom met to the microsecond: updated>=2026-11-20"),
        ("start>=today asked>7d end:*", ""),
        ('output:"this or that" type:tool', ""),
        ("node:gate OR dur>2s", ""),
        ("name:order -node:android", ""),
    ],
)
def test_operators_that_were_read_as_words_are_said(text: str, sentence: str) -> None:
    """Over spans, traces, threads and questions alike a filter that found nothing names the likely slip."""
    hints = (words_hint, filter_fields.hint, thread_filter.hint, question_filter.hint)
    assert [said(text).startswith(sentence) and bool(said(text)) == bool(sentence) for said in hints] == [True] * 4
