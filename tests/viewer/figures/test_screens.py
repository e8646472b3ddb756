"""What the screens work out beside the named queries is what the commands say."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from flightlog_viewer import Store, open_store
from flightlog_viewer.analysis.excerpt import excerpt
from flightlog_viewer.analysis.filter import EVERYTHING, Filter, compile_filter
from flightlog_viewer.store.queries.screens import BINS_PER_DECADE, latency_bins, token_bins
from flightlog_viewer.tui.questions.cursors import Cursors
from flightlog_viewer.tui.questions.groups import GroupQuestions, filter_for
from flightlog_viewer.tui.questions.spans import SpanQuestions
from flightlog_viewer.tui.screens.compare import by_name
from tests.viewer.figures.forest import forest
from tests.viewer.figures.plain import Figures, cost, first
from tests.viewer.store.records import write

RECORDS = forest(5, traces=20, most=25)
FIGURES = Figures(RECORDS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with wrapped and cached calls, threads and orphans."""
    return write(tmp_path_factory.mktemp("screens") / "a.jsonl", *RECORDS)


@pytest.fixture(scope="module")
def store(path: Path) -> Iterator[Store]:
    """The same, loaded."""
    with open_store(path, cache=False) as opened:
        yield opened


@pytest.fixture
def cursors(store: Store) -> Cursors:
    """What the screens ask."""
    made = Cursors()
    made.open(store)
    return made


def test_tokens_over_time_are_those_of_the_sums(store: Store) -> None:
    """However many bars there are, they add up to the tokens that were spent, each where its calls began."""
    for count in (1, 7, 40):
        bins = store.sql(*token_bins(count, EVERYTHING)).fetchall()
        assert sum(tokens or 0 for _, tokens in bins) == FIGURES.tokens(RECORDS, "total_tokens")
        assert [start for start, _ in bins] == sorted({start for start, _ in bins})
        assert len(bins) <= count + 1


@pytest.mark.parametrize("kind", ["llm", "tool"])
def test_latencies_count_each_call_that_did_not_wait(store: Store, kind: str) -> None:
    """A call stands in the bin that its duration lies in."""
    wanted = Counter(
        math.floor(math.log10(max(record["duration_ms"], 0.001)) * BINS_PER_DECADE)
        for record in RECORDS
        if record["type"] == kind and record["status"] != "interrupted"
    )
    assert dict(store.sql(*latency_bins(kind, EVERYTHING)).fetchall()) == wanted


def test_the_first_rows_are_those_of_the_store(path: Path, cursors: Cursors) -> None:
    """What stands on the screen until all is loaded changes by then in its cost alone, which is not known before."""
    shown = {row.trace_id: row for row in excerpt([path])}
    assert len(shown) > 10
    for trace_id, row in shown.items():
        known = SpanQuestions(cursors).find_trace(trace_id)
        assert known is not None
        assert row == known._replace(cost_usd=None, unknown_costs=0)


def test_a_comparison_of_traces_sums_what_was_spent(cursors: Cursors) -> None:
    """Counts, errors, times and tokens of the spans of a name are those of the command."""
    for trace_id in FIGURES.traces():
        sums = by_name(SpanQuestions(cursors).spans_of(trace_id))
        where = Filter("trace_id = ?", [trace_id])
        told: dict[str, tuple[int, int, float, int]] = {}
        for group in cursors.store.query("summary", by="name", where=where):
            before = told.get(group["key"], (0, 0, 0.0, 0))
            more = (group["count"], group["errors"], group["total_ms"], group["total_tokens"] or 0)
            told[group["key"]] = tuple(a + b for a, b in zip(before, more, strict=True))
        assert {name: tuple(each) for name, each in sums.items()} == {
            name: pytest.approx(figures) for name, figures in told.items()
        }


def test_the_line_of_sums_is_of_the_traces_below(cursors: Cursors) -> None:
    """Traces, errors, tokens and cost of the list; the cost is of the calls whose cost is known."""
    found = SpanQuestions(cursors).trace_summary(None)
    traces = list(FIGURES.traces().values())
    assert (found["traces"], found["total"]) == (len(traces), len(traces))
    assert found["errors"] == sum(trace["status"] == "error" for trace in traces)
    assert found["tokens"] == FIGURES.tokens(RECORDS, "total_tokens")
    costs = [cost(record) for record in RECORDS if FIGURES.counted(record)]
    assert found["cost"] == pytest.approx(sum(usd for usd in costs if usd is not None))
    assert found["unknown_costs"] == costs.count(None) > 0


@pytest.mark.parametrize("group", ["model", "tool", "node", "thread", "day"])
def test_slowest_and_failed_lead_to_a_span_of_the_group(cursors: Cursors, group: str) -> None:
    """Of each group that has one, and the slowest is as slow as the group's longest."""
    questions = GroupQuestions(cursors)
    durations = dict(cursors.store.sql("SELECT row_id, duration_ms FROM spans").fetchall())
    longest = {
        row["key"]: row for row in cursors.store.query("summary", by=group) if row["key"] is not None and row["p99_ms"]
    }
    assert longest
    for key, row in longest.items():
        found = questions.find(group, key, "slowest", None, UTC)
        assert found is not None, key
        assert durations[found[1]] >= row["p99_ms"]
        assert (questions.find(group, key, "failed", None, UTC) is not None) == (row["errors"] > 0)
    for key in longest:
        where = compile_filter(filter_for(group, key))
        assert cursors.store.query("trace_count", where=where)[0]["traces"] > 0, key


def test_a_failed_call_is_found_by_the_model_that_was_asked(store: Store) -> None:
    """None has answered it."""
    failed = [r for r in RECORDS if r["type"] == "llm" and r["status"] == "error"]
    wanted = {r["trace_id"] for r in failed if first(r, "model", "request_model", "name") == "gpt-4o-mini"}
    found = store.query("trace_rows", where=compile_filter("status:error model:gpt-4o-mini"))
    assert {row["trace_id"] for row in found} == wanted != set()


@pytest.mark.parametrize("field", ["type", "kind", "status", "name"])
def test_a_trace_whose_root_is_in_no_file_is_asked_as_any_other(store: Store, field: str) -> None:
    """Its earliest span stands for the root, for what the list of traces has and for what it has not."""
    for value in {trace[field] for trace in FIGURES.traces().values()} - {None}:
        wanted = {name for name, trace in FIGURES.traces().items() if trace[field] == value}
        found = store.query("trace_rows", where=compile_filter(f"root:{field}:{value}"))
        assert {row["trace_id"] for row in found} == wanted
